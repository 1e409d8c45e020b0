#include "leadstats/score.hpp"

#include "leadstats/result_row.hpp"
// The standard library after the server's headers.
#include <optional>

namespace freshcrm::leadstats {

namespace {

core::Count ReadCount(HeapTupleHeader stats, StatsColumn column, const char* name) {
    const NullableDatum count = StatsAttribute(stats, column);
    if (count.isnull) {
        return std::nullopt;
    }
    return CheckedCount(
        column == kChannels ? DatumGetInt32(count.value) : DatumGetInt64(count.value), name);
}

std::optional<core::Timestamp> ReadTime(HeapTupleHeader stats, StatsColumn column) {
    const NullableDatum time = StatsAttribute(stats, column);
    return time.isnull ? std::nullopt : std::optional(DatumGetInt64(time.value));
}

}  // namespace

void ReadStatistics(HeapTupleHeader stats, core::LeadFacts* facts) {
    facts->has_statistics = stats != nullptr;
    if (stats == nullptr) {
        return;
    }
    facts->inbound_total = ReadCount(stats, kInboundTotal, "inbound_total");
    facts->outbound_total = ReadCount(stats, kOutboundTotal, "outbound_total");
    facts->inbound_14d = ReadCount(stats, kInbound14d, "inbound_14d");
    facts->inbound_7d = ReadCount(stats, kInbound7d, "inbound_7d");
    facts->channels = ReadCount(stats, kChannels, "channels");
    facts->last_inbound_at = ReadTime(stats, kLastInboundAt);
    facts->last_outbound_at = ReadTime(stats, kLastOutboundAt);
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
