#include "core/event_rollup.hpp"

#include <algorithm>

#include "core/event_rollup_io.hpp"
#include "core/event_words.hpp"
#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr std::uint8_t kVersion = 3;

constexpr EventWords kNumbers(kNumberedWords);

// Its place among them, or none.
std::optional<unsigned> NumberOf(std::string_view word) {
    const unsigned number = kNumbers.Find(word, kNumberedWords.size());
    return number < kNumberedWords.size() && kNumberedWords[number] == word ? std::optional(number)
                                                                            : std::nullopt;
}

std::uint8_t* PutTime(std::int64_t time, std::uint8_t* out) {
    for (unsigned i = 0; i < 8; ++i) {
        *out++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(time) >> (8 * i));
    }
    return out;
}

// Where a combination is, or would be.
struct Place {
    std::size_t begin;
    std::size_t end;
    std::uint64_t index;
    bool exists;
    Combination combination;
};

// Reads all combinations.
Place Find(RollupReader* reader, Bytes dimensions) {
    Place place{reader->position(), reader->position(), 0, false, {}};
    Combination c{};
    while (reader->Next(&c)) {
        const int order = CompareDimensions(c.dimensions, dimensions);
        if (order < 0) {
            place.begin = place.end = reader->position();
            ++place.index;
        } else if (order == 0) {
            place.end = reader->position();
            place.exists = true;
            place.combination = c;
        }
    }
    return place;
}

bool IsFinite(EventTime time) {
    return time && *time != kBeforeAllTime && *time != kAfterAllTime;
}

// The count of the events without a finite time that are like this one.
std::uint64_t* UntimedCount(Combination* c, EventTime time) {
    return !time ? &c->untimed : *time == kBeforeAllTime ? &c->before : &c->after;
}

// An entry to be changed.
struct Slot {
    std::int64_t bucket;
    std::uint64_t combination;

    bool IsBehind(const EntryReader& entry) const {
        return entry.bucket != bucket ? entry.bucket > bucket : entry.combination < combination;
    }
    bool Is(const EntryReader& entry) const {
        return entry.bucket == bucket && entry.combination == combination;
    }
};

// The entries with an event more. All behind its place stay as they are.
std::uint8_t* PutEntriesWith(Bytes entries, const Slot& slot, std::uint8_t* out) {
    EntryReader reader(entries);
    const std::int64_t first = reader.bucket;
    std::int64_t previous = first;
    const std::uint8_t* mark = reader.position();
    bool more = reader.Next();
    if (!more || slot.bucket > first) {
        out = PutEntry(0, slot.combination, 1, PutVarint(ToZigzag(slot.bucket), out));
        if (more) {
            out = PutEntry(slot.bucket - reader.bucket, reader.combination, reader.count, out);
        }
        return PutBytes(reader.rest(), out);
    }
    while (more && slot.IsBehind(reader)) {
        previous = reader.bucket;
        mark = reader.position();
        more = reader.Next();
    }
    out = PutBytes({entries.data(), mark}, out);
    const bool same = more && slot.Is(reader);
    out = PutEntry(previous - slot.bucket, slot.combination, same ? AddCounts(reader.count, 1) : 1,
                   out);
    if (more && !same) {
        out = PutEntry(slot.bucket - reader.bucket, reader.combination, reader.count, out);
    }
    return PutBytes(reader.rest(), out);
}

// The same, with a combination that was not there; `timed` says whether there is an event to add.
std::uint8_t* PutEntriesWithNew(Bytes entries, const Slot& slot, bool timed, std::uint8_t* out) {
    EntryWriter writer(out);
    EntryReader reader(entries);
    while (reader.Next()) {
        if (timed && !slot.IsBehind(reader)) {
            writer.Put(slot.bucket, slot.combination, 1);
            timed = false;
        }
        const bool behind = reader.combination >= slot.combination;
        writer.Put(reader.bucket, reader.combination + (behind ? 1 : 0), reader.count);
    }
    if (timed) {
        writer.Put(slot.bucket, slot.combination, 1);
    }
    return writer.end();
}

void AddTime(Combination* c, std::int64_t time) {
    c->newest = c->timed > 0 ? std::max(c->newest, time) : time;
    c->timed = AddCounts(c->timed, 1);
}

// All of the value but the entries, with another combination in this place.
std::uint8_t* PutCombinations(Bytes value, const RollupReader& reader, const Place& place,
                              const Combination& c, std::uint8_t* out) {
    out = PutBytes(value.first(reader.header()), out);
    const RollupReader start(value);
    out = PutVarint(reader.combinations() + (place.exists ? 0 : 1), out);
    out = PutBytes({value.data() + start.position(), value.data() + place.begin}, out);
    out = PutCombination(c, out);
    return PutBytes({value.data() + place.end, value.data() + reader.position()}, out);
}

}  // namespace

std::size_t DimensionsRoom(DimensionValues values) {
    std::size_t room = 0;
    for (const std::optional<std::string_view>& value : values) {
        room += value ? VarintSize(2 * value->size() + 1) + value->size() : 1;
    }
    return room;
}

std::size_t WriteDimensions(DimensionValues values, std::uint8_t* out) {
    std::uint8_t* at = out;
    for (const std::optional<std::string_view>& value : values) {
        const std::optional<unsigned> number = value ? NumberOf(*value) : std::nullopt;
        if (!value) {
            at = PutVarint(0, at);
        } else if (number) {
            at = PutVarint(2 * std::uint64_t{*number} + 2, at);
        } else {
            at = PutVarint(2 * value->size() + 1, at);
            at =
                PutBytes({reinterpret_cast<const std::uint8_t*>(value->data()), value->size()}, at);
        }
    }
    return static_cast<std::size_t>(at - out);
}

std::optional<std::string_view> TakeDimension(Bytes* dimensions) {
    const std::uint8_t* at = dimensions->data();
    const std::uint8_t* const end = at + dimensions->size();
    const StoredDimension stored = TakeStored(&at, end);
    if (stored.spelled_out && NumberOf(stored.word)) {
        throw CorruptRollup("a word that has a number is spelled out");
    }
    *dimensions = {at, end};
    if (stored.spelled_out) {
        return stored.word;
    }
    return stored.number == 0 ? std::nullopt : std::optional(kNumberedWords[stored.number - 1]);
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
    header_ = position();
    shape_ = {static_cast<std::int64_t>(width), static_cast<unsigned>(dimensions)};
    combinations_ = left_ = TakeVarint(&at_, end_);
    // Each takes more than a byte.
    if (combinations_ > value.size()) {
        throw CorruptRollup("it has more combinations than room for them");
    }
}

bool RollupReader::Next(Combination* c) {
    if (left_ == 0) {
        return false;
    }
    --left_;
    TakeCombination(&at_, end_, c);
    return true;
}

std::uint8_t* PutCombination(const Combination& c, std::uint8_t* out) {
    std::uint64_t flags = 0;
    flags |= c.timed > 0 ? kTimed : 0;
    flags |= c.untimed > 0 ? kUntimed : 0;
    flags |= c.before > 0 ? kBefore : 0;
    flags |= c.after > 0 ? kAfter : 0;
    out = PutVarint(c.dimensions.size() * (kAllFlags + 1) + flags, out);
    out = PutBytes(c.dimensions, out);
    for (const std::uint64_t count : {c.untimed, c.before, c.after, c.timed}) {
        out = count > 0 ? PutVarint(count, out) : out;
    }
    return c.timed > 0 ? PutTime(c.newest, out) : out;
}

std::size_t WriteEmptyRollup(const RollupShape& shape, std::uint8_t* out) {
    std::uint8_t* at = out;
    *at++ = kVersion;
    at = PutVarint(static_cast<std::uint64_t>(shape.width), at);
    return static_cast<std::size_t>(PutVarint(0, PutVarint(shape.dimensions, at)) - out);
}

std::size_t AddEvent(Bytes value, Bytes dimensions, EventTime time, std::uint8_t* out) {
    RollupReader reader(value);
    const Place place = Find(&reader, dimensions);
    Combination c = place.combination;
    c.dimensions = dimensions;
    Slot slot{0, place.index};
    const bool timed = IsFinite(time);
    if (timed) {
        AddTime(&c, *time);
        slot.bucket = BucketOf(*time, reader.shape().width);
    } else {
        std::uint64_t* const count = UntimedCount(&c, time);
        *count = AddCounts(*count, 1);
    }
    std::uint8_t* at = PutCombinations(value, reader, place, c, out);
    if (!place.exists) {
        at = PutEntriesWithNew(reader.rest(), slot, timed, at);
    } else if (timed) {
        at = PutEntriesWith(reader.rest(), slot, at);
    } else {
        at = PutBytes(reader.rest(), at);
    }
    return static_cast<std::size_t>(at - out);
}

}  // namespace freshcrm::core
