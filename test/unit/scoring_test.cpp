#include "core/scoring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace freshcrm::core {
namespace {

constexpr Timestamp kDay = kMicrosecondsOfDay;
constexpr Timestamp kNow = 800'000'000'000'000;

enum FactorIndex : std::size_t { kRecency, kFrequency, kReply, kChannels, kStage };

template <std::size_t N>
std::array<std::int32_t, N> Shares(const std::array<double, N>& weights) {
    std::array<std::int32_t, N> shares{};
    EXPECT_TRUE(ShareWeights(weights, shares));
    return shares;
}

template <std::size_t N>
std::array<std::int32_t, N> DefaultShares(const std::array<FactorName, N>& factors) {
    std::array<double, N> weights{};
    std::transform(factors.begin(), factors.end(), weights.begin(),
                   [](const FactorName& factor) { return factor.default_weight; });
    return Shares(weights);
}

LeadScore Score(const LeadFacts& facts) {
    return ScoreLead(facts, DefaultShares(kLeadFactors));
}

std::int32_t Value(const LeadFacts& facts, FactorIndex factor) {
    return Score(facts).factors[factor].value;
}

// A lead without events, whose status is neutral.
LeadFacts Silent() {
    LeadFacts facts{};
    facts.has_statistics = true;
    facts.inbound_total = facts.outbound_total = facts.inbound_14d = facts.inbound_7d =
        facts.channels = 0;
    facts.now = kNow;
    return facts;
}

std::int32_t Recency(std::optional<Timestamp> last, std::optional<Timestamp> now = kNow) {
    LeadFacts facts = Silent();
    facts.last_inbound_at = last;
    facts.now = now;
    return Value(facts, kRecency);
}

std::int32_t Frequency(std::int64_t within_14d, std::int64_t within_7d) {
    LeadFacts facts = Silent();
    facts.inbound_14d = within_14d;
    facts.inbound_7d = within_7d;
    return Value(facts, kFrequency);
}

std::int32_t Reply(std::int64_t inbound, std::int64_t outbound,
                   std::optional<Timestamp> last_inbound = {},
                   std::optional<Timestamp> last_outbound = {}) {
    LeadFacts facts = Silent();
    facts.inbound_total = inbound;
    facts.outbound_total = outbound;
    facts.last_inbound_at = last_inbound;
    facts.last_outbound_at = last_outbound;
    return Value(facts, kReply);
}

TEST(Scoring, RecencyIsHalvedEachWeek) {
    EXPECT_EQ(Recency(kNow), 10'000);
    EXPECT_EQ(Recency(kNow - 7 * kDay), 5000);
    EXPECT_EQ(Recency(kNow - 14 * kDay), 2500);
    EXPECT_EQ(Recency(kNow - 70 * kDay), 10);
    EXPECT_EQ(Recency(kNow - 1000 * kDay), 0);
    EXPECT_EQ(Recency({}), 0);
}

TEST(Scoring, RecencyOfTimesWithoutAnAge) {
    EXPECT_EQ(Recency(kNow + kDay), 10'000);
    EXPECT_EQ(Recency(kInfiniteFuture), 10'000);
    EXPECT_EQ(Recency(kInfinitePast), 0);
    EXPECT_EQ(Recency(kNow, kInfiniteFuture), 0);
    EXPECT_EQ(Recency(kNow, kInfinitePast), 10'000);
    EXPECT_EQ(Recency(kInfiniteFuture, kInfiniteFuture), 10'000);
    EXPECT_EQ(Recency(kInfinitePast, kInfinitePast), 10'000);
    // The whole range apart: no overflow.
    EXPECT_EQ(Recency(kInfinitePast + 1, kInfiniteFuture - 1), 0);
    EXPECT_EQ(Recency(kNow, std::nullopt), 5000);
    EXPECT_EQ(Recency({}, std::nullopt), 0);
}

TEST(Scoring, FrequencySaturates) {
    EXPECT_EQ(Frequency(0, 0), 0);
    EXPECT_EQ(Frequency(3, 3), 6321);  // 1 - 1/e
    EXPECT_EQ(Frequency(6, 0), 6321);
    EXPECT_EQ(Frequency(4, 2), 6321);
    EXPECT_EQ(Frequency(1'000'000, 1'000'000), 10'000);
    EXPECT_EQ(Frequency(std::numeric_limits<std::int64_t>::max(), 0), 10'000);
    // The window of 14 days may be empty, as a NULL cutoff makes it.
    EXPECT_EQ(Frequency(0, 3), 6321);
}

TEST(Scoring, RepliesHaveAPrior) {
    EXPECT_EQ(Reply(0, 0), 1750);   // 0.7 × 1/4
    EXPECT_EQ(Reply(0, 4), 875);    // 0.7 × 1/8
    EXPECT_EQ(Reply(4, 4), 2917);   // 0.7 × 5/12
    EXPECT_EQ(Reply(96, 0), 6790);  // 0.7 × 97/100
    // Who has the last word.
    EXPECT_EQ(Reply(4, 4, kNow, kNow - 1), 5917);
    EXPECT_EQ(Reply(4, 4, kNow, kNow), 2917);
    EXPECT_EQ(Reply(4, 4, kNow - 1, kNow), 2917);
    EXPECT_EQ(Reply(4, 4, kNow), 5917);
    EXPECT_EQ(Reply(4, 4, {}, kNow), 2917);
}

TEST(Scoring, ChannelsSaturate) {
    LeadFacts facts = Silent();
    EXPECT_EQ(Value(facts, kChannels), 0);
    facts.channels = 1;
    EXPECT_EQ(Value(facts, kChannels), 5000);
    facts.channels = 2;
    EXPECT_EQ(Value(facts, kChannels), 7500);
    facts.channels = 40;
    EXPECT_EQ(Value(facts, kChannels), 10'000);
}

TEST(Scoring, StagesInWhateverSpelling) {
    for (const char* status : {"closed_won", "Closed Won", "CLOSED-WON", "won", "Won"}) {
        EXPECT_EQ(StagePercent(status), 100) << status;
    }
    EXPECT_EQ(StagePercent("Negotiation/Review"), 90);
    EXPECT_EQ(StagePercent("Prospecting"), 10);
    EXPECT_EQ(StagePercent("closed_lost"), 0);
    EXPECT_EQ(StagePercent("working"), 30);
    for (const char* status : {"", "won ", "wo", "wonn", "closed", "ünqualified", "zzz",
                               "a status that is longer than any other"}) {
        EXPECT_EQ(StagePercent(status), std::nullopt) << status;
    }
    EXPECT_EQ(StagePercent(std::string_view("won\0", 4)), std::nullopt);
}

TEST(Scoring, UnknownStageIsNeutralAndReported) {
    LeadFacts facts = Silent();
    EXPECT_EQ(Value(facts, kStage), 5000);
    EXPECT_EQ(Score(facts).unknown, kUnknownStatus);
    facts.status = "no such status";
    EXPECT_EQ(Value(facts, kStage), 5000);
    EXPECT_EQ(Score(facts).unknown, kUnknownStatus);
    facts.status = "qualified";
    EXPECT_EQ(Value(facts, kStage), 4000);
    EXPECT_EQ(Score(facts).unknown, 0U);
}

TEST(Scoring, WhatIsNotKnownIsReported) {
    LeadFacts facts = Silent();
    facts.status = "new";
    const std::int32_t silent = Score(facts).score;
    facts.inbound_total = facts.outbound_total = facts.inbound_14d = facts.inbound_7d =
        facts.channels = std::nullopt;
    facts.now = std::nullopt;
    EXPECT_EQ(Score(facts).unknown, kUnknownInboundTotal | kUnknownOutboundTotal |
                                        kUnknownInbound14d | kUnknownInbound7d | kUnknownChannels |
                                        kUnknownNow);
    EXPECT_EQ(Score(facts).score, silent);

    facts = Silent();
    facts.status = "new";
    facts.inbound_total = facts.outbound_total = 1;
    EXPECT_EQ(Score(facts).unknown, kUnknownLastInbound | kUnknownLastOutbound);
    facts.last_inbound_at = facts.last_outbound_at = kNow;
    EXPECT_EQ(Score(facts).unknown, 0U);

    // Without statistics the rest of them is not read.
    facts.has_statistics = false;
    EXPECT_EQ(Score(facts).unknown, kUnknownStats);
    EXPECT_EQ(Score(facts).score, silent);
}

TEST(Scoring, BestAndWorst) {
    LeadFacts facts = Silent();
    facts.inbound_total = facts.inbound_14d = facts.inbound_7d = 1'000'000;
    facts.channels = 60;
    facts.last_inbound_at = kNow;
    facts.status = "won";
    EXPECT_EQ(Score(facts).score, 10'000);
    // Also where shares are rounded.
    EXPECT_EQ(ScoreLead(facts, Shares<5>({1, 1, 1, 0, 0})).score, 10'000);
    EXPECT_EQ(ScoreLead(facts, Shares<5>({1, 1, 1, 1, 2})).score, 10'000);
    facts = Silent();
    facts.outbound_total = 1'000'000;
    facts.last_outbound_at = kNow;
    facts.status = "lost";
    EXPECT_EQ(Score(facts).score, 0);
}

TEST(Scoring, WorkedOutByHand) {
    LeadFacts facts = Silent();
    facts.inbound_total = 5;
    facts.outbound_total = 7;
    facts.inbound_14d = 4;
    facts.inbound_7d = 2;
    facts.channels = 2;
    facts.last_inbound_at = kNow - 7 * kDay;
    facts.last_outbound_at = kNow - 8 * kDay;
    facts.status = "qualified";
    const LeadScore score = Score(facts);
    // 0.35 × 0.5, 0.25 × 0.6321, 0.2 × 0.5625 (0.7 × 6/16 + 0.3), 0.05 × 0.75, 0.15 × 0.4
    const std::vector<std::array<std::int32_t, 3>> expected{{5000, 350'000, 1750},
                                                            {6321, 250'000, 1580},
                                                            {5625, 200'000, 1125},
                                                            {7500, 50'000, 375},
                                                            {4000, 150'000, 600}};
    for (std::size_t i = 0; i < expected.size(); i++) {
        const Factor& factor = score.factors[i];
        EXPECT_EQ((std::array{factor.value, factor.share, factor.points}), expected[i]) << i;
    }
    EXPECT_EQ(score.score, 5430);
}

TEST(Scoring, WeightsAreDividedByTheirSum) {
    EXPECT_EQ(Shares<2>({1, 3}), (std::array{250'000, 750'000}));
    EXPECT_EQ(Shares<2>({0, 1e-300}), (std::array{0, 1'000'000}));
    EXPECT_EQ(Shares<2>({kLargestWeight, kLargestWeight}), (std::array{500'000, 500'000}));
    EXPECT_EQ(Shares<3>({1, 1, 1}), (std::array{333'333, 333'333, 333'333}));
    std::array<std::int32_t, 2> shares{};
    EXPECT_FALSE(ShareWeights(std::array<double, 2>{0, 0}, shares));
    // The defaults sum to one, exactly.
    const auto lead = DefaultShares(kLeadFactors);
    EXPECT_EQ(std::accumulate(lead.begin(), lead.end(), 0), kShareUnits);
    const auto engagement = DefaultShares(kEngagementFactors);
    EXPECT_EQ(std::accumulate(engagement.begin(), engagement.end(), 0), kShareUnits);
}

// ---- Properties, over random facts.

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    std::int64_t Below(std::int64_t n) {
        return std::uniform_int_distribution<std::int64_t>(0, n - 1)(engine_);
    }

    bool OneIn(std::int64_t n) { return Below(n) == 0; }

    // Small ones mostly: there a difference shows.
    Count AnyCount() {
        if (OneIn(20)) {
            return std::nullopt;
        }
        return OneIn(20) ? Below(std::numeric_limits<std::int64_t>::max())
                         : Below(OneIn(3) ? 100 : 6);
    }

    std::optional<Timestamp> AnyTime() {
        switch (Below(12)) {
            case 0:
                return std::nullopt;
            case 1:
                return kInfinitePast;
            case 2:
                return kInfiniteFuture;
            case 3:
                return kNow + Below(kDay);
            default:
                return kNow - Below((OneIn(2) ? 10 : 100) * kDay);
        }
    }

    std::optional<std::string_view> AnyStatus() {
        constexpr std::array<std::string_view, 6> kSome{"new",  "qualified", "negotiation",
                                                        "lost", "won",       "?"};
        return OneIn(8) ? std::nullopt
                        : std::optional(kSome[static_cast<std::size_t>(Below(kSome.size()))]);
    }

    LeadFacts AnyFacts() {
        LeadFacts facts{};
        facts.has_statistics = true;
        facts.inbound_total = AnyCount();
        facts.outbound_total = AnyCount();
        facts.inbound_14d = AnyCount();
        facts.inbound_7d = AnyCount();
        facts.channels = AnyCount();
        facts.last_inbound_at = AnyTime();
        facts.last_outbound_at = AnyTime();
        facts.now = OneIn(4) ? AnyTime() : kNow;
        facts.status = AnyStatus();
        return facts;
    }

    template <std::size_t N>
    std::array<double, N> AnyWeights() {
        std::array<double, N> weights{};
        do {
            for (double& weight : weights) {
                weight = OneIn(4) ? 0 : static_cast<double>(Below(1000)) / 100;
            }
        } while (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; }));
        return weights;
    }

  private:
    std::mt19937_64 engine_;
};

constexpr int kRounds = 50'000;

Count More(Count count, Random* random) {
    const std::int64_t more = random->Below(3) + 1;
    const std::int64_t n = count.value_or(0);
    return n > std::numeric_limits<std::int64_t>::max() - more ? n : n + more;
}

std::optional<Timestamp> Later(std::optional<Timestamp> time, Random* random) {
    if (!time) {
        return random->AnyTime();
    }
    const Timestamp step = random->Below(20 * kDay);
    if (*time == kInfinitePast) {
        return kNow - step;
    }
    return *time > kInfiniteFuture - step ? kInfiniteFuture : *time + step;
}

template <typename Change>
void ExpectNeverLower(Change change) {
    Random random(1);
    int rises = 0;
    for (int i = 0; i < kRounds; i++) {
        const LeadFacts before = random.AnyFacts();
        LeadFacts after = before;
        change(&after, &random);
        const auto shares = Shares(random.AnyWeights<5>());
        const std::int32_t difference =
            ScoreLead(after, shares).score - ScoreLead(before, shares).score;
        ASSERT_GE(difference, 0) << "round " << i;
        rises += difference > 0 ? 1 : 0;
    }
    // Or the change would change nothing.
    EXPECT_GT(rises, kRounds / 20);
}

TEST(ScoringProperties, ScoreIsFrom0To100AndTheSumOfItsPoints) {
    Random random(2);
    for (int i = 0; i < kRounds; i++) {
        const LeadScore score = ScoreLead(random.AnyFacts(), Shares(random.AnyWeights<5>()));
        ASSERT_GE(score.score, 0);
        ASSERT_LE(score.score, 10'000);
        std::int32_t sum = 0;
        for (const Factor& factor : score.factors) {
            ASSERT_GE(factor.value, 0);
            ASSERT_LE(factor.value, kValueUnits);
            ASSERT_GE(factor.points, 0);
            // Of itself rounded to hundredths, but for one that the sum has been owing.
            ASSERT_LE(std::abs(factor.points * 1'000'000.0 -
                               static_cast<double>(factor.value) * factor.share),
                      1'000'000.0);
            sum += factor.points;
        }
        ASSERT_EQ(sum, score.score);
    }
}

TEST(ScoringProperties, ALargerCountOfInboundEventsNeverLowersIt) {
    ExpectNeverLower([](LeadFacts* facts, Random* random) {
        facts->inbound_total = More(facts->inbound_total, random);
    });
    ExpectNeverLower([](LeadFacts* facts, Random* random) {
        facts->inbound_14d = More(facts->inbound_14d, random);
    });
    ExpectNeverLower([](LeadFacts* facts, Random* random) {
        facts->inbound_7d = More(facts->inbound_7d, random);
    });
    ExpectNeverLower(
        [](LeadFacts* facts, Random* random) { facts->channels = More(facts->channels, random); });
}

TEST(ScoringProperties, ALaterLastInboundEventNeverLowersIt) {
    ExpectNeverLower([](LeadFacts* facts, Random* random) {
        facts->last_inbound_at = Later(facts->last_inbound_at, random);
    });
}

// As statistics of one event more are.
TEST(ScoringProperties, AnInboundEventNeverLowersIt) {
    ExpectNeverLower([](LeadFacts* facts, Random* random) {
        const Timestamp at = kNow - random->Below(30 * kDay);
        facts->inbound_total = More(facts->inbound_total, random);
        if (at >= kNow - 14 * kDay) {
            facts->inbound_14d = More(facts->inbound_14d, random);
        }
        if (at >= kNow - 7 * kDay) {
            facts->inbound_7d = More(facts->inbound_7d, random);
        }
        facts->last_inbound_at = std::max(facts->last_inbound_at.value_or(kInfinitePast), at);
    });
}

TEST(ScoringProperties, ALaterStageNeverLowersIt) {
    ExpectNeverLower([](LeadFacts* facts, Random* random) {
        const int percent = facts->status ? StagePercent(*facts->status).value_or(50) : 50;
        const auto status = random->AnyStatus();
        if (status && StagePercent(*status).value_or(0) >= percent) {
            facts->status = status;
        }
    });
}

// Taking it away never lowers the score, then.
TEST(ScoringProperties, AnOutboundEventNeverRaisesIt) {
    Random random(3);
    int falls = 0;
    for (int i = 0; i < kRounds; i++) {
        const LeadFacts before = random.AnyFacts();
        LeadFacts after = before;
        after.outbound_total = More(after.outbound_total, &random);
        after.last_outbound_at = std::max(after.last_outbound_at.value_or(kInfinitePast),
                                          kNow - random.Below(30 * kDay));
        const auto shares = Shares(random.AnyWeights<5>());
        const std::int32_t difference =
            ScoreLead(after, shares).score - ScoreLead(before, shares).score;
        ASSERT_LE(difference, 0) << "round " << i;
        falls += difference < 0 ? 1 : 0;
    }
    EXPECT_GT(falls, kRounds / 20);
}

TEST(ScoringProperties, TimeAloneNeverRaisesIt) {
    Random random(4);
    for (int i = 0; i < kRounds; i++) {
        LeadFacts facts = random.AnyFacts();
        const auto shares = Shares(random.AnyWeights<5>());
        facts.now = kNow - random.Below(20 * kDay);
        const std::int32_t before = ScoreLead(facts, shares).score;
        facts.now = Later(facts.now, &random);
        ASSERT_LE(ScoreLead(facts, shares).score, before);
    }
}

TEST(ScoringProperties, OnlyTheProportionsOfWeightsCount) {
    Random random(5);
    for (int i = 0; i < kRounds; i++) {
        const LeadFacts facts = random.AnyFacts();
        auto weights = random.AnyWeights<5>();
        const LeadScore before = ScoreLead(facts, Shares(weights));
        // A power of two leaves every bit of the quotients as it is.
        for (double& weight : weights) {
            weight *= 1024;
        }
        ASSERT_EQ(ScoreLead(facts, Shares(weights)).score, before.score);
    }
}

TEST(ScoringProperties, OnlyDifferencesOfTimesCount) {
    Random random(6);
    const auto shares = DefaultShares(kLeadFactors);
    for (int i = 0; i < kRounds; i++) {
        LeadFacts facts = random.AnyFacts();
        facts.now = kNow;
        const std::int32_t before = ScoreLead(facts, shares).score;
        const Timestamp shift = random.Below(1000 * kDay);
        for (auto* time : {&facts.last_inbound_at, &facts.last_outbound_at, &facts.now}) {
            if (*time && **time != kInfinitePast && **time != kInfiniteFuture) {
                **time += shift;
            }
        }
        ASSERT_EQ(ScoreLead(facts, shares).score, before);
    }
}

// ---- Engagement.

std::int32_t Engagement(const EngagementFacts& facts) {
    return ScoreEngagement(facts, DefaultShares(kEngagementFactors));
}

TEST(Engagement, WorkedOutByHand) {
    EXPECT_EQ(Engagement({}), 0);
    // 0.3 × 0.6321 + 0.3 × 0.6321 + 0.25 × 0.5 + 0.15 × 0.6321
    EXPECT_EQ(Engagement({2, 10, 2, kNow - 14 * kDay, kNow}), 5991);
    EXPECT_EQ(Engagement({1000, 1000, 1000, kNow, kNow}), 10'000);
    EXPECT_EQ(Engagement({0, 0, 0, kNow, std::nullopt}), 1250);
    EXPECT_EQ(Engagement({0, 0, 0, kInfiniteFuture, kNow}), 2500);
    EXPECT_EQ(Engagement({0, 0, 0, kInfinitePast, kNow}), 0);
}

TEST(Engagement, NeverFallsWithAnInput) {
    Random random(7);
    int rises = 0;
    for (int i = 0; i < kRounds; i++) {
        EngagementFacts facts{random.AnyCount(), random.AnyCount(), random.AnyCount(),
                              random.AnyTime(), kNow};
        const auto shares = Shares(random.AnyWeights<4>());
        const std::int32_t before = ScoreEngagement(facts, shares);
        ASSERT_GE(before, 0);
        ASSERT_LE(before, 10'000);
        switch (random.Below(4)) {
            case 0:
                facts.active_deals = More(facts.active_deals, &random);
                break;
            case 1:
                facts.activity_count_30d = More(facts.activity_count_30d, &random);
                break;
            case 2:
                facts.won_deals = More(facts.won_deals, &random);
                break;
            default:
                facts.last_activity_at = Later(facts.last_activity_at, &random);
        }
        const std::int32_t after = ScoreEngagement(facts, shares);
        ASSERT_GE(after, before);
        rises += after > before ? 1 : 0;
    }
    EXPECT_GT(rises, kRounds / 20);
}

}  // namespace
}  // namespace freshcrm::core
