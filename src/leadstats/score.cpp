#include "leadstats/score.hpp"

#include "leadstats/result_row.hpp"
// The standard library after the server's headers.
#include <optional>

extern "C" {
#include "utils/typcache.h"
}

namespace freshcrm::leadstats {

namespace {

struct StatisticsRow {
    Datum values[kStatsColumns];
    bool nulls[kStatsColumns];
};

core::Count ReadCount(const StatisticsRow& row, StatsColumn column, const char* name) {
    if (row.nulls[column]) {
        return std::nullopt;
    }
    return CheckedCount(
        column == kChannels ? DatumGetInt32(row.values[column]) : DatumGetInt64(row.values[column]),
        name);
}

std::optional<core::Timestamp> ReadTime(const StatisticsRow& row, StatsColumn column) {
    return row.nulls[column] ? std::nullopt : std::optional(DatumGetInt64(row.values[column]));
}

}  // namespace

void ReadStatistics(HeapTupleHeader stats, core::LeadFacts* facts) {
    facts->has_statistics = stats != nullptr;
    if (stats == nullptr) {
        return;
    }
    TupleDesc desc =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(stats), HeapTupleHeaderGetTypMod(stats));
    CheckStatsType(desc);
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(stats);
    tuple.t_data = stats;
    StatisticsRow row;
    heap_deform_tuple(&tuple, desc, row.values, row.nulls);
    ReleaseTupleDesc(desc);
    facts->inbound_total = ReadCount(row, kInboundTotal, "inbound_total");
    facts->outbound_total = ReadCount(row, kOutboundTotal, "outbound_total");
    facts->inbound_14d = ReadCount(row, kInbound14d, "inbound_14d");
    facts->inbound_7d = ReadCount(row, kInbound7d, "inbound_7d");
    facts->channels = ReadCount(row, kChannels, "channels");
    facts->last_inbound_at = ReadTime(row, kLastInboundAt);
    facts->last_outbound_at = ReadTime(row, kLastOutboundAt);
}

core::Count CheckedCount(std::int64_t count, const char* name) {
    if (count < 0) {
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", name),
                 errdetail("It is " INT64_FORMAT ".", static_cast<int64>(count)),
                 errhint("Give a count, or NULL when it is not known.")));
    }
    return count;
}

Numeric PointsAsNumeric(std::int32_t points) {
    return int64_div_fast_to_numeric(points, 2);
}

}  // namespace freshcrm::leadstats
