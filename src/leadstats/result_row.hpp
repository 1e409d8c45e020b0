// Results of the composite types of sql/leadstats.sql.
#pragma once

#include "core/event_stats.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/tupmacs.h"
}
// The standard library after the server's headers.
#include <array>
#include <optional>

namespace freshcrm::leadstats {

// The columns of a row, one after the other; a value that is missing is NULL.
template <std::size_t Columns>
class ResultRow {
  public:
    ResultRow& Bigint(std::int64_t value) { return Add(Int64GetDatum(value), false); }
    ResultRow& Integer(std::int32_t value) { return Add(Int32GetDatum(value), false); }
    ResultRow& Time(std::optional<std::int64_t> at) {
        return Add(Int64GetDatum(at.value_or(0)), !at.has_value());
    }
    ResultRow& Add(Datum value, bool null) {
        values_[size_] = value;
        nulls_[size_++] = null;
        return *this;
    }

    Datum* values() { return values_.data(); }
    bool* nulls() { return nulls_.data(); }

  private:
    std::array<Datum, Columns> values_;
    std::array<bool, Columns> nulls_;
    std::size_t size_ = 0;
};

// A value of the composite type that the function called returns, whose columns these are. What the
// type looks like is kept in the function's fn_extra.
Datum MakeResult(FunctionCallInfo fcinfo, Datum* values, bool* nulls, std::size_t columns);

template <std::size_t Columns>
Datum MakeResult(FunctionCallInfo fcinfo, ResultRow<Columns>* row) {
    return MakeResult(fcinfo, row->values(), row->nulls(), Columns);
}

// A value of type freshcrm.lead_event_stats, which the function called returns.
Datum MakeLeadEventStats(FunctionCallInfo fcinfo, const core::LeadEvents& events);

// The columns of freshcrm.lead_event_stats.
enum StatsColumn : int {
    kTotalEvents,
    kInboundTotal,
    kOutboundTotal,
    kInbound14d,
    kOutbound14d,
    kInbound7d,
    kOutbound7d,
    kLastInboundAt,
    kLastOutboundAt,
    kChannels,
    kStatsColumns,
};

// Raises 42804 when the type is not as the extension has made it: an owner of the type may alter
// it.
void CheckStatsType(TupleDesc desc);
// That of a row.
void CheckStatsType(HeapTupleHeader row);

// The value of a column; `row` is of the type that has been checked. All columns are of eight bytes
// and aligned, but the last one, which is of four: so where one is depends on NULLs alone.
NullableDatum StatsAttribute(HeapTupleHeader row, int column);

// Whether the row is of the size that it has without NULLs, and the value of a column of such a
// row.
inline bool HasNoNull(const HeapTupleHeaderData* row) {
    constexpr int kHeader = MAXALIGN(SizeofHeapTupleHeader);
    return (row->t_infomask & HEAP_HASNULL) == 0 && row->t_hoff == kHeader &&
           HeapTupleHeaderGetNatts(row) == kStatsColumns &&
           HeapTupleHeaderGetDatumLength(row) == kHeader + 8 * kChannels + 4;
}
inline Datum AttributeWithoutNull(const HeapTupleHeaderData* row, int column) {
    const char* value = reinterpret_cast<const char*>(row) + MAXALIGN(SizeofHeapTupleHeader) +
                        8 * static_cast<std::size_t>(column);
    return fetch_att(value, true, column == kChannels ? 4 : 8);
}

}  // namespace freshcrm::leadstats
