#include "etag/numeric.hpp"

#include <cstring>

#include "core/digest.hpp"

namespace freshcrm::etag {

namespace {

// The stored form, in the server's byte order and not aligned: a header of 16 bits, for all but
// short ones a weight of 16 bits, and digits of 16 bits. PostgreSQL has it in numeric.c and nowhere
// else; pg_upgrade has kept it the same since 9.1.
constexpr unsigned kShort = 0x8000;
constexpr unsigned kSpecial = 0xC000;  // infinities and NaN
constexpr unsigned kNegative = 0x4000;
constexpr unsigned kScale = 0x3FFF;
constexpr unsigned kShortNegative = 0x2000;
constexpr unsigned kShortScale = 0x1F80;
constexpr unsigned kShortScaleShift = 7;
constexpr unsigned kShortWeight = 0x007F;  // its highest bit is the sign
constexpr unsigned kShortWeightSign = 0x0040;

std::uint16_t Word(const char* at) {
    std::uint16_t word;
    std::memcpy(&word, at, sizeof(word));
    return word;
}

std::uint16_t Sent(unsigned word) {
    return core::BigEndian(static_cast<std::uint16_t>(word));
}

}  // namespace

std::size_t WriteNumeric(const void* value, std::uint16_t* words) {
    const char* data = VARDATA_ANY(value);
    const unsigned header = Word(data);
    const bool is_short = (header & kShort) != 0;
    const std::size_t before = (is_short ? 1 : 2) * sizeof(std::uint16_t);
    const std::size_t digits = (VARSIZE_ANY_EXHDR(value) - before) / sizeof(std::uint16_t);
    if ((header & kSpecial) == kSpecial || digits > kNumericDigits) {
        return 0;
    }
    unsigned weight;
    unsigned sign;
    unsigned scale;
    if (is_short) {
        weight = ((header & kShortWeight) ^ kShortWeightSign) - kShortWeightSign;
        sign = (header & kShortNegative) != 0 ? kNegative : 0;
        scale = (header & kShortScale) >> kShortScaleShift;
    } else {
        weight = Word(data + sizeof(std::uint16_t));
        sign = header & kNegative;
        scale = header & kScale;
    }
    words[0] = Sent(static_cast<unsigned>(digits));
    words[1] = Sent(weight);
    words[2] = Sent(sign);
    words[3] = Sent(scale);
    for (std::size_t i = 0; i < digits; i++) {
        words[4 + i] = Sent(Word(data + before + i * sizeof(std::uint16_t)));
    }
    return (4 + digits) * sizeof(std::uint16_t);
}

}  // namespace freshcrm::etag
