// The binary form of numeric, which numeric_send() writes, straight from the form it is stored in.
#pragma once

#include "pg/postgres.hpp"
// The standard library after the server's headers.
#include <cstddef>
#include <cstdint>

namespace freshcrm::etag {

inline constexpr std::size_t kNumericDigits = 32;                 // of base 10000
inline constexpr std::size_t kNumericWords = 4 + kNumericDigits;  // of 16 bits

// Writes the form of a value, detoasted but maybe with a short header, to `words`, which has room
// for kNumericWords; returns its size in bytes, or 0 for what is left to numeric_send(): more
// digits than that, infinities and NaN.
std::size_t WriteNumeric(const void* value, std::uint16_t* words);

}  // namespace freshcrm::etag
