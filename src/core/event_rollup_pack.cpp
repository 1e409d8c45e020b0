// Many events at once: merged values, values of events, and what a value must be.
#include <algorithm>
#include <vector>

#include "core/event_rollup_io.hpp"
#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

Combination Merged(const Combination& one, const Combination& other) {
    Combination c = one.timed > 0 ? one : other;
    c.dimensions = one.dimensions;
    c.untimed = AddCounts(one.untimed, other.untimed);
    c.before = AddCounts(one.before, other.before);
    c.after = AddCounts(one.after, other.after);
    c.timed = AddCounts(one.timed, other.timed);
    if (one.timed > 0 && other.timed > 0) {
        c.newest = std::max(one.newest, other.newest);
    }
    return c;
}

// The combinations of a value, one after the other, and which they become.
struct Side {
    RollupReader reader;
    Combination current{};
    bool more;
    std::vector<std::uint64_t> becomes;

    explicit Side(Bytes value) : reader(value), more(reader.Next(&current)) {}

    void Take(std::uint64_t number) {
        becomes.push_back(number);
        more = reader.Next(&current);
    }
};

// The combinations of both. Returns how many there are; writes them unless `out` is null.
std::uint64_t MergeCombinations(Side* one, Side* other, std::uint8_t** out) {
    std::uint64_t count = 0;
    for (; one->more || other->more; ++count) {
        const int order =
            !one->more     ? 1
            : !other->more ? -1
                           : CompareDimensions(one->current.dimensions, other->current.dimensions);
        if (out != nullptr) {
            *out = PutCombination(order < 0   ? one->current
                                  : order > 0 ? other->current
                                              : Merged(one->current, other->current),
                                  *out);
        }
        if (order <= 0) {
            one->Take(count);
        }
        if (order >= 0) {
            other->Take(count);
        }
    }
    return count;
}

// The entries of a side, by what their combinations become.
class MappedEntries {
  public:
    explicit MappedEntries(const Side& side) : reader_(side.reader.rest()), becomes_(side.becomes) {
        Next();
    }

    void Next() {
        more = reader_.Next();
        if (more) {
            if (reader_.combination >= becomes_.size()) {
                throw CorruptRollup("an entry is of no combination");
            }
            bucket = reader_.bucket;
            combination = becomes_[reader_.combination];
            count = reader_.count;
        }
    }
    bool ComesBefore(const MappedEntries& other) const {
        return more && (!other.more || bucket > other.bucket ||
                        (bucket == other.bucket && combination < other.combination));
    }

    bool more = false;
    std::int64_t bucket = 0;
    std::uint64_t combination = 0;
    std::uint64_t count = 0;

  private:
    EntryReader reader_;
    const std::vector<std::uint64_t>& becomes_;
};

std::uint8_t* MergeEntries(const Side& one, const Side& other, std::uint8_t* out) {
    EntryWriter writer(out);
    MappedEntries left(one);
    MappedEntries right(other);
    while (left.more || right.more) {
        if (left.ComesBefore(right)) {
            writer.Put(left.bucket, left.combination, left.count);
            left.Next();
        } else if (right.ComesBefore(left)) {
            writer.Put(right.bucket, right.combination, right.count);
            right.Next();
        } else {
            writer.Put(left.bucket, left.combination, AddCounts(left.count, right.count));
            left.Next();
            right.Next();
        }
    }
    return writer.end();
}

bool BeforeByDimensions(const PendingEvent& one, const PendingEvent& other) {
    return one.dimensions != other.dimensions &&
           CompareDimensions({one.dimensions, one.size}, {other.dimensions, other.size}) < 0;
}

bool BeforeAsEntry(const PendingEvent& one, const PendingEvent& other) {
    return one.time != other.time ? one.time > other.time : one.combination < other.combination;
}

bool IsFinite(const PendingEvent& event) {
    return event.timed && event.time != kBeforeAllTime && event.time != kAfterAllTime;
}

Combination CombinationOf(std::span<const PendingEvent> run) {
    Combination c{};
    c.dimensions = {run.front().dimensions, run.front().size};
    for (const PendingEvent& event : run) {
        if (!event.timed) {
            ++c.untimed;
        } else if (event.time == kBeforeAllTime) {
            ++c.before;
        } else if (event.time == kAfterAllTime) {
            ++c.after;
        } else {
            c.newest = c.timed > 0 ? std::max(c.newest, event.time) : event.time;
            ++c.timed;
        }
    }
    return c;
}

// Of events whose times are the numbers of their buckets.
std::uint8_t* PutPendingEntries(std::span<const PendingEvent> events, std::uint8_t* out) {
    EntryWriter writer(out);
    while (!events.empty()) {
        const PendingEvent& first = events.front();
        std::size_t count = 1;
        while (count < events.size() && events[count].time == first.time &&
               events[count].combination == first.combination) {
            ++count;
        }
        writer.Put(first.time, first.combination, count);
        events = events.subspan(count);
    }
    return writer.end();
}

void CheckDimensions(Bytes dimensions, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        (void)TakeDimension(&dimensions);
    }
    if (!dimensions.empty()) {
        throw CorruptRollup("it has more dimensions");
    }
}

std::vector<Combination> CheckCombinations(RollupReader* reader) {
    std::vector<Combination> combinations;
    Combination c{};
    while (reader->Next(&c)) {
        CheckDimensions(c.dimensions, reader->shape().dimensions);
        if (!combinations.empty() &&
            CompareDimensions(combinations.back().dimensions, c.dimensions) >= 0) {
            throw CorruptRollup("combinations are out of order");
        }
        (void)AddCounts(AddCounts(c.untimed, c.before), AddCounts(c.after, c.timed));
        combinations.push_back(c);
    }
    return combinations;
}

// What entries say of a combination.
struct Found {
    std::uint64_t timed = 0;
    std::int64_t newest = 0;
};

std::vector<Found> CheckEntries(Bytes entries, std::size_t combinations) {
    std::vector<Found> found(combinations);
    EntryReader reader(entries);
    std::int64_t bucket = reader.bucket;
    std::uint64_t combination = 0;
    bool first = true;
    while (reader.Next()) {
        if (reader.combination >= combinations || (first && reader.bucket != bucket) ||
            (!first && reader.bucket == bucket && reader.combination <= combination)) {
            throw CorruptRollup("entries are out of order");
        }
        Found& of = found[reader.combination];
        of.newest = of.timed == 0 ? reader.bucket : of.newest;
        of.timed = AddCounts(of.timed, reader.count);
        bucket = reader.bucket;
        combination = reader.combination;
        first = false;
    }
    if (first && !entries.empty()) {
        throw CorruptRollup("there is a bucket without entries");
    }
    return found;
}

// The combination of the one event that there is; nothing when there are others.
std::optional<Combination> OnlyEvent(Bytes value) {
    RollupReader reader(value);
    Combination only;
    if (reader.combinations() != 1 || !reader.Next(&only) ||
        AddCounts(AddCounts(only.untimed, only.before), AddCounts(only.after, only.timed)) != 1) {
        return {};
    }
    return only;
}

// That of its only event.
EventTime TimeOf(const Combination& combination) {
    if (combination.untimed > 0) {
        return {};
    }
    return combination.timed > 0    ? combination.newest
           : combination.before > 0 ? kBeforeAllTime
                                    : kAfterAllTime;
}

}  // namespace

void CheckRollup(Bytes value) {
    RollupReader reader(value);
    const std::vector<Combination> combinations = CheckCombinations(&reader);
    const std::vector<Found> found = CheckEntries(reader.rest(), combinations.size());
    const std::int64_t width = reader.shape().width;
    for (std::size_t i = 0; i < combinations.size(); ++i) {
        const Combination& c = combinations[i];
        if (c.timed != found[i].timed ||
            (c.timed > 0 && BucketOf(c.newest, width) != found[i].newest)) {
            throw CorruptRollup("entries are not those of their combinations");
        }
    }
}

std::size_t MergeRollups(Bytes one, Bytes other, std::uint8_t* out) {
    Side left(one);
    Side right(other);
    if (left.reader.shape() != right.reader.shape()) {
        throw CorruptRollup("values of different forms are not merged");
    }
    if (const std::optional<Combination> event = OnlyEvent(other)) {
        return AddEvent(one, event->dimensions, TimeOf(*event), out);
    }
    Side left_again = left;
    Side right_again = right;
    std::uint8_t* at = PutBytes(one.first(left.reader.header()), out);
    at = PutVarint(MergeCombinations(&left, &right, nullptr), at);
    (void)MergeCombinations(&left_again, &right_again, &at);
    return static_cast<std::size_t>(MergeEntries(left, right, at) - out);
}

std::size_t PackRoom(std::span<const PendingEvent> events) {
    // Each may be a combination of its own.
    std::size_t room = kRoom;
    for (const PendingEvent& event : events) {
        room += event.size + 80;
    }
    return room;
}

std::size_t PackEvents(const RollupShape& shape, std::span<PendingEvent> events,
                       std::uint8_t* out) {
    std::sort(events.begin(), events.end(), BeforeByDimensions);
    std::uint32_t combinations = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
        combinations += i == 0 || BeforeByDimensions(events[i - 1], events[i]) ? 1 : 0;
        events[i].combination = combinations - 1;
    }
    std::uint8_t* at = out + WriteEmptyRollup(shape, out) - 1;
    at = PutVarint(combinations, at);
    for (std::size_t begin = 0; begin < events.size();) {
        std::size_t end = begin + 1;
        while (end < events.size() && events[end].combination == events[begin].combination) {
            ++end;
        }
        at = PutCombination(CombinationOf(events.subspan(begin, end - begin)), at);
        begin = end;
    }
    const auto finite_end = std::partition(events.begin(), events.end(), IsFinite);
    const std::span<PendingEvent> finite(events.begin(), finite_end);
    for (PendingEvent& event : finite) {
        event.time = BucketOf(event.time, shape.width);
    }
    std::sort(finite.begin(), finite.end(), BeforeAsEntry);
    return static_cast<std::size_t>(PutPendingEntries(finite, at) - out);
}

}  // namespace freshcrm::core
