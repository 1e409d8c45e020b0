// Varints, and the parts of a packed value (event_rollup.hpp).
#pragma once

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

inline std::uint8_t* PutOlder(std::uint64_t distance, std::uint64_t count, std::uint8_t* out) {
    if (count == 1) {
        return PutVarint(distance << 1, out);
    }
    return PutVarint(count - 2, PutVarint(distance << 1 | 1, out));
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

// All of a body but the older buckets.
std::uint8_t* PutBodyHead(const Combination& combination, std::uint8_t* out);

// Dimensions, length and body of a combination, of which `older(out)` writes the older buckets and
// returns their end. Writes up to eight bytes beyond what is left.
template <typename Older>
std::uint8_t* PutCombination(const Combination& combination, Older older, std::uint8_t* out) {
    out = PutBytes(combination.dimensions, out);
    // A length below 128 is by far the most frequent one.
    std::uint8_t* const body = out + 1;
    std::uint8_t* const body_end = older(PutBodyHead(combination, body));
    const auto size = static_cast<std::size_t>(body_end - body);
    const std::size_t length_size = VarintSize(size);
    if (length_size > 1) {
        std::memmove(out + length_size, body, size);
    }
    return PutVarint(size, out) + size;
}

}  // namespace freshcrm::core
