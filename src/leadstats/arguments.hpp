// Arguments that say what an event is, read where they lie.
#pragma once

#include "core/event_stats.hpp"
#include "pg/error.hpp"

extern "C" {
#include "access/detoast.h"
#include "utils/timestamp.h"
}
// The standard library after the server's headers.
#include <optional>
#include <string_view>

namespace freshcrm::leadstats {

// Not in line, as no known word is stored so.
[[gnu::noinline, gnu::cold]] inline std::string_view StoredWordOf(Datum value) {
    if (toast_raw_datum_size(value) > VARHDRSZ + core::kLongestWord) {
        return {};
    }
    auto* word = pg_detoast_datum_packed(reinterpret_cast<varlena*>(DatumGetPointer(value)));
    return {VARDATA_ANY(word), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(word))};
}

// The bytes of a value of type text, as far as it can be a word that core/event_kind.hpp knows: of
// a longer one there are none, so that it is not decompressed or fetched to be found unknown.
inline std::string_view WordOf(Datum value) {
    const auto* word = reinterpret_cast<const varlena*>(DatumGetPointer(value));
    if (VARATT_IS_EXTERNAL(word) || VARATT_IS_COMPRESSED(word)) {
        return StoredWordOf(value);
    }
    return {VARDATA_ANY(word), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(word))};
}

// Whether a value of type text has the header of one byte that all short ones have where they are
// stored, and lies right behind it (VARATT_IS_1B, and not VARATT_IS_1B_E).
inline bool IsShortWord(Datum value) {
    const unsigned header = *reinterpret_cast<const std::uint8_t*>(DatumGetPointer(value));
    return (header & 1) != 0 && header != 1;
}

// WordOf() a short word.
inline std::string_view ShortWordOf(Datum value) {
    const auto* word = reinterpret_cast<const varlena*>(DatumGetPointer(value));
    return {VARDATA_1B(word), static_cast<std::size_t>(VARSIZE_1B(word) - VARHDRSZ_SHORT)};
}

// NULL is no known direction.
inline core::Direction DirectionArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? core::Direction::kOther
                                  : core::DirectionOf(WordOf(fcinfo->args[argument].value));
}

// NULL is no channel at all.
inline std::optional<unsigned> ChannelArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument)
               ? std::nullopt
               : std::optional(core::ChannelOf(WordOf(fcinfo->args[argument].value)));
}

inline std::optional<std::int64_t> TimeArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? std::nullopt
                                  : std::optional<std::int64_t>(PG_GETARG_TIMESTAMPTZ(argument));
}

inline core::Cutoff CutoffArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? core::Cutoff{0, true}
                                  : core::Cutoff{PG_GETARG_TIMESTAMPTZ(argument), false};
}

// Raises 22023 for the cutoffs of lead_event_stats in the wrong order.
inline void CheckCutoffs(const core::Cutoff& cutoff_14d, const core::Cutoff& cutoff_7d) {
    if (cutoff_7d.Precedes(cutoff_14d)) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "cutoff_7d is before cutoff_14d")
            .Detail("The window of 7 days is a part of that of 14 days, and begins later.")
            .Hint("Swap the cutoffs.");
    }
}

[[noreturn, gnu::noinline]] inline void RefuseOtherCutoffs() {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "cutoffs differ within a group")
        .Detail("All events of a group are counted in the same windows.")
        .Hint("Give cutoffs that are the same for all rows, or group by them, too.");
}

}  // namespace freshcrm::leadstats
