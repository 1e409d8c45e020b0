#include "leadstats/result_row.hpp"

#include "pg/error.hpp"

extern "C" {
#include "funcapi.h"
}
// The standard library after the server's headers.
#include <bit>

namespace freshcrm::leadstats {

namespace {

TupleDesc ResultType(FunctionCallInfo fcinfo, std::size_t columns) {
    auto* desc = static_cast<TupleDesc>(fcinfo->flinfo->fn_extra);
    if (desc == nullptr) {
        const MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
        if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
            MemoryContextSwitchTo(caller);
            throw pg::Error(ERRCODE_INTERNAL_ERROR, "function does not return a row");
        }
        desc = BlessTupleDesc(desc);
        MemoryContextSwitchTo(caller);
        fcinfo->flinfo->fn_extra = desc;
    }
    if (static_cast<std::size_t>(desc->natts) != columns) {
        throw pg::Error(ERRCODE_DATATYPE_MISMATCH, "the type of statistics has been changed")
            .Detail("It has " + std::to_string(desc->natts) + " attributes instead of " +
                    std::to_string(columns) + ".")
            .Hint("It belongs to the extension: undo what ALTER TYPE has done to it.");
    }
    return desc;
}

}  // namespace

Datum MakeResult(FunctionCallInfo fcinfo, Datum* values, bool* nulls, std::size_t columns) {
    return HeapTupleGetDatum(heap_form_tuple(ResultType(fcinfo, columns), values, nulls));
}

Datum MakeLeadEventStats(FunctionCallInfo fcinfo, const core::LeadEvents& events) {
    using core::Direction;
    const auto last = [&](Direction direction) {
        const core::LeadEvents::Counts& counts = events.Of(direction);
        return counts.timed > 0 ? std::optional(counts.last) : std::nullopt;
    };
    const auto& inbound = events.Of(Direction::kInbound);
    const auto& outbound = events.Of(Direction::kOutbound);
    ResultRow<10> row;
    row.Bigint(inbound.total + outbound.total + events.Of(Direction::kOther).total)
        .Bigint(inbound.total)
        .Bigint(outbound.total);
    for (std::size_t window = 0; window < events.cutoffs.size(); ++window) {
        row.Bigint(inbound.in_window[window]).Bigint(outbound.in_window[window]);
    }
    row.Time(last(Direction::kInbound))
        .Time(last(Direction::kOutbound))
        .Integer(std::popcount(events.channels));
    return MakeResult(fcinfo, &row);
}

}  // namespace freshcrm::leadstats
