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

// The bytes of a value of type text, as far as it can be a word that core/event_kind.hpp knows: of
// a longer one there are none, so that it is not decompressed or fetched to be found unknown.
inline std::string_view WordOf(Datum value) {
    auto* word = reinterpret_cast<varlena*>(DatumGetPointer(value));
    if (VARATT_IS_EXTERNAL(word) || VARATT_IS_COMPRESSED(word)) {
        if (toast_raw_datum_size(value) > VARHDRSZ + core::kLongestWord) {
            return {};
        }
        word = pg_detoast_datum_packed(word);
    }
    return {VARDATA_ANY(word), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(word))};
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

[[noreturn]] inline void RefuseOtherCutoffs() {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "cutoffs differ within a group")
        .Detail("All events of a group are counted in the same windows.")
        .Hint("Give cutoffs that are the same for all rows, or group by them, too.");
}

}  // namespace freshcrm::leadstats
