#include "core/event_stats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace freshcrm::core {
namespace {

std::optional<std::int64_t> Later(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return !a.has_value() ? b : !b.has_value() ? a : std::optional(std::max(*a, *b));
}

struct CutoffList {
    std::vector<std::optional<std::int64_t>> list;

    std::vector<std::int64_t> at = {};
    std::unique_ptr<bool[]> null = {};

    Cutoffs Get(bool with_nulls = true) {
        at.clear();
        null.reset(new bool[list.size()]);
        bool any = false;
        for (std::size_t i = 0; i < list.size(); ++i) {
            at.push_back(list[i].value_or(77));
            null[i] = !list[i].has_value();
            any = any || null[i];
        }
        return {at.data(), any || with_nulls ? null.get() : nullptr, list.size()};
    }
};

// With memory of its own.
class Stats {
  public:
    explicit Stats(const Cutoffs& cutoffs)
        : memory_(EventStats::MemoryFor(cutoffs) / sizeof(std::max_align_t) + 1),
          room_(LatestMessages::kMostRoom),
          stats_(EventStats::MakeIn(memory_.data(), cutoffs)) {
        stats_->messages().messages = room_.data();
        stats_->messages().room = LatestMessages::kMostRoom;
    }

    EventStats* operator->() { return stats_; }
    EventStats& operator*() { return *stats_; }

    void Merge(const Stats& other) {
        stats_->MergeCounts(*other.stats_);
        const LatestMessages& messages = other.stats_->messages();
        for (std::size_t i = 0; i < messages.size; ++i) {
            stats_->messages().Add(messages.messages[i]);
        }
    }

    std::vector<std::int64_t> Windows(Direction direction) const {
        std::vector<std::int64_t> counts(stats_->cutoffs().size);
        stats_->CountWindows(direction, counts.data());
        return counts;
    }

  private:
    std::vector<std::max_align_t> memory_;
    std::vector<Message> room_;
    EventStats* stats_;
};

std::vector<std::int64_t> CountPlainly(const std::vector<Event>& events, Direction direction,
                                       const CutoffList& cutoffs) {
    std::vector<std::int64_t> counts;
    for (const std::optional<std::int64_t>& cutoff : cutoffs.list) {
        counts.push_back(std::ranges::count_if(events, [&](const Event& event) {
            return event.direction == direction && event.at.has_value() && cutoff.has_value() &&
                   *event.at >= *cutoff;
        }));
    }
    return counts;
}

void ExpectPlain(const Stats& given, const std::vector<Event>& events, const CutoffList& cutoffs) {
    auto& stats = const_cast<Stats&>(given);
    std::optional<std::int64_t> first;
    std::optional<std::int64_t> last;
    std::int64_t failed = 0;
    std::int64_t other = 0;
    std::set<unsigned> channels;
    std::vector<Message> messages;
    for (const Event& event : events) {
        failed += event.failed ? 1 : 0;
        other += event.channel == kOtherChannel ? 1 : 0;
        if (event.channel.has_value()) {
            channels.insert(*event.channel);
        }
        if (event.at.has_value()) {
            first = std::min(first.value_or(*event.at), *event.at);
        }
        last = Later(last, event.at);
        const bool outbound = event.direction == Direction::kOutbound;
        if (event.at.has_value() && *event.at != kInfinity && *event.at != kMinusInfinity &&
            event.direction != Direction::kOther && !(outbound && event.failed)) {
            messages.push_back({*event.at, outbound});
        }
    }
    EXPECT_EQ(stats->total(), static_cast<std::int64_t>(events.size()));
    EXPECT_EQ(stats->failed(), failed);
    EXPECT_EQ(stats->other_channel(), other);
    EXPECT_EQ(std::popcount(stats->channels()), static_cast<int>(channels.size()));
    EXPECT_EQ(stats->first(), first);
    EXPECT_EQ(stats->last(), last);
    for (const Direction direction :
         {Direction::kInbound, Direction::kOutbound, Direction::kOther}) {
        EXPECT_EQ(stats.Windows(direction), CountPlainly(events, direction, cutoffs));
        std::optional<std::int64_t> last_of_these;
        for (const Event& event : events) {
            last_of_these =
                event.direction == direction ? Later(last_of_these, event.at) : last_of_these;
        }
        EXPECT_EQ(stats->Last(direction), last_of_these);
        EXPECT_EQ(stats->Total(direction),
                  std::ranges::count(events, direction, &Event::direction));
    }
    std::vector<Message> kept(stats->messages().messages,
                              stats->messages().messages + stats->messages().size);
    std::ranges::sort(kept);
    std::ranges::sort(messages);
    EXPECT_EQ(kept, messages);
}

template <typename Random>
std::optional<std::int64_t> SomeTime(Random& random) {
    switch (random() % 10) {
        case 0:
            return std::nullopt;
        case 1:
            return kInfinity;
        case 2:
            return kMinusInfinity;
        default:
            return static_cast<std::int64_t>(random() % 40) - 20;
    }
}

template <typename Random>
Event SomeEvent(Random& random) {
    return {static_cast<Direction>(random() % kDirections),
            random() % 5 == 0 ? std::nullopt
                              : std::optional(static_cast<unsigned>(random() % kChannels)),
            random() % 4 == 0, SomeTime(random)};
}

TEST(EventStats, AreThoseOfTheEventsHoweverTheyAreDivided) {
    std::mt19937 random(3);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
    for (int round = 0; round < 2000; ++round) {
        CutoffList cutoffs;
        for (std::size_t n = random() % 8; n > 0; --n) {
            cutoffs.list.push_back(SomeTime(random));
        }
        const Cutoffs given = cutoffs.Get(random() % 2 == 0);
        std::vector<Event> events(random() % 60);
        Stats one(given);
        Stats parts[2]{Stats(given), Stats(given)};
        for (Event& event : events) {
            event = SomeEvent(random);
            one->Add(event);
            parts[random() % 2]->Add(event);
        }
        ExpectPlain(one, events, cutoffs);
        parts[0].Merge(parts[1]);
        ExpectPlain(parts[0], events, cutoffs);

        std::vector<std::int64_t> numbers;
        one->ForEachNumber([&](std::int64_t number) { numbers.push_back(number); });
        EXPECT_EQ(numbers.size(), one->NumbersToStore());
        Stats restored(given);
        auto next = numbers.begin();
        restored->ForEachNumber([&](std::int64_t& number) { number = *next++; });
        restored->messages() = one->messages();
        ExpectPlain(restored, events, cutoffs);
    }
}

TEST(EventStats, AsManyCutoffsAsThereMayBe) {
    CutoffList cutoffs;
    for (std::size_t i = 0; i < EventStats::kMostCutoffs; ++i) {
        cutoffs.list.emplace_back(static_cast<std::int64_t>(i * 7919 % EventStats::kMostCutoffs));
    }
    std::vector<Event> events;
    Stats stats(cutoffs.Get(false));
    for (std::int64_t at = -5; at < 1010; ++at) {
        events.push_back({Direction::kOther, std::nullopt, false, at});
        stats->Add(events.back());
    }
    ExpectPlain(stats, events, cutoffs);
}

TEST(EventStats, CutoffsAreTheSameInTheSameOrderOnly) {
    const auto same = [](std::vector<std::optional<std::int64_t>> a,
                         std::vector<std::optional<std::int64_t>> b) {
        CutoffList left{std::move(a)};
        CutoffList right{std::move(b)};
        const bool equal = left.Get() == right.Get();
        // Whether nulls are spelled out does not matter.
        EXPECT_EQ(left.Get(false) == right.Get(), equal);
        EXPECT_EQ(left.Get(false) == right.Get(false), equal);
        return equal;
    };
    EXPECT_TRUE(same({}, {}));
    EXPECT_TRUE(same({1, 2}, {1, 2}));
    EXPECT_FALSE(same({1, 2}, {2, 1}));
    EXPECT_FALSE(same({1, 2}, {1}));
    EXPECT_TRUE(same({std::nullopt, 2}, {std::nullopt, 2}));
    EXPECT_FALSE(same({std::nullopt, 2}, {77, 2}));
    EXPECT_FALSE(same({std::nullopt, 2}, {2, std::nullopt}));
}

TEST(LeadEvents, AreTheSameAsEventStats) {
    std::mt19937 random(5);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
    for (int round = 0; round < 2000; ++round) {
        CutoffList cutoffs{{SomeTime(random), SomeTime(random)}};
        LeadEvents lead{};
        for (std::size_t i = 0; i < 2; ++i) {
            lead.cutoffs[i] = {cutoffs.list[i].value_or(0), !cutoffs.list[i].has_value()};
        }
        LeadEvents parts[2]{lead, lead};
        Stats stats(cutoffs.Get());
        for (std::size_t n = random() % 60; n > 0; --n) {
            const Event event = SomeEvent(random);
            stats->Add(event);
            LeadEvents& part = parts[random() % 2];
            if (event.channel.has_value()) {
                part.AddChannel(*event.channel);
            }
            event.at.has_value() ? part.Add(event.direction, *event.at)
                                 : part.AddWithoutTime(event.direction);
        }
        parts[0].Merge(parts[1]);
        EXPECT_EQ(parts[0].channels, stats->channels());
        for (const Direction direction :
             {Direction::kInbound, Direction::kOutbound, Direction::kOther}) {
            const LeadEvents::Counts& counts = parts[0].Of(direction);
            EXPECT_EQ(counts.total(), stats->Total(direction));
            EXPECT_EQ(counts.timed > 0 ? std::optional(counts.last) : std::nullopt,
                      stats->Last(direction));
            EXPECT_EQ(std::vector<std::int64_t>(counts.in_window.begin(), counts.in_window.end()),
                      stats.Windows(direction));
        }
    }
}

}  // namespace
}  // namespace freshcrm::core
