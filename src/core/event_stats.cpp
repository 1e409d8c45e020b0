#include "core/event_stats.hpp"

#include <new>
#include <numeric>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

// Hands out parts of the memory of an EventStats, from the strictest alignment to the least.
class Parts {
  public:
    explicit Parts(void* memory) : next_(static_cast<std::byte*>(memory)) {}

    template <typename T>
    T* Take(std::size_t count) {
        static_assert(alignof(T) <= alignof(EventStats));
        auto* part = reinterpret_cast<T*>(next_);
        next_ += count * sizeof(T);
        return part;
    }

  private:
    std::byte* next_;
};

bool IsNull(const Cutoffs& cutoffs, std::size_t i) {
    return cutoffs.null != nullptr && cutoffs.null[i];
}

bool IsMessage(const Event& event) {
    return event.at.has_value() && *event.at != kMinusInfinity && *event.at != kInfinity &&
           (event.direction == Direction::kInbound ||
            (event.direction == Direction::kOutbound && !event.failed));
}

}  // namespace

void LeadEvents::Merge(const LeadEvents& other) {
    channels |= other.channels;
    for (std::size_t i = 0; i < directions.size(); ++i) {
        Counts& mine = directions[i];
        const Counts& its = other.directions[i];
        mine.untimed += its.untimed;
        mine.timed += its.timed;
        for (std::size_t window = 0; window < mine.in_window.size(); ++window) {
            mine.in_window[window] += its.in_window[window];
        }
        mine.last = std::max(mine.last, its.last);
    }
}

bool Cutoffs::operator==(const Cutoffs& other) const {
    if (size != other.size) {
        return false;
    }
    if (null == nullptr && other.null == nullptr) {
        return std::equal(at, at + size, other.at);
    }
    for (std::size_t i = 0; i < size; ++i) {
        if (IsNull(*this, i) != IsNull(other, i) || (!IsNull(*this, i) && at[i] != other.at[i])) {
            return false;
        }
    }
    return true;
}

std::size_t EventStats::MemoryFor(const Cutoffs& cutoffs) {
    const std::size_t numbers = 2 * cutoffs.size + kDirections * (cutoffs.size + 1);
    return sizeof(EventStats) + numbers * sizeof(std::int64_t) +
           (cutoffs.null != nullptr ? cutoffs.size * sizeof(bool) : 0);
}

EventStats* EventStats::MakeIn(void* memory, const Cutoffs& cutoffs) {
    Parts parts(memory);
    auto* stats = new (parts.Take<EventStats>(1)) EventStats();
    auto* at = parts.Take<std::int64_t>(cutoffs.size);
    stats->sorted_ = parts.Take<std::int64_t>(cutoffs.size);
    for (Counts& counts : stats->directions_) {
        counts = {0, 0, kMinusInfinity, parts.Take<std::int64_t>(cutoffs.size + 1)};
        std::fill_n(counts.in_windows, cutoffs.size + 1, 0);
    }
    bool* null = cutoffs.null != nullptr ? parts.Take<bool>(cutoffs.size) : nullptr;
    stats->sorted_size_ = 0;
    for (std::size_t i = 0; i < cutoffs.size; ++i) {
        at[i] = IsNull(cutoffs, i) ? 0 : cutoffs.at[i];
        if (null != nullptr) {
            null[i] = cutoffs.null[i];
        }
        if (!IsNull(cutoffs, i)) {
            stats->sorted_[stats->sorted_size_++] = cutoffs.at[i];
        }
    }
    std::sort(stats->sorted_, stats->sorted_ + stats->sorted_size_);
    stats->cutoffs_ = {at, null, cutoffs.size};
    stats->first_ = kInfinity;
    stats->messages_ = {nullptr, 0, 0, {kMinusInfinity, false}};
    return stats;
}

void EventStats::AddTimed(Counts* counts, std::int64_t at) {
    ++counts->timed;
    ++counts->in_windows[WindowsOf(at)];
    counts->last = std::max(counts->last, at);
    first_ = std::min(first_, at);
}

bool EventStats::NeedsRoomFor(const Event& event) const {
    return messages_.IsFull() && IsMessage(event);
}

void EventStats::Add(const Event& event) {
    Counts& counts = directions_[static_cast<std::size_t>(event.direction)];
    ++counts.total;
    failed_ += event.failed ? 1 : 0;
    if (event.channel.has_value()) {
        channels_ |= std::int64_t{1} << *event.channel;
        other_channel_ += *event.channel == kOtherChannel ? 1 : 0;
    }
    if (event.at.has_value()) {
        AddTimed(&counts, *event.at);
    }
    if (IsMessage(event)) {
        messages_.Add({*event.at, event.direction == Direction::kOutbound});
    }
}

void EventStats::MergeCounts(const EventStats& other) {
    for (std::size_t i = 0; i < kDirections; ++i) {
        Counts& mine = directions_[i];
        const Counts& its = other.directions_[i];
        mine.total += its.total;
        mine.timed += its.timed;
        mine.last = std::max(mine.last, its.last);
        for (std::size_t n = 0; n <= sorted_size_; ++n) {
            mine.in_windows[n] += its.in_windows[n];
        }
    }
    first_ = std::min(first_, other.first_);
    failed_ += other.failed_;
    other_channel_ += other.other_channel_;
    channels_ |= other.channels_;
}

std::int64_t EventStats::total() const {
    return std::accumulate(
        directions_.begin(), directions_.end(), std::int64_t{0},
        [](std::int64_t sum, const Counts& counts) { return sum + counts.total; });
}

std::optional<std::int64_t> EventStats::Last(Direction direction) const {
    const Counts& counts = Of(direction);
    return counts.timed > 0 ? std::optional(counts.last) : std::nullopt;
}

std::optional<std::int64_t> EventStats::last() const {
    // Nothing is less than anything.
    return std::max(
        {Last(Direction::kInbound), Last(Direction::kOutbound), Last(Direction::kOther)});
}

std::optional<std::int64_t> EventStats::first() const {
    return last().has_value() ? std::optional(first_) : std::nullopt;
}

void EventStats::CountWindows(Direction direction, std::int64_t* counts) const {
    // At [n], those in the windows of at least n of the sorted cutoffs.
    std::array<std::int64_t, kMostCutoffs + 2> at_least;
    at_least[sorted_size_ + 1] = 0;
    for (std::size_t n = sorted_size_ + 1; n-- > 0;) {
        at_least[n] = at_least[n + 1] + Of(direction).in_windows[n];
    }
    for (std::size_t i = 0; i < cutoffs_.size; ++i) {
        // What is at the cutoff is in its window and in those of all before it.
        counts[i] = IsNull(cutoffs_, i) ? 0 : at_least[WindowsOf(cutoffs_.at[i])];
    }
}

}  // namespace freshcrm::core
