// Statistics of the events of a lead (or of whatever they are grouped by).
//
// Times are microseconds, of which the least and the greatest number are -infinity and infinity
// (PostgreSQL: datatype/timestamp.h); an event may have none. The window of a cutoff holds the
// events at the cutoff and after it: so infinity is in every window, -infinity in that of -infinity
// alone, and an event without a time in none. A cutoff that is null is an empty window. Totals,
// channels, first and last times are those of all events, whatever the windows.
//
// What is accumulated depends on the events alone, neither on their order nor on how they are
// divided among accumulators that are merged in the end. All is plain, so that it can live where
// the server's errors pass by. What is counted beyond 2^63 events is not defined.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/event_kind.hpp"
#include "core/replies.hpp"

namespace freshcrm::core {

inline constexpr std::int64_t kMinusInfinity = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();

struct Cutoff {
    std::int64_t at;  // zero when it is null
    bool null;

    bool Precedes(const Cutoff& other) const { return !null && !other.null && at < other.at; }
    bool operator==(const Cutoff&) const = default;
};

// Two windows of the events of each direction, for lead_event_stats(): what is done with an event
// is a few additions, without a branch that its values decide.
struct LeadEvents {
    struct Counts {
        std::int64_t untimed = 0;
        std::int64_t timed = 0;  // with a time
        std::array<std::int64_t, 2> in_window{};
        std::int64_t last = kMinusInfinity;  // of those with a time

        std::int64_t total() const { return untimed + timed; }
    };

    std::array<Cutoff, 2> cutoffs;
    std::uint64_t channels = 0;  // a bit each
    std::array<Counts, kDirections> directions;

    Counts& Of(Direction direction) { return directions[static_cast<std::size_t>(direction)]; }
    const Counts& Of(Direction direction) const {
        return directions[static_cast<std::size_t>(direction)];
    }

    void Add(Direction direction, std::int64_t at) {
        Counts& counts = Of(direction);
        ++counts.timed;
        for (std::size_t window = 0; window < cutoffs.size(); ++window) {
            const unsigned open = cutoffs[window].null ? 0 : 1;
            counts.in_window[window] += open & (at >= cutoffs[window].at ? 1U : 0U);
        }
        counts.last = std::max(counts.last, at);
    }
    // The same where no cutoff is null.
    void AddToOpenWindows(Direction direction, std::int64_t at) {
        Counts& counts = Of(direction);
        ++counts.timed;
        counts.in_window[0] += at >= cutoffs[0].at ? 1 : 0;
        counts.in_window[1] += at >= cutoffs[1].at ? 1 : 0;
        counts.last = std::max(counts.last, at);
    }
    void AddWithoutTime(Direction direction) { ++Of(direction).untimed; }
    void AddChannel(unsigned channel) { channels |= std::uint64_t{1} << channel; }

    // Of the same cutoffs.
    void Merge(const LeadEvents& other);
};

// The cutoffs of EventStats, in any order.
struct Cutoffs {
    const std::int64_t* at;
    const bool* null;  // no pointer when none is null; where one is, `at` has no meaning
    std::size_t size;

    bool operator==(const Cutoffs& other) const;
};

struct Event {
    Direction direction;
    std::optional<unsigned> channel;
    bool failed;
    std::optional<std::int64_t> at;
};

// Any number of windows, and replies, for event_stats(). Messages, as replies.hpp has them, are the
// inbound and outbound events with a finite time, but outbound ones that failed: these ask nobody.
// It lies at the beginning of memory that MemoryFor() says the size of, which the caller owns.
class EventStats {
  public:
    // A bound of memory, not of time: an event costs the logarithm of their number.
    static constexpr std::size_t kMostCutoffs = 1000;

    static std::size_t MemoryFor(const Cutoffs& cutoffs);
    static EventStats* MakeIn(void* memory, const Cutoffs& cutoffs);

    const Cutoffs& cutoffs() const { return cutoffs_; }

    // Whether the caller has to make room among the messages before the event is added.
    bool NeedsRoomFor(const Event& event) const;
    void Add(const Event& event);
    // Of the same cutoffs. The messages are left to the caller, who makes room for them.
    void MergeCounts(const EventStats& other);
    LatestMessages& messages() { return messages_; }
    const LatestMessages& messages() const { return messages_; }

    std::int64_t Total(Direction direction) const { return Of(direction).total; }
    std::int64_t total() const;
    std::optional<std::int64_t> Last(Direction direction) const;
    std::optional<std::int64_t> last() const;
    std::optional<std::int64_t> first() const;
    std::uint64_t channels() const { return static_cast<std::uint64_t>(channels_); }
    std::int64_t other_channel() const { return other_channel_; }
    std::int64_t failed() const { return failed_; }
    // How many events of the direction are in each window, as many numbers as cutoffs.
    void CountWindows(Direction direction, std::int64_t* counts) const;

    // All that MergeCounts() merges, one number after the other, to be stored and restored.
    std::size_t NumbersToStore() const { return kDirections * (4 + sorted_size_) + 4; }
    template <typename F>
    void ForEachNumber(F f) {
        for (Counts& counts : directions_) {
            f(counts.total);
            f(counts.timed);
            f(counts.last);
            std::for_each_n(counts.in_windows, sorted_size_ + 1, f);
        }
        f(first_);
        f(failed_);
        f(other_channel_);
        f(channels_);
    }

  private:
    struct Counts {
        std::int64_t total;
        std::int64_t timed;
        std::int64_t last;
        // At [n], how many events with a time are in the windows of exactly n of the sorted
        // cutoffs.
        std::int64_t* in_windows;
    };

    const Counts& Of(Direction direction) const {
        return directions_[static_cast<std::size_t>(direction)];
    }
    void AddTimed(Counts* counts, std::int64_t at);
    // How many of the sorted cutoffs have `at` in their windows.
    std::size_t WindowsOf(std::int64_t at) const {
        return static_cast<std::size_t>(std::upper_bound(sorted_, sorted_ + sorted_size_, at) -
                                        sorted_);
    }

    Cutoffs cutoffs_;
    std::int64_t* sorted_;  // those that are not null
    std::size_t sorted_size_;
    std::array<Counts, kDirections> directions_;
    std::int64_t first_;
    std::int64_t failed_;
    std::int64_t other_channel_;
    std::int64_t channels_;  // a bit each
    LatestMessages messages_;
};

}  // namespace freshcrm::core
