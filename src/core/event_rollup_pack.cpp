// Many events at once: merged values, values of events, and what a value must be.
#include <algorithm>

#include "core/event_rollup_io.hpp"
#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

// The buckets of two combinations, the newest first; those that both have as one.
class MergedBuckets {
  public:
    MergedBuckets(const Combination& one, const Combination& other)
        : one_(one), other_(other), has_one_(one.timed > 0), has_other_(other.timed > 0) {}

    bool Next() {
        if (!has_one_ && !has_other_) {
            return false;
        }
        const bool from_one = has_one_ && (!has_other_ || one_.bucket >= other_.bucket);
        const bool from_other = has_other_ && (!has_one_ || other_.bucket >= one_.bucket);
        bucket = from_one ? one_.bucket : other_.bucket;
        count = AddCounts(from_one ? one_.count : 0, from_other ? other_.count : 0);
        has_one_ = from_one ? one_.Next() : has_one_;
        has_other_ = from_other ? other_.Next() : has_other_;
        return true;
    }

    std::int64_t bucket = 0;
    std::uint64_t count = 0;

  private:
    BucketReader one_;
    BucketReader other_;
    bool has_one_;
    bool has_other_;
};

struct Moment {
    std::int64_t bucket;
    std::uint64_t offset;

    auto operator<=>(const Moment&) const = default;
};

Moment Oldest(const Combination& c) {
    BucketReader reader(c);
    while (reader.Next()) {
    }
    return {reader.bucket, c.oldest_offset};
}

std::uint8_t* PutMerged(const Combination& one, const Combination& other, std::uint8_t* out) {
    Combination c = one.timed > 0 ? one : other;
    c.dimensions = one.dimensions;
    c.untimed = AddCounts(one.untimed, other.untimed);
    c.before = AddCounts(one.before, other.before);
    c.after = AddCounts(one.after, other.after);
    c.timed = AddCounts(one.timed, other.timed);
    if (one.timed > 0 && other.timed > 0) {
        const Moment newest = std::max(Moment{one.newest_bucket, one.newest_offset},
                                       Moment{other.newest_bucket, other.newest_offset});
        c.newest_bucket = newest.bucket;
        c.newest_offset = newest.offset;
        c.oldest_offset = std::min(Oldest(one), Oldest(other)).offset;
    }
    MergedBuckets buckets(one, other);
    if (buckets.Next()) {
        c.newest_count = buckets.count;
    }
    return PutCombination(
        c,
        [&](std::uint8_t* to) {
            std::int64_t previous = buckets.bucket;
            while (buckets.Next()) {
                to = PutOlder(static_cast<std::uint64_t>(previous - buckets.bucket), buckets.count,
                              to);
                previous = buckets.bucket;
            }
            return to;
        },
        out);
}

bool Before(const PendingEvent& one, const PendingEvent& other) {
    if (one.dimensions != other.dimensions) {
        const int order =
            CompareDimensions({one.dimensions, one.size}, {other.dimensions, other.size});
        if (order != 0) {
            return order < 0;
        }
    }
    return one.timed != other.timed ? other.timed : one.timed && one.time < other.time;
}

bool SameDimensions(const PendingEvent& one, const PendingEvent& other) {
    return CompareDimensions({one.dimensions, one.size}, {other.dimensions, other.size}) == 0;
}

// How many events at the end of a sorted run lie in the bucket of the last one.
std::size_t InLastBucket(std::span<const PendingEvent> run, std::int64_t width) {
    const std::int64_t start = BucketOf(run.back().time, width) * width;
    std::size_t count = 1;
    while (count < run.size() && run[run.size() - count - 1].time >= start) {
        ++count;
    }
    return count;
}

// Of sorted events of one combination.
std::uint8_t* PutPacked(std::span<const PendingEvent> run, std::int64_t width, std::uint8_t* out) {
    Combination c{};
    c.dimensions = {run.front().dimensions, run.front().size};
    while (!run.empty() && !run.front().timed) {
        ++c.untimed;
        run = run.subspan(1);
    }
    while (!run.empty() && run.front().time == kBeforeAllTime) {
        ++c.before;
        run = run.subspan(1);
    }
    while (!run.empty() && run.back().time == kAfterAllTime) {
        ++c.after;
        run = run.first(run.size() - 1);
    }
    c.timed = run.size();
    if (c.timed > 0) {
        c.newest_bucket = BucketOf(run.back().time, width);
        c.newest_offset = static_cast<std::uint64_t>(run.back().time - c.newest_bucket * width);
        c.oldest_offset = static_cast<std::uint64_t>(run.front().time -
                                                     BucketOf(run.front().time, width) * width);
        c.newest_count = InLastBucket(run, width);
        run = run.first(run.size() - c.newest_count);
    }
    return PutCombination(
        c,
        [&](std::uint8_t* to) {
            std::int64_t previous = c.newest_bucket;
            while (!run.empty()) {
                const std::int64_t bucket = BucketOf(run.back().time, width);
                const std::size_t count = InLastBucket(run, width);
                to = PutOlder(static_cast<std::uint64_t>(previous - bucket), count, to);
                previous = bucket;
                run = run.first(run.size() - count);
            }
            return to;
        },
        out);
}

void CheckCombination(const Combination& c, std::int64_t width) {
    (void)AddCounts(AddCounts(c.untimed, c.before), AddCounts(c.after, c.timed));
    if (c.timed == 0) {
        return;
    }
    BucketReader reader(c);
    std::uint64_t total = reader.count;
    while (reader.Next()) {
        total = AddCounts(total, reader.count);
    }
    if (total != c.timed) {
        throw CorruptRollup("the counts of buckets do not add up");
    }
    std::int64_t oldest;
    if (__builtin_mul_overflow(reader.bucket, width, &oldest) ||
        __builtin_add_overflow(oldest, static_cast<std::int64_t>(c.oldest_offset), &oldest) ||
        oldest < kFirstTime || oldest > c.Newest(width)) {
        throw CorruptRollup("a time is out of range");
    }
    if (c.timed == 1 && oldest != c.Newest(width)) {
        throw CorruptRollup("one event has two times");
    }
}

}  // namespace

void CheckRollup(Bytes value) {
    RollupReader reader(value);
    Combination c{};
    Bytes previous;
    bool first = true;
    while (reader.Next(&c)) {
        if (!first && CompareDimensions(previous, c.dimensions) >= 0) {
            throw CorruptRollup("combinations are out of order");
        }
        CheckCombination(c, reader.shape().width);
        previous = c.dimensions;
        first = false;
    }
}

std::size_t MergeRollups(Bytes one, Bytes other, std::uint8_t* out) {
    RollupReader ones(one);
    RollupReader others(other);
    if (ones.shape() != others.shape()) {
        throw CorruptRollup("values of different forms are not merged");
    }
    std::uint8_t* at = PutBytes(one.first(ones.position()), out);
    Combination left{};
    Combination right{};
    std::size_t left_begin = ones.position();
    std::size_t right_begin = others.position();
    bool has_left = ones.Next(&left);
    bool has_right = others.Next(&right);
    while (has_left || has_right) {
        const int order = !has_left    ? 1
                          : !has_right ? -1
                                       : CompareDimensions(left.dimensions, right.dimensions);
        if (order == 0) {
            at = PutMerged(left, right, at);
        } else if (order < 0) {
            at = PutBytes({one.data() + left_begin, one.data() + ones.position()}, at);
        } else {
            at = PutBytes({other.data() + right_begin, other.data() + others.position()}, at);
        }
        if (order <= 0) {
            left_begin = ones.position();
            has_left = ones.Next(&left);
        }
        if (order >= 0) {
            right_begin = others.position();
            has_right = others.Next(&right);
        }
    }
    return static_cast<std::size_t>(at - out);
}

std::size_t PackRoom(std::span<const PendingEvent> events) {
    // Each may be a combination of its own.
    std::size_t room = kRoom;
    for (const PendingEvent& event : events) {
        room += event.size + 64;
    }
    return room;
}

std::size_t PackEvents(const RollupShape& shape, std::span<PendingEvent> events,
                       std::uint8_t* out) {
    std::sort(events.begin(), events.end(), Before);
    std::uint8_t* at = out + WriteEmptyRollup(shape, out);
    while (!events.empty()) {
        std::size_t count = 1;
        while (count < events.size() && SameDimensions(events.front(), events[count])) {
            ++count;
        }
        at = PutPacked(events.first(count), shape.width, at);
        events = events.subspan(count);
    }
    return static_cast<std::size_t>(at - out);
}

}  // namespace freshcrm::core
