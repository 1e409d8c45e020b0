// The server's functions that are not immutable, or call themselves so, by what their results
// depend on. Those that are not known here and not immutable may depend on anything.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

// Bits of a set of settings.
inline constexpr uint32 kTimeZone = 1U << 0;
inline constexpr uint32 kZoneAbbreviations = 1U << 1;
inline constexpr uint32 kDateStyle = 1U << 2;
inline constexpr uint32 kIntervalStyle = 1U << 3;
inline constexpr uint32 kExtraFloatDigits = 1U << 4;
inline constexpr uint32 kByteaOutput = 1U << 5;
inline constexpr uint32 kLcMonetary = 1U << 6;
inline constexpr uint32 kLcNumeric = 1U << 7;
inline constexpr uint32 kLcTime = 1U << 8;
inline constexpr uint32 kTextSearch = 1U << 9;
inline constexpr uint32 kXmlBinary = 1U << 10;
inline constexpr uint32 kXmlOption = 1U << 11;
inline constexpr uint32 kArrayNulls = 1U << 12;
inline constexpr int kSettings = 13;

// The name of setting 1 << i.
const char* SettingName(int i);

enum class Reads {
    kSettings,    // *settings only
    kTime,        // the time of day or of the transaction
    kWritesText,  // the output functions of its arguments' types
    kWritesJson,  // likewise, with dates and times in ISO 8601
    kReadsText,   // the input functions of its result's columns
    kEnum,        // the labels of its argument's type
    kUnknown,
};

// What a function of the server depends on beside its arguments, with the settings in `settings`
// when these are all.
Reads ReadsOf(Oid function, uint32* settings);

}  // namespace freshcrm::refresh
