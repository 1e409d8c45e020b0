#include "core/scoring.hpp"

#include <algorithm>
#include <cmath>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr double kLeadHalfLifeDays = 7;
constexpr double kOlderEventsCount = 0.5;
constexpr double kFrequentEvents = 3;
constexpr double kPriorInbound = 1;
constexpr double kPriorEvents = 4;
constexpr double kShareOfReplies = 7000;
constexpr double kLastWord = 3000;

constexpr double kEngagementHalfLifeDays = 14;
constexpr double kManyDeals = 2;
constexpr double kManyActivities = 10;

// Values, and what makes them, are in kValueUnits before they are rounded, too: halves of a unit,
// as divisions give them, are then no others in binary.
constexpr double kOne = kValueUnits;
constexpr double kNeutral = kOne / 2;
static_assert(kShareOfReplies + kLastWord == kOne);

struct Stage {
    std::string_view name;
    int percent;
};

// In ASCII order. Those of Salesforce are prospecting, qualification, needs analysis, value
// proposition, id. decision makers, perception analysis, proposal/price quote, negotiation/review,
// closed won and closed lost.
constexpr auto kStages = std::to_array<Stage>({
    {"closed_lost", 0},
    {"closed_won", 100},
    {"contacted", 20},
    {"contract_sent", 90},
    {"converted", 100},
    {"customer", 100},
    {"dead", 0},
    {"demo", 50},
    {"disqualified", 0},
    {"engaged", 30},
    {"engaging", 30},
    {"id._decision_makers", 60},
    {"interested", 30},
    {"lost", 0},
    {"meeting", 60},
    {"needs_analysis", 20},
    {"negotiation", 90},
    {"negotiation/review", 90},
    {"new", 10},
    {"nurturing", 20},
    {"open", 10},
    {"perception_analysis", 70},
    {"presentation", 60},
    {"proposal", 75},
    {"proposal/price_quote", 75},
    {"proposal_sent", 75},
    {"prospect", 10},
    {"prospecting", 10},
    {"qualification", 10},
    {"qualified", 40},
    {"quoted", 75},
    {"rejected", 0},
    {"replied", 30},
    {"unqualified", 0},
    {"value_proposition", 50},
    {"won", 100},
    {"working", 30},
});
static_assert(std::is_sorted(kStages.begin(), kStages.end(),
                             [](const Stage& a, const Stage& b) { return a.name < b.name; }));
constexpr std::size_t kLongestStage = 20;
static_assert(std::all_of(kStages.begin(), kStages.end(),
                          [](const Stage& stage) { return stage.name.size() <= kLongestStage; }));

constexpr char Fold(char c) {
    if (c >= 'A' && c <= 'Z') {
        return static_cast<char>(c - 'A' + 'a');
    }
    return c == ' ' || c == '-' ? '_' : c;
}

// One for what has just been or is still to come, then half of it each half-life.
double Decay(Timestamp last, Timestamp now, double half_life_days) {
    if (last >= now) {
        return kOne;
    }
    if (last == kInfinitePast || now == kInfiniteFuture) {
        return 0;
    }
    const auto age = static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(last);
    return kOne * std::exp2(-static_cast<double>(age) /
                            (half_life_days * static_cast<double>(kMicrosecondsOfDay)));
}

double Recency(std::optional<Timestamp> last, std::optional<Timestamp> now, double half_life_days) {
    if (!last) {
        return 0;
    }
    return now ? Decay(*last, *now, half_life_days) : kNeutral;
}

// `many` of them make 0.63.
double Saturate(double n, double many) {
    return -kOne * std::expm1(-n / many);
}

double Number(Count count) {
    return static_cast<double>(count.value_or(0));
}

double Frequency(const LeadFacts& facts) {
    const std::int64_t recent = facts.inbound_7d.value_or(0);
    // None where the window of 14 days is empty and that of 7 days is not.
    const std::int64_t older =
        std::max<std::int64_t>(facts.inbound_14d.value_or(0), recent) - recent;
    return Saturate(static_cast<double>(recent) + kOlderEventsCount * static_cast<double>(older),
                    kFrequentEvents);
}

double Reply(const LeadFacts& facts) {
    const double inbound = Number(facts.inbound_total);
    const double share = kShareOfReplies * (inbound + kPriorInbound) /
                         (inbound + Number(facts.outbound_total) + kPriorEvents);
    const bool has_last_word =
        facts.last_inbound_at &&
        (!facts.last_outbound_at || *facts.last_inbound_at > *facts.last_outbound_at);
    return share + (has_last_word ? kLastWord : 0);
}

double Channels(const LeadFacts& facts) {
    return kOne * (1 - std::exp2(-Number(facts.channels)));
}

double StageValue(std::optional<int> percent) {
    return percent ? kOne * *percent / 100 : kNeutral;
}

unsigned UnknownStatistics(const LeadFacts& facts) {
    const auto bit = [](bool unknown, unsigned which) { return unknown ? which : 0U; };
    return bit(!facts.inbound_total, kUnknownInboundTotal) |
           bit(!facts.outbound_total, kUnknownOutboundTotal) |
           bit(!facts.inbound_14d, kUnknownInbound14d) | bit(!facts.inbound_7d, kUnknownInbound7d) |
           bit(!facts.channels, kUnknownChannels) |
           bit(!facts.last_inbound_at && facts.inbound_total.value_or(0) > 0, kUnknownLastInbound) |
           bit(!facts.last_outbound_at && facts.outbound_total.value_or(0) > 0,
               kUnknownLastOutbound);
}

unsigned UnknownFacts(const LeadFacts& facts, bool has_statistics, std::optional<int> percent) {
    return (has_statistics ? UnknownStatistics(facts) : kUnknownStats) |
           (facts.now ? 0U : kUnknownNow) | (percent ? 0U : kUnknownStatus);
}

// Sets the factors, of as many values and shares, and returns their sum.
std::int32_t Weigh(std::span<const double> values, std::span<const std::int32_t> shares,
                   std::span<Factor> factors) {
    constexpr std::int64_t kUnit =
        std::int64_t{kValueUnits} * kShareUnits / (std::int64_t{100} * kPointUnits);
    std::int64_t sum = 0;
    std::int32_t rounded = 0;
    for (std::size_t i = 0; i < factors.size(); i++) {
        const auto value = static_cast<std::int32_t>(std::lround(values[i]));
        sum += std::int64_t{value} * shares[i];
        // Rounded as a sum, so that the points of the factors add up to the score.
        const auto points = static_cast<std::int32_t>((sum + kUnit / 2) / kUnit);
        factors[i] = {value, shares[i], points - rounded};
        rounded = points;
    }
    return rounded;
}

}  // namespace

bool ShareWeights(std::span<const double> weights, std::span<std::int32_t> shares) {
    double sum = 0;
    for (const double weight : weights) {
        sum += weight;
    }
    if (!(sum > 0)) {
        return false;
    }
    std::transform(weights.begin(), weights.end(), shares.begin(), [sum](double weight) {
        return static_cast<std::int32_t>(std::lround(weight / sum * kShareUnits));
    });
    return true;
}

std::optional<int> StagePercent(std::string_view status) {
    if (status.size() > kLongestStage) {
        return std::nullopt;
    }
    std::array<char, kLongestStage> buffer{};
    std::transform(status.begin(), status.end(), buffer.begin(), Fold);
    const std::string_view name(buffer.data(), status.size());
    const auto* stage =
        std::lower_bound(kStages.begin(), kStages.end(), name,
                         [](const Stage& a, std::string_view b) { return a.name < b; });
    return stage != kStages.end() && stage->name == name ? std::optional(stage->percent)
                                                         : std::nullopt;
}

LeadScore ScoreLead(const LeadFacts& facts, std::span<const std::int32_t> shares) {
    LeadFacts known = facts;
    if (!facts.has_statistics) {
        known = {};
        known.now = facts.now;
        known.status = facts.status;
    }
    const std::optional<int> percent = known.status ? StagePercent(*known.status) : std::nullopt;
    const std::array<double, kLeadFactors.size()> values{
        Recency(known.last_inbound_at, known.now, kLeadHalfLifeDays), Frequency(known),
        Reply(known), Channels(known), StageValue(percent)};
    LeadScore score{};
    score.score = Weigh(values, shares, score.factors);
    score.unknown = UnknownFacts(known, facts.has_statistics, percent);
    return score;
}

std::int32_t ScoreEngagement(const EngagementFacts& facts, std::span<const std::int32_t> shares) {
    const std::array<double, kEngagementFactors.size()> values{
        Saturate(Number(facts.active_deals), kManyDeals),
        Saturate(Number(facts.activity_count_30d), kManyActivities),
        Recency(facts.last_activity_at, facts.now, kEngagementHalfLifeDays),
        Saturate(Number(facts.won_deals), kManyDeals)};
    std::array<Factor, kEngagementFactors.size()> factors;
    return Weigh(values, shares, factors);
}

}  // namespace freshcrm::core
