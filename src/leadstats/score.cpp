#include "leadstats/score.hpp"
// The standard library after the server's headers.
#include <algorithm>
#include <array>
#include <numeric>

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

JsonbValue Text(std::string_view text) {
    JsonbValue value;
    value.type = jbvString;
    value.val.string.val = const_cast<char*>(text.data());
    value.val.string.len = static_cast<int>(text.size());
    return value;
}

JsonbValue Number(std::int64_t units, int decimals) {
    JsonbValue value;
    value.type = jbvNumeric;
    value.val.numeric = ShortNumeric(units, decimals);
    return value;
}

// The order of the keys of an object that the server makes a jsonb of (lengthCompareJsonbString).
constexpr bool KeyLess(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// The members of the object: the factors and, last, what is unknown, and the order of their keys.
constexpr std::size_t kMembers = core::kLeadFactors.size() + 1;
constexpr std::string_view MemberName(std::size_t member) {
    return member < core::kLeadFactors.size() ? core::kLeadFactors[member].name : "unknown";
}

constexpr std::array<std::size_t, kMembers> OrderMembers() {
    std::array<std::size_t, kMembers> order{};
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [](std::size_t a, std::size_t b) { return KeyLess(MemberName(a), MemberName(b)); });
    return order;
}
constexpr auto kMemberOrder = OrderMembers();

constexpr std::size_t kFactorMembers = 3;
static_assert(KeyLess("value", "points") && KeyLess("points", "weight"));

// Of pairs that outlive it, in the order of their keys.
JsonbValue Object(JsonbPair* pairs, std::size_t count) {
    JsonbValue value;
    value.type = jbvObject;
    value.val.object.nPairs = static_cast<int>(count);
    value.val.object.pairs = pairs;
    return value;
}

JsonbValue FactorObject(const core::Factor& factor, JsonbPair* pairs) {
    static_assert(core::kValueUnits == 10'000 && core::kShareUnits == 1'000'000 &&
                  core::kPointUnits == 100);
    pairs[0] = {Text("value"), Number(factor.value, 4), 0};
    pairs[1] = {Text("points"), Number(factor.points, 2), 1};
    pairs[2] = {Text("weight"), Number(factor.share, 6), 2};
    return Object(pairs, kFactorMembers);
}

// `names` has room for all.
JsonbValue UnknownArray(unsigned unknown, JsonbValue* names) {
    JsonbValue value;
    value.type = jbvArray;
    value.val.array.rawScalar = false;
    value.val.array.elems = names;
    value.val.array.nElems = 0;
    for (std::size_t i = 0; i < core::kUnknownNames.size(); i++) {
        if ((unknown & (1U << i)) != 0) {
            names[value.val.array.nElems++] = Text(core::kUnknownNames[i]);
        }
    }
    return value;
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

// The tree is made as pushJsonbValue() would leave it, without its copies and its sorting: most of
// the time of a score goes into this.
Datum FactorsAsJson(const core::LeadScore& score) {
    JsonbPair members[kMembers];
    JsonbPair factors[kMembers][kFactorMembers];
    JsonbValue unknown[core::kUnknownNames.size()];
    for (std::size_t place = 0; place < kMembers; place++) {
        const std::size_t i = kMemberOrder[place];
        members[place] = {Text(MemberName(i)),
                          i < core::kLeadFactors.size() ? FactorObject(score.factors[i], factors[i])
                                                        : UnknownArray(score.unknown, unknown),
                          static_cast<uint32>(place)};
    }
    JsonbValue object = Object(members, kMembers);
    return JsonbPGetDatum(JsonbValueToJsonb(&object));
}

}  // namespace freshcrm::leadstats
