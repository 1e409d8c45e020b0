#include "leadstats/result_row.hpp"

#include "pg/error.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/typcache.h"
}
// The standard library after the server's headers.
#include <bit>
#include <cstring>

namespace freshcrm::leadstats {

namespace {

// What a call site keeps in fn_extra.
struct ResultType {
    TupleDesc desc;
    // The header of a row without NULLs.
    HeapTupleHeaderData header;
};

ResultType* MakeResultType(FunctionCallInfo fcinfo) {
    const MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
    auto* type = static_cast<ResultType*>(palloc0(sizeof(ResultType)));
    if (get_call_result_type(fcinfo, nullptr, &type->desc) != TYPEFUNC_COMPOSITE) {
        MemoryContextSwitchTo(caller);
        throw pg::Error(ERRCODE_INTERNAL_ERROR, "function does not return a row");
    }
    type->desc = BlessTupleDesc(type->desc);
    MemoryContextSwitchTo(caller);
    fcinfo->flinfo->fn_extra = type;
    return type;
}

ResultType* TypeOf(FunctionCallInfo fcinfo, std::size_t columns) {
    auto* type = static_cast<ResultType*>(fcinfo->flinfo->fn_extra);
    if (type == nullptr) {
        type = MakeResultType(fcinfo);
    }
    if (static_cast<std::size_t>(type->desc->natts) != columns) {
        throw pg::Error(ERRCODE_DATATYPE_MISMATCH, "the type of statistics has been changed")
            .Detail("It has " + std::to_string(type->desc->natts) + " attributes instead of " +
                    std::to_string(columns) + ".")
            .Hint("It belongs to the extension: undo what ALTER TYPE has done to it.");
    }
    return type;
}

// What the server writes into the header of a value of this type is left to the server, once: it is
// another thing in other minor versions.
const HeapTupleHeaderData* StatsHeader(FunctionCallInfo fcinfo) {
    ResultType* type = TypeOf(fcinfo, kStatsColumns);
    if (type->header.t_hoff == 0) {
        CheckStatsType(type->desc);
        Datum values[kStatsColumns]{};
        bool nulls[kStatsColumns]{};
        const Datum row = HeapTupleGetDatum(heap_form_tuple(type->desc, values, nulls));
        std::memcpy(&type->header, DatumGetPointer(row), SizeofHeapTupleHeader);
    }
    return &type->header;
}

}  // namespace

Datum MakeResult(FunctionCallInfo fcinfo, Datum* values, bool* nulls, std::size_t columns) {
    return HeapTupleGetDatum(heap_form_tuple(TypeOf(fcinfo, columns)->desc, values, nulls));
}

void CheckStatsType(TupleDesc desc) {
    static constexpr Oid kTypes[kStatsColumns] = {INT8OID,        INT8OID, INT8OID, INT8OID,
                                                  INT8OID,        INT8OID, INT8OID, TIMESTAMPTZOID,
                                                  TIMESTAMPTZOID, INT4OID};
    bool same = desc->natts == kStatsColumns;
    for (int i = 0; same && i < kStatsColumns; i++) {
        same = TupleDescAttr(desc, i)->atttypid == kTypes[i];
    }
    if (!same) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("type %s is not as the extension has made it",
                               format_type_be(desc->tdtypeid))));
    }
}

void CheckStatsType(HeapTupleHeader row) {
    TupleDesc desc =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
    CheckStatsType(desc);
    ReleaseTupleDesc(desc);
}

NullableDatum StatsAttribute(HeapTupleHeader row, int column) {
    if (HeapTupleHeaderGetNatts(row) != kStatsColumns) [[unlikely]] {
        throw pg::Error(ERRCODE_DATATYPE_MISMATCH, "the type of statistics has been changed");
    }
    auto before = static_cast<std::size_t>(column);
    if ((row->t_infomask & HEAP_HASNULL) != 0) {
        if (att_isnull(column, row->t_bits)) {
            return {0, true};
        }
        for (int i = 0; i < column; ++i) {
            before -= att_isnull(i, row->t_bits) ? 1 : 0;
        }
    }
    const int size = column == kChannels ? 4 : 8;
    const std::size_t at = row->t_hoff + 8 * before;
    if (at + size > HeapTupleHeaderGetDatumLength(row)) [[unlikely]] {
        throw pg::Error(ERRCODE_DATATYPE_MISMATCH, "the type of statistics has been changed");
    }
    return {fetch_att(reinterpret_cast<const char*>(row) + at, true, size), false};
}

// As heap_form_tuple() would make it, which knows less of the type.
Datum MakeLeadEventStats(FunctionCallInfo fcinfo, const core::LeadEvents& events) {
    using core::Direction;
    const auto& inbound = events.Of(Direction::kInbound);
    const auto& outbound = events.Of(Direction::kOutbound);
    const HeapTupleHeaderData* type = StatsHeader(fcinfo);
    const bool nulls = inbound.timed == 0 || outbound.timed == 0;
    const Size header = MAXALIGN(SizeofHeapTupleHeader + (nulls ? BITMAPLEN(kStatsColumns) : 0));
    const Size most = header + sizeof(std::int64_t) * kStatsColumns;
    auto* row = static_cast<HeapTupleHeader>(palloc(most));
    std::memcpy(row, type, SizeofHeapTupleHeader);
    char* out = reinterpret_cast<char*>(row) + header;
    const auto put = [&](std::int64_t value) {
        std::memcpy(out, &value, sizeof(value));
        out += sizeof(value);
    };
    put(inbound.total() + outbound.total() + events.Of(Direction::kOther).total());
    put(inbound.total());
    put(outbound.total());
    for (std::size_t window = 0; window < events.cutoffs.size(); ++window) {
        put(inbound.in_window[window]);
        put(outbound.in_window[window]);
    }
    if (inbound.timed > 0) {
        put(inbound.last);
    }
    if (outbound.timed > 0) {
        put(outbound.last);
    }
    const std::int32_t channels = std::popcount(events.channels);
    std::memcpy(out, &channels, sizeof(channels));
    out += sizeof(channels);
    if (nulls) {
        const unsigned present = ((1U << kStatsColumns) - 1) &
                                 ~(inbound.timed > 0 ? 0U : 1U << kLastInboundAt) &
                                 ~(outbound.timed > 0 ? 0U : 1U << kLastOutboundAt);
        row->t_infomask |= HEAP_HASNULL;
        row->t_bits[0] = static_cast<bits8>(present);
        row->t_bits[1] = static_cast<bits8>(present >> 8);
    }
    row->t_hoff = static_cast<uint8>(header);
    HeapTupleHeaderSetDatumLength(row, out - reinterpret_cast<char*>(row));
    return PointerGetDatum(row);
}

}  // namespace freshcrm::leadstats
