#include "leadstats/score.hpp"

extern "C" {
#include "utils/jsonb.h"
#include "utils/typcache.h"
}

namespace freshcrm::leadstats {

namespace {

// The columns of freshcrm.lead_event_stats.
enum Column : int {
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
    kColumns,
};
constexpr Oid kTypes[kColumns] = {INT8OID, INT8OID, INT8OID,        INT8OID,        INT8OID,
                                  INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID};

// An owner of the type may alter it.
void CheckColumns(TupleDesc desc) {
    bool same = desc->natts == kColumns;
    for (int i = 0; same && i < kColumns; i++) {
        same = TupleDescAttr(desc, i)->atttypid == kTypes[i];
    }
    if (!same) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("type %s is not as the extension has made it",
                               format_type_be(desc->tdtypeid))));
    }
}

struct StatisticsRow {
    Datum values[kColumns];
    bool nulls[kColumns];
};

core::Count ReadCount(const StatisticsRow& row, Column column, const char* name) {
    if (row.nulls[column]) {
        return std::nullopt;
    }
    return CheckedCount(
        column == kChannels ? DatumGetInt32(row.values[column]) : DatumGetInt64(row.values[column]),
        name);
}

std::optional<core::Timestamp> ReadTime(const StatisticsRow& row, Column column) {
    return row.nulls[column] ? std::nullopt : std::optional(DatumGetInt64(row.values[column]));
}

// As short as it is: without trailing zeros.
Numeric ShortNumeric(std::int64_t units, int decimals) {
    while (decimals > 0 && units % 10 == 0) {
        units /= 10;
        decimals--;
    }
    return int64_div_fast_to_numeric(units, decimals);
}

void PushText(JsonbParseState** state, JsonbIteratorToken token, std::string_view text) {
    JsonbValue value;
    value.type = jbvString;
    value.val.string.val = const_cast<char*>(text.data());
    value.val.string.len = static_cast<int>(text.size());
    (void)pushJsonbValue(state, token, &value);
}

void PushNumber(JsonbParseState** state, std::string_view key, std::int64_t units, int decimals) {
    PushText(state, WJB_KEY, key);
    JsonbValue value;
    value.type = jbvNumeric;
    value.val.numeric = ShortNumeric(units, decimals);
    (void)pushJsonbValue(state, WJB_VALUE, &value);
}

void PushFactor(JsonbParseState** state, std::string_view name, const core::Factor& factor) {
    static_assert(core::kValueUnits == 10'000 && core::kShareUnits == 1'000'000 &&
                  core::kPointUnits == 100);
    PushText(state, WJB_KEY, name);
    (void)pushJsonbValue(state, WJB_BEGIN_OBJECT, nullptr);
    PushNumber(state, "value", factor.value, 4);
    PushNumber(state, "weight", factor.share, 6);
    PushNumber(state, "points", factor.points, 2);
    (void)pushJsonbValue(state, WJB_END_OBJECT, nullptr);
}

void PushUnknown(JsonbParseState** state, unsigned unknown) {
    PushText(state, WJB_KEY, "unknown");
    (void)pushJsonbValue(state, WJB_BEGIN_ARRAY, nullptr);
    for (std::size_t i = 0; i < core::kUnknownNames.size(); i++) {
        if ((unknown & (1U << i)) != 0) {
            PushText(state, WJB_ELEM, core::kUnknownNames[i]);
        }
    }
    (void)pushJsonbValue(state, WJB_END_ARRAY, nullptr);
}

}  // namespace

void ReadStatistics(HeapTupleHeader stats, core::LeadFacts* facts) {
    facts->has_statistics = stats != nullptr;
    if (stats == nullptr) {
        return;
    }
    TupleDesc desc =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(stats), HeapTupleHeaderGetTypMod(stats));
    CheckColumns(desc);
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

Datum FactorsAsJson(const core::LeadScore& score) {
    JsonbParseState* state = nullptr;
    (void)pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
    for (std::size_t i = 0; i < core::kLeadFactors.size(); i++) {
        PushFactor(&state, core::kLeadFactors[i].name, score.factors[i]);
    }
    PushUnknown(&state, score.unknown);
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

}  // namespace freshcrm::leadstats
