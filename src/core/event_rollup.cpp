#include "core/event_rollup.hpp"

#include <algorithm>

#include "core/event_rollup_io.hpp"
#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr std::uint8_t kVersion = 1;
enum Flag : std::uint8_t { kTimed = 1, kUntimed = 2, kBefore = 4, kAfter = 8, kAllFlags = 15 };

// No bucket is older, whatever its width.
constexpr std::int64_t kLowestBucket = kFirstTime / kNarrowestBucket - 1;

std::uint64_t TakeCount(const std::uint8_t** at, const std::uint8_t* end) {
    const std::uint64_t count = TakeVarint(at, end);
    if (count == 0) {
        throw CorruptRollup("a count is 0");
    }
    return count;
}

std::uint64_t TakeOffset(const std::uint8_t** at, const std::uint8_t* end, std::int64_t width) {
    const std::uint64_t offset = TakeVarint(at, end);
    if (offset >= static_cast<std::uint64_t>(width)) {
        throw CorruptRollup("a time is outside of its bucket");
    }
    return offset;
}

std::int64_t FromZigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

std::uint64_t ToZigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

void CheckTime(std::int64_t bucket, std::int64_t width, std::uint64_t offset) {
    std::int64_t time;
    if (__builtin_mul_overflow(bucket, width, &time) ||
        __builtin_add_overflow(time, static_cast<std::int64_t>(offset), &time) ||
        time < kFirstTime || time >= kTimeEnd) {
        throw CorruptRollup("a time is out of range");
    }
}

// Where a combination is, or would be.
struct Place {
    std::size_t begin;
    std::size_t end;
    bool exists;
    Combination combination;
};

Place Find(RollupReader* reader, Bytes dimensions) {
    Place place{reader->position(), 0, false, {}};
    while (reader->Next(&place.combination)) {
        const int order = CompareDimensions(place.combination.dimensions, dimensions);
        if (order >= 0) {
            place.exists = order == 0;
            break;
        }
        place.begin = reader->position();
    }
    place.end = place.exists ? reader->position() : place.begin;
    return place;
}

// The older buckets of a combination with a few changed in the middle.
struct Splice {
    Bytes before;
    Bytes after;
    unsigned changed;
    std::uint64_t distance[2];
    std::uint64_t count[2];

    void Put(std::int64_t distance_between, std::uint64_t how_many) {
        distance[changed] = static_cast<std::uint64_t>(distance_between);
        count[changed++] = how_many;
    }
    std::uint8_t* Write(std::uint8_t* out) const {
        out = PutBytes(before, out);
        for (unsigned i = 0; i < changed; ++i) {
            out = PutOlder(distance[i], count[i], out);
        }
        return PutBytes(after, out);
    }
};

// Looks for a bucket older than the newest one. Before it in time order, `previous` is the bucket
// that comes before it in the value, `splice` has all until there, and the reader is at the first
// that is not newer, if there is one.
bool Seek(BucketReader* reader, std::int64_t bucket, const Bytes& older, std::int64_t* previous,
          Splice* splice) {
    for (;;) {
        const std::uint8_t* const mark = reader->rest().data();
        *previous = reader->bucket;
        splice->before = {older.data(), mark};
        if (!reader->Next()) {
            splice->after = {};
            return false;
        }
        if (reader->bucket <= bucket) {
            splice->after = reader->rest();
            return true;
        }
    }
}

Splice AddToOlder(Combination* c, std::int64_t bucket, std::uint64_t offset) {
    Splice splice{};
    BucketReader reader(*c);
    std::int64_t previous;
    if (!Seek(&reader, bucket, c->older, &previous, &splice)) {
        splice.Put(previous - bucket, 1);
        c->oldest_offset = offset;
    } else if (reader.bucket == bucket) {
        splice.Put(previous - bucket, AddCounts(reader.count, 1));
        if (splice.after.empty()) {
            c->oldest_offset = std::min(c->oldest_offset, offset);
        }
    } else {
        splice.Put(previous - bucket, 1);
        splice.Put(bucket - reader.bucket, reader.count);
    }
    return splice;
}

Splice AddTimed(Combination* c, std::int64_t time, std::int64_t width) {
    Splice splice{};
    const std::int64_t bucket = BucketOf(time, width);
    const auto offset = static_cast<std::uint64_t>(time - bucket * width);
    const bool first = c->timed == 0;
    c->timed = AddCounts(c->timed, 1);
    if (first) {
        c->newest_bucket = bucket;
        c->newest_offset = c->oldest_offset = offset;
        c->newest_count = 1;
    } else if (bucket > c->newest_bucket) {
        splice.Put(bucket - c->newest_bucket, c->newest_count);
        splice.after = c->older;
        c->newest_bucket = bucket;
        c->newest_offset = offset;
        c->newest_count = 1;
    } else if (bucket == c->newest_bucket) {
        splice.after = c->older;
        c->newest_offset = std::max(c->newest_offset, offset);
        if (c->older.empty()) {
            c->oldest_offset = std::min(c->oldest_offset, offset);
        }
        c->newest_count = AddCounts(c->newest_count, 1);
    } else {
        return AddToOlder(c, bucket, offset);
    }
    return splice;
}

// The count of the events without a finite time that are like this one.
std::uint64_t* UntimedCount(Combination* c, EventTime time) {
    return !time ? &c->untimed : *time == kBeforeAllTime ? &c->before : &c->after;
}

bool IsFinite(EventTime time) {
    return time && *time != kBeforeAllTime && *time != kAfterAllTime;
}

// Removal says false where it is not known what becomes of the combination.

bool RemoveFromOlder(Combination* c, std::int64_t bucket, std::uint64_t offset, Splice* splice) {
    BucketReader reader(*c);
    std::int64_t previous;
    if (!Seek(&reader, bucket, c->older, &previous, splice) || reader.bucket != bucket) {
        return false;
    }
    if (splice->after.empty() && (offset <= c->oldest_offset || reader.count == 1)) {
        return false;
    }
    if (reader.count > 1) {
        splice->Put(previous - bucket, reader.count - 1);
    } else {
        (void)reader.Next();
        splice->Put(previous - reader.bucket, reader.count);
        splice->after = reader.rest();
    }
    return true;
}

bool RemoveFromNewest(Combination* c, std::uint64_t offset, Splice* splice) {
    const bool alone = c->older.empty();
    const bool same_time = alone && c->newest_offset == c->oldest_offset;
    if (alone ? c->newest_count != c->timed : c->newest_count >= c->timed) {
        throw CorruptRollup("the counts of buckets do not add up");
    }
    if (same_time ? offset != c->newest_offset
                  : offset >= c->newest_offset || (alone && offset <= c->oldest_offset)) {
        return false;
    }
    // Besides it there are the newest one and, in the only bucket, the oldest.
    if (!same_time && c->newest_count < (alone ? 3U : 2U)) {
        return false;
    }
    --c->newest_count;
    splice->after = c->older;
    return true;
}

bool RemoveTimed(Combination* c, std::int64_t time, std::int64_t width, Splice* splice) {
    const std::int64_t bucket = BucketOf(time, width);
    const auto offset = static_cast<std::uint64_t>(time - bucket * width);
    if (c->timed == 0 || bucket > c->newest_bucket ||
        !(bucket == c->newest_bucket ? RemoveFromNewest(c, offset, splice)
                                     : RemoveFromOlder(c, bucket, offset, splice))) {
        return false;
    }
    --c->timed;
    return true;
}

}  // namespace

std::size_t DimensionsRoom(DimensionValues values) {
    std::size_t room = 0;
    for (const std::optional<std::string_view>& value : values) {
        room += value ? VarintSize(value->size() + 1) + value->size() : 1;
    }
    return room;
}

std::size_t WriteDimensions(DimensionValues values, std::uint8_t* out) {
    std::uint8_t* at = out;
    for (const std::optional<std::string_view>& value : values) {
        at = PutVarint(value ? value->size() + 1 : 0, at);
        if (value) {
            at =
                PutBytes({reinterpret_cast<const std::uint8_t*>(value->data()), value->size()}, at);
        }
    }
    return static_cast<std::size_t>(at - out);
}

std::optional<std::string_view> TakeDimension(Bytes* dimensions) {
    const std::uint8_t* at = dimensions->data();
    const std::uint8_t* const end = at + dimensions->size();
    const std::uint64_t size = TakeVarint(&at, end);
    if (size > 0 && size - 1 > static_cast<std::uint64_t>(end - at)) {
        throw CorruptRollup("a dimension is longer than the value");
    }
    const std::size_t length = size > 0 ? size - 1 : 0;
    *dimensions = {at + length, end};
    return size == 0 ? std::nullopt
                     : std::optional<std::string_view>(std::in_place,
                                                       reinterpret_cast<const char*>(at), length);
}

RollupReader::RollupReader(Bytes value)
    : begin_(value.data()), at_(begin_), end_(begin_ + value.size()) {
    if (value.empty() || *at_++ != kVersion) {
        throw CorruptRollup("it is not of a version that is known");
    }
    const std::uint64_t width = TakeVarint(&at_, end_);
    const std::uint64_t dimensions = TakeVarint(&at_, end_);
    if (width < static_cast<std::uint64_t>(kNarrowestBucket) || dimensions > kMostDimensions) {
        throw CorruptRollup("it has no such form");
    }
    shape_ = {static_cast<std::int64_t>(width), static_cast<unsigned>(dimensions)};
}

bool RollupReader::Next(Combination* c) {
    if (at_ == end_) {
        return false;
    }
    const std::uint8_t* const start = at_;
    for (unsigned i = 0; i < shape_.dimensions; ++i) {
        const std::uint64_t size = TakeVarint(&at_, end_);
        if (size > 0) {
            if (size - 1 > static_cast<std::uint64_t>(end_ - at_)) {
                throw CorruptRollup("a dimension is longer than the value");
            }
            at_ += size - 1;
        }
    }
    c->dimensions = {start, at_};
    const std::uint64_t size = TakeVarint(&at_, end_);
    if (size == 0 || size > static_cast<std::uint64_t>(end_ - at_)) {
        throw CorruptRollup("a combination is longer than the value");
    }
    const std::uint8_t* const body_end = at_ + size;
    const std::uint8_t flags = *at_++;
    if (flags == 0 || flags > kAllFlags) {
        throw CorruptRollup("it has unknown flags");
    }
    c->untimed = (flags & kUntimed) != 0 ? TakeCount(&at_, body_end) : 0;
    c->before = (flags & kBefore) != 0 ? TakeCount(&at_, body_end) : 0;
    c->after = (flags & kAfter) != 0 ? TakeCount(&at_, body_end) : 0;
    c->timed = 0;
    c->older = {};
    if ((flags & kTimed) != 0) {
        c->timed = TakeCount(&at_, body_end);
        c->newest_bucket = FromZigzag(TakeVarint(&at_, body_end));
        c->newest_offset = TakeOffset(&at_, body_end, shape_.width);
        c->oldest_offset = TakeOffset(&at_, body_end, shape_.width);
        c->newest_count = TakeCount(&at_, body_end);
        CheckTime(c->newest_bucket, shape_.width, c->newest_offset);
        c->older = {at_, body_end};
    } else if (at_ != body_end) {
        throw CorruptRollup("a combination is longer than what it has");
    }
    at_ = body_end;
    return true;
}

bool BucketReader::Next() {
    if (at_ == end_) {
        return false;
    }
    const std::uint64_t code = TakeVarint(&at_, end_);
    const auto distance = static_cast<std::int64_t>(code >> 1);
    if (distance == 0 || distance > bucket - kLowestBucket) {
        throw CorruptRollup("a bucket is out of order");
    }
    bucket -= distance;
    count = (code & 1) != 0 ? AddCounts(TakeVarint(&at_, end_), 2) : 1;
    return true;
}

std::uint8_t* PutBodyHead(const Combination& c, std::uint8_t* out) {
    *out++ = static_cast<std::uint8_t>((c.timed > 0 ? kTimed : 0) | (c.untimed > 0 ? kUntimed : 0) |
                                       (c.before > 0 ? kBefore : 0) | (c.after > 0 ? kAfter : 0));
    for (const std::uint64_t count : {c.untimed, c.before, c.after, c.timed}) {
        out = count > 0 ? PutVarint(count, out) : out;
    }
    if (c.timed > 0) {
        out = PutVarint(ToZigzag(c.newest_bucket), out);
        out = PutVarint(c.newest_offset, out);
        out = PutVarint(c.oldest_offset, out);
        out = PutVarint(c.newest_count, out);
    }
    return out;
}

std::size_t WriteEmptyRollup(const RollupShape& shape, std::uint8_t* out) {
    std::uint8_t* at = out;
    *at++ = kVersion;
    at = PutVarint(static_cast<std::uint64_t>(shape.width), at);
    return static_cast<std::size_t>(PutVarint(shape.dimensions, at) - out);
}

std::size_t AddEvent(Bytes value, Bytes dimensions, EventTime time, std::uint8_t* out) {
    RollupReader reader(value);
    Place place = Find(&reader, dimensions);
    Combination c{};
    if (place.exists) {
        c = place.combination;
    }
    c.dimensions = dimensions;
    Splice splice{};
    splice.after = c.older;
    if (IsFinite(time)) {
        splice = AddTimed(&c, *time, reader.shape().width);
    } else {
        std::uint64_t* const count = UntimedCount(&c, time);
        *count = AddCounts(*count, 1);
    }
    std::uint8_t* at = PutBytes(value.first(place.begin), out);
    at = PutCombination(
        c, [&](std::uint8_t* to) { return splice.Write(to); }, at);
    return static_cast<std::size_t>(PutBytes(value.subspan(place.end), at) - out);
}

std::size_t RemoveEvent(Bytes value, Bytes dimensions, EventTime time, std::uint8_t* out) {
    RollupReader reader(value);
    const std::size_t header = reader.position();
    Place place = Find(&reader, dimensions);
    if (!place.exists) {
        return 0;
    }
    Combination c = place.combination;
    Splice splice{};
    splice.after = c.older;
    if (IsFinite(time)) {
        splice.after = {};
        if (!RemoveTimed(&c, *time, reader.shape().width, &splice)) {
            return 0;
        }
    } else if (std::uint64_t* const count = UntimedCount(&c, time); *count > 0) {
        --*count;
    } else {
        return 0;
    }
    std::uint8_t* at = PutBytes(value.first(place.begin), out);
    if (c.timed + c.untimed + c.before + c.after > 0) {
        at = PutCombination(
            c, [&](std::uint8_t* to) { return splice.Write(to); }, at);
    } else if (place.begin == header && place.end == value.size()) {
        return 0;
    }
    return static_cast<std::size_t>(PutBytes(value.subspan(place.end), at) - out);
}

}  // namespace freshcrm::core
