// Varints, and the parts of a packed value (event_rollup.hpp).
#pragma once

#include <bit>
#include <cstring>

#include "core/event_rollup.hpp"

namespace freshcrm::core {

// Takes an integer off the front of [*at, end).
inline std::uint64_t TakeVarint(const std::uint8_t** at, const std::uint8_t* end) {
    const std::uint8_t* p = *at;
    if (p < end && *p < 0x80) [[likely]] {
        *at = p + 1;
        return *p;
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63 && p < end; shift += 7) {
        const std::uint8_t byte = *p++;
        value |= std::uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80) {
            if (byte == 0) {
                throw CorruptRollup("an integer is longer than it need be");
            }
            *at = p;
            return value;
        }
    }
    throw CorruptRollup("an integer has no end");
}

inline std::size_t VarintSize(std::uint64_t value) {
    std::size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        ++size;
    }
    return size;
}

inline std::uint8_t* PutVarint(std::uint64_t value, std::uint8_t* out) {
    while (value >= 0x80) {
        *out++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<std::uint8_t>(value);
    return out;
}

inline std::uint8_t* PutBytes(Bytes bytes, std::uint8_t* out) {
    if (!bytes.empty()) {
        std::memcpy(out, bytes.data(), bytes.size());
    }
    return out + bytes.size();
}

// Counts add up to less than 2^63.
inline std::uint64_t AddCounts(std::uint64_t one, std::uint64_t other) {
    const std::uint64_t sum = one + other;
    if (sum > static_cast<std::uint64_t>(kAfterAllTime)) {
        throw CorruptRollup("a count is out of range");
    }
    return sum;
}

// Less, equal or greater, as a negative number, 0 or a positive one.
inline int CompareDimensions(Bytes one, Bytes other) {
    const std::size_t common = one.size() < other.size() ? one.size() : other.size();
    const int order = common == 0 ? 0 : std::memcmp(one.data(), other.data(), common);
    if (order != 0 || one.size() == other.size()) {
        return order;
    }
    return one.size() < other.size() ? -1 : 1;
}

enum CombinationFlag : std::uint8_t {
    kTimed = 1,
    kUntimed = 2,
    kBefore = 4,
    kAfter = 8,
    kAllFlags = 15
};

inline std::uint64_t TakeCount(const std::uint8_t** at, const std::uint8_t* end) {
    const std::uint64_t count = TakeVarint(at, end);
    if (count == 0) {
        throw CorruptRollup("a count is 0");
    }
    return count;
}

inline std::int64_t TakeTime(const std::uint8_t** at, const std::uint8_t* end) {
    if (end - *at < 8) {
        throw CorruptRollup("a time has no end");
    }
    std::int64_t time;
    if constexpr (std::endian::native == std::endian::little) {
        std::memcpy(&time, *at, sizeof(time));
    } else {
        std::uint64_t bits = 0;
        for (unsigned i = 0; i < 8; ++i) {
            bits |= std::uint64_t{(*at)[i]} << (8 * i);
        }
        time = static_cast<std::int64_t>(bits);
    }
    *at += 8;
    if (time < kFirstTime || time >= kTimeEnd) {
        throw CorruptRollup("a time is out of range");
    }
    return time;
}

// A dimension as it is stored.
struct StoredDimension {
    bool spelled_out;
    std::uint64_t number;   // else: 0 for NULL, or one more than that of the word
    std::string_view word;  // of one that is spelled out
};

// Takes it off the front of [*at, end).
[[gnu::always_inline]] inline StoredDimension TakeStored(const std::uint8_t** at,
                                                         const std::uint8_t* end) {
    const std::uint64_t code = TakeVarint(at, end);
    const std::uint64_t half = code / 2;
    if (code % 2 == 0) [[likely]] {
        if (half > kNumberedWords.size()) {
            throw CorruptRollup("a word is not known");
        }
        return {false, half, {}};
    }
    if (half > static_cast<std::uint64_t>(end - *at)) {
        throw CorruptRollup("a dimension is longer than the value");
    }
    const std::string_view word(reinterpret_cast<const char*>(*at), static_cast<std::size_t>(half));
    *at += half;
    return {true, 0, word};
}

// Takes a combination off the front of [*at, end).
[[gnu::always_inline]] inline void TakeCombination(const std::uint8_t** at, const std::uint8_t* end,
                                                   Combination* c) {
    const std::uint64_t head = TakeVarint(at, end);
    const std::uint64_t flags = head & kAllFlags;
    const std::uint64_t size = head / (kAllFlags + 1);
    if (flags == 0) {
        throw CorruptRollup("a combination has no events");
    }
    if (size > static_cast<std::uint64_t>(end - *at)) {
        throw CorruptRollup("a combination is longer than the value");
    }
    c->dimensions = {*at, static_cast<std::size_t>(size)};
    *at += size;
    c->untimed = c->before = c->after = c->timed = 0;
    if (flags != kTimed) [[unlikely]] {
        c->untimed = (flags & kUntimed) != 0 ? TakeCount(at, end) : 0;
        c->before = (flags & kBefore) != 0 ? TakeCount(at, end) : 0;
        c->after = (flags & kAfter) != 0 ? TakeCount(at, end) : 0;
    }
    if ((flags & kTimed) != 0) {
        c->timed = TakeCount(at, end);
        c->newest = TakeTime(at, end);
    }
}

std::uint8_t* PutCombination(const Combination& combination, std::uint8_t* out);

inline constexpr std::int64_t kLowestBucket = kFirstTime / kNarrowestBucket - 1;
inline constexpr std::int64_t kHighestBucket = kTimeEnd / kNarrowestBucket;

inline std::uint64_t ToZigzag(std::int64_t value) {
    const std::uint64_t twice = static_cast<std::uint64_t>(value) << 1;
    return value < 0 ? ~twice : twice;
}

inline std::int64_t FromZigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Whether the entry that begins with these two bytes has no more of them, as most do: it is of one
// event, and they are the gap and the double of its combination.
inline bool IsShortEntry(const std::uint8_t* at) {
    std::uint16_t both;
    std::memcpy(&both, at, sizeof(both));
    return (both & (std::endian::native == std::endian::little ? 0x8180 : 0x8081)) == 0;
}

// Reads entries, which may be none.
class EntryReader {
  public:
    explicit EntryReader(Bytes entries) : at_(entries.data()), end_(at_ + entries.size()) {
        if (at_ != end_) {
            bucket = FromZigzag(TakeVarint(&at_, end_));
            if (bucket < kLowestBucket || bucket > kHighestBucket) {
                throw CorruptRollup("a bucket is out of range");
            }
        }
    }

    bool Next() {
        if (at_ == end_) {
            return false;
        }
        const auto gap = static_cast<std::int64_t>(TakeVarint(&at_, end_));
        if (gap > bucket - kLowestBucket) {
            throw CorruptRollup("a bucket is out of range");
        }
        bucket -= gap;
        const std::uint64_t code = TakeVarint(&at_, end_);
        combination = code >> 1;
        count = 1;
        if ((code & 1) != 0) [[unlikely]] {
            count = AddCounts(TakeVarint(&at_, end_), 2);
        }
        return true;
    }

    // Goes on behind entries that have been read without it, the last one of this bucket.
    void ContinueAt(const std::uint8_t* at, std::int64_t last_bucket) {
        at_ = at;
        bucket = last_bucket;
    }

    const std::uint8_t* position() const { return at_; }
    Bytes rest() const { return {at_, end_}; }

    std::int64_t bucket = 0;
    std::uint64_t combination = 0;
    std::uint64_t count = 0;

  private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

inline std::uint8_t* PutEntry(std::int64_t gap, std::uint64_t combination, std::uint64_t count,
                              std::uint8_t* out) {
    out = PutVarint(static_cast<std::uint64_t>(gap), out);
    if (count == 1) {
        return PutVarint(combination << 1, out);
    }
    return PutVarint(count - 2, PutVarint(combination << 1 | 1, out));
}

// Writes entries one by one, in their order.
class EntryWriter {
  public:
    explicit EntryWriter(std::uint8_t* out) : at_(out) {}

    void Put(std::int64_t bucket, std::uint64_t combination, std::uint64_t count) {
        if (empty_) {
            at_ = PutVarint(ToZigzag(bucket), at_);
            previous_ = bucket;
            empty_ = false;
        }
        at_ = PutEntry(previous_ - bucket, combination, count, at_);
        previous_ = bucket;
    }
    std::uint8_t* end() const { return at_; }

  private:
    std::uint8_t* at_;
    std::int64_t previous_ = 0;
    bool empty_ = true;
};

}  // namespace freshcrm::core
