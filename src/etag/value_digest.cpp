#include "etag/value_digest.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "etag/numeric.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
}

namespace freshcrm::etag {

namespace {

std::span<const std::byte> Bytes(const void* data, std::size_t size) {
    return {static_cast<const std::byte*>(data), size};
}

void DigestBytes(core::RowDigest* digest, const TypePlan* plan, const void* data,
                 std::size_t size) {
    digest->Add(plan->type, Bytes(data, size));
}

void DigestFloat4(core::RowDigest* digest, const TypePlan* plan, float4 value) {
    value = std::isnan(value) ? std::numeric_limits<float4>::quiet_NaN() : value;
    digest->AddInteger(plan->type, std::bit_cast<uint32>(value));
}

void DigestFloat8(core::RowDigest* digest, const TypePlan* plan, float8 value) {
    value = std::isnan(value) ? std::numeric_limits<float8>::quiet_NaN() : value;
    digest->AddInteger(plan->type, std::bit_cast<uint64>(value));
}

void DigestText(core::RowDigest* digest, const TypePlan* plan, const char* data, int size) {
    // Every database has one encoding for good.
    static const bool converts = GetDatabaseEncoding() != CanonicalEncoding();
    char* converted =
        converts && size > 0 ? pg_server_to_any(data, size, CanonicalEncoding()) : nullptr;
    if (converted == nullptr || converted == data) {
        DigestBytes(digest, plan, data, size);
        return;
    }
    DigestBytes(digest, plan, converted, std::strlen(converted));
    pfree(converted);
}

// No setting may show in a name.
class QuotingAsNeeded {
  public:
    QuotingAsNeeded() : before_(quote_all_identifiers) { quote_all_identifiers = false; }
    QuotingAsNeeded(const QuotingAsNeeded&) = delete;
    QuotingAsNeeded& operator=(const QuotingAsNeeded&) = delete;
    ~QuotingAsNeeded() { quote_all_identifiers = before_; }

  private:
    bool before_;
};

const char* ObjectName(const ObjectAddress* address) {
    if (!quote_all_identifiers) {
        return getObjectIdentity(address, true);
    }
    const QuotingAsNeeded scope;
    return pg::Call([address] { return getObjectIdentity(address, true); });
}

// The object's qualified name; "-" for no object and the number for one that no longer exists, as
// neither is a name that getObjectIdentity() writes without quotes.
[[gnu::noinline]] void DigestObject(core::RowDigest* digest, const TypePlan* plan, Oid object) {
    const ObjectAddress address = {plan->object_class, object, 0};
    const char* name = OidIsValid(object) ? ObjectName(&address) : "-";
    if (name == nullptr) {
        name = psprintf("%u", object);
    }
    DigestText(digest, plan, name, static_cast<int>(std::strlen(name)));
}

void DigestArray(core::RowDigest* digest, TypePlan* plan, ArrayType* array) {
    // The element type in the array's header does not count: a cast between binary-coercible types
    // leaves the old one there, until the value is dumped and restored.
    uint32 shape[1 + 2 * MAXDIM];
    const int dimensions = ARR_NDIM(array);
    shape[0] = pg_hton32(dimensions);
    for (int i = 0; i < dimensions; i++) {
        shape[1 + 2 * i] = pg_hton32(ARR_DIMS(array)[i]);
        shape[2 + 2 * i] = pg_hton32(ARR_LBOUND(array)[i]);
    }
    Datum* elements;
    bool* nulls;
    int count;
    deconstruct_array(array, ARR_ELEMTYPE(array), plan->part->length, plan->part->by_value,
                      plan->part->align, &elements, &nulls, &count);
    digest->AddComposed(plan->type, Bytes(shape, (1 + 2 * dimensions) * sizeof(uint32)), count);
    for (int i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        DigestValue(digest, plan->part, elements[i], nulls[i]);
    }
}

void DigestRecord(core::RowDigest* digest, TypePlan* plan, HeapTupleHeader record) {
    OpenRecord(plan->record, record);
    digest->AddComposed(plan->type, {}, plan->record->row->live);
    DigestColumns(digest, plan->record->row, plan->record->values, plan->record->nulls);
}

void DigestRange(core::RowDigest* digest, TypePlan* plan, const RangeType* range) {
    RangeBound lower;
    RangeBound upper;
    bool empty;
    range_deserialize(plan->range_cache, range, &lower, &upper, &empty);
    const bool has_lower = !empty && !lower.infinite;
    const bool has_upper = !empty && !upper.infinite;
    const uint8 flags = range_get_flags(range) &
                        (RANGE_EMPTY | RANGE_LB_INC | RANGE_UB_INC | RANGE_LB_INF | RANGE_UB_INF);
    digest->AddComposed(plan->type, Bytes(&flags, 1), has_lower + has_upper);
    if (has_lower) {
        DigestValue(digest, plan->part, lower.val, false);
    }
    if (has_upper) {
        DigestValue(digest, plan->part, upper.val, false);
    }
}

void DigestMultirange(core::RowDigest* digest, TypePlan* plan, const MultirangeType* multirange) {
    int32 count;
    RangeType** ranges;
    multirange_deserialize(plan->range_cache, multirange, &count, &ranges);
    digest->AddComposed(plan->type, {}, count);
    for (int32 i = 0; i < count; i++) {
        DigestRange(digest, plan->part, ranges[i]);
    }
}

void DigestSent(core::RowDigest* digest, TypePlan* plan, Datum value) {
    bytea* sent = SendFunctionCall(&plan->send, value);
    DigestBytes(digest, plan, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
    pfree(sent);
}

// Apart, so that other values need no room for it.
[[gnu::noinline]] void DigestNumeric(core::RowDigest* digest, TypePlan* plan, Datum value) {
    void* numeric = PG_DETOAST_DATUM_PACKED(value);
    std::uint16_t words[kNumericWords];
    if (const std::size_t size = WriteNumeric(numeric, words); size > 0) {
        return DigestBytes(digest, plan, words, size);
    }
    DigestSent(digest, plan, PointerGetDatum(numeric));
}

[[gnu::noinline]] void DigestComposed(core::RowDigest* digest, TypePlan* plan, Datum value) {
    check_stack_depth();
    switch (plan->kind) {
        case Kind::kArray:
            return DigestArray(digest, plan, DatumGetArrayTypeP(value));
        case Kind::kRecord:
            return DigestRecord(digest, plan, DatumGetHeapTupleHeader(value));
        case Kind::kRange:
            return DigestRange(digest, plan, DatumGetRangeTypeP(value));
        default:
            return DigestMultirange(digest, plan, DatumGetMultirangeTypeP(value));
    }
}

// For the compiler to put into the loop over the columns.
inline void DigestOne(core::RowDigest* digest, TypePlan* plan, Datum value, bool null) {
    if (null) {
        digest->AddNull(plan->type);
        return;
    }
    switch (plan->kind) {
        case Kind::kInteger1:
            return digest->AddInteger(plan->type, DatumGetUInt8(value));
        case Kind::kInteger2:
            return digest->AddInteger(plan->type, DatumGetUInt16(value));
        case Kind::kInteger4:
            return digest->AddInteger(plan->type, DatumGetUInt32(value));
        case Kind::kInteger8:
            return digest->AddInteger(plan->type, DatumGetUInt64(value));
        case Kind::kFloat4:
            return DigestFloat4(digest, plan, DatumGetFloat4(value));
        case Kind::kFloat8:
            return DigestFloat8(digest, plan, DatumGetFloat8(value));
        case Kind::kUuid:
            return digest->AddUuid(plan->type, DatumGetPointer(value));
        case Kind::kNumeric:
            return DigestNumeric(digest, plan, value);
        case Kind::kBytes: {
            const bytea* bytes = DatumGetByteaPP(value);
            return DigestBytes(digest, plan, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
        }
        case Kind::kText: {
            const text* string = DatumGetTextPP(value);
            return DigestText(digest, plan, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
        }
        case Kind::kUnknown: {
            const char* string = DatumGetCString(value);
            return DigestText(digest, plan, string, static_cast<int>(std::strlen(string)));
        }
        case Kind::kObject:
            return DigestObject(digest, plan, DatumGetObjectId(value));
        case Kind::kSend:
            return DigestSent(digest, plan, value);
        case Kind::kArray:
        case Kind::kRecord:
        case Kind::kRange:
        case Kind::kMultirange:
            return DigestComposed(digest, plan, value);
    }
}

}  // namespace

int CanonicalEncoding() {
    // Every database has one encoding for good.
    static const int encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_SQL_ASCII : PG_UTF8;
    return encoding;
}

void DigestValue(core::RowDigest* digest, TypePlan* plan, Datum value, bool null) {
    DigestOne(digest, plan, value, null);
}

void DigestColumns(core::RowDigest* digest, const RowPlan* plan, const Datum* values,
                   const bool* nulls) {
    for (int i = 0; i < plan->attributes; i++) {
        if (plan->columns[i] != nullptr) {
            DigestOne(digest, plan->columns[i], values[i], nulls[i]);
        }
    }
}

}  // namespace freshcrm::etag
