// SQL: what the aggregates freshcrm.etag_agg(record), etag_set(record) and etag_set(bytea) are made
// of. The forms are those of core/digest.hpp and core/lthash.hpp; README.md has them byte by byte.
//
// The server passes states as type internal and knows no more of them. So every function here asks
// whether an aggregate calls it: nothing else can hand it a pointer that is no state of its own.
#include "core/lthash.hpp"
#include "etag/row_digest.hpp"
#include "etag/tag.hpp"
#include "pg/entry.hpp"
#include "pg/memory.hpp"

namespace etag = freshcrm::etag;
namespace core = freshcrm::core;
namespace pg = freshcrm::pg;

namespace {

MemoryContext AggregateContext(FunctionCallInfo fcinfo) {
    MemoryContext context;
    if (AggCheckCallContext(fcinfo, &context) == 0) {
        throw pg::Error(ERRCODE_FEATURE_NOT_SUPPORTED, "function is a part of an aggregate")
            .Hint("Call freshcrm.etag_agg() or freshcrm.etag_set().");
    }
    return context;
}

// Of the row that is the second argument.
core::Sha256Digest DigestRecordArgument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(1)) {
        return core::NoRowDigest();
    }
    auto* digester = static_cast<etag::RecordDigester*>(fcinfo->flinfo->fn_extra);
    if (digester == nullptr) {
        digester = etag::MakeRecordDigester(fcinfo->flinfo->fn_mcxt);
        fcinfo->flinfo->fn_extra = digester;
    }
    return etag::DigestRecord(digester, PG_GETARG_HEAPTUPLEHEADER(1));
}

// Of the row of which the second argument is the only column.
core::Sha256Digest DigestByteaArgument(FunctionCallInfo fcinfo) {
    auto* digester = static_cast<etag::RowDigester*>(fcinfo->flinfo->fn_extra);
    if (digester == nullptr) {
        TupleDesc desc = CreateTemplateTupleDesc(1);
        TupleDescInitEntry(desc, 1, nullptr, BYTEAOID, -1, 0);
        digester = etag::MakeRowDigester(desc, fcinfo->flinfo->fn_mcxt);
        fcinfo->flinfo->fn_extra = digester;
    }
    const Datum value = fcinfo->args[1].value;
    const bool null = PG_ARGISNULL(1);
    return etag::DigestRow(digester, &value, &null);
}

core::LtHash* NewSet(MemoryContext context) {
    return static_cast<core::LtHash*>(MemoryContextAllocZero(context, sizeof(core::LtHash)));
}

core::LtHash* SetArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? nullptr
                                  : reinterpret_cast<core::LtHash*>(PG_GETARG_POINTER(argument));
}

// One a backend.
const core::LtHash& Expand(const core::Sha256Digest& element) {
    static core::LtHasher hasher;
    return hasher.Expand(element);
}

Datum AddElement(FunctionCallInfo fcinfo, core::Sha256Digest (*digest)(FunctionCallInfo)) {
    const MemoryContext context = AggregateContext(fcinfo);
    core::LtHash* set = SetArgument(fcinfo, 0);
    if (set == nullptr) {
        set = NewSet(context);
    }
    set->Add(Expand(digest(fcinfo)));
    PG_RETURN_POINTER(set);
}

Datum RemoveElement(FunctionCallInfo fcinfo, core::Sha256Digest (*digest)(FunctionCallInfo)) {
    AggregateContext(fcinfo);
    core::LtHash* set = SetArgument(fcinfo, 0);
    if (set == nullptr) {
        throw pg::Error(ERRCODE_INTERNAL_ERROR, "no set to remove a row from");
    }
    set->Subtract(Expand(digest(fcinfo)));
    PG_RETURN_POINTER(set);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_etag_agg_add) {
    const MemoryContext context = AggregateContext(fcinfo);
    auto* list = PG_ARGISNULL(0) ? pg::NewIn<core::ListDigest>(context)
                                 : reinterpret_cast<core::ListDigest*>(PG_GETARG_POINTER(0));
    list->Add(DigestRecordArgument(fcinfo));
    PG_RETURN_POINTER(list);
}

FRESHCRM_FUNCTION(freshcrm_etag_agg_final) {
    AggregateContext(fcinfo);
    const core::Sha256Digest digest =
        PG_ARGISNULL(0) ? core::ListDigest().Get()
                        : reinterpret_cast<core::ListDigest*>(PG_GETARG_POINTER(0))->Get();
    PG_RETURN_TEXT_P(etag::MakeTag(digest));
}

FRESHCRM_FUNCTION(freshcrm_etag_set_add) {
    return AddElement(fcinfo, DigestRecordArgument);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_remove) {
    return RemoveElement(fcinfo, DigestRecordArgument);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_add_bytea) {
    return AddElement(fcinfo, DigestByteaArgument);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_remove_bytea) {
    return RemoveElement(fcinfo, DigestByteaArgument);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_combine) {
    const MemoryContext context = AggregateContext(fcinfo);
    core::LtHash* set = SetArgument(fcinfo, 0);
    const core::LtHash* other = SetArgument(fcinfo, 1);
    if (other == nullptr) {
        if (set == nullptr) {
            PG_RETURN_NULL();
        }
        PG_RETURN_POINTER(set);
    }
    if (set == nullptr) {
        set = NewSet(context);
    }
    set->Add(*other);
    PG_RETURN_POINTER(set);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_serialize) {
    AggregateContext(fcinfo);
    auto* stored = static_cast<bytea*>(palloc(VARHDRSZ + core::kLtHashBytes));
    SET_VARSIZE(stored, VARHDRSZ + core::kLtHashBytes);
    core::WriteLtHash(*SetArgument(fcinfo, 0),
                      std::span<std::uint8_t, core::kLtHashBytes>(
                          reinterpret_cast<std::uint8_t*>(VARDATA(stored)), core::kLtHashBytes));
    PG_RETURN_BYTEA_P(stored);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_deserialize) {
    const bytea* stored = PG_GETARG_BYTEA_PP(0);
    if (VARSIZE_ANY_EXHDR(stored) != core::kLtHashBytes) {
        throw pg::Error(ERRCODE_INVALID_BINARY_REPRESENTATION, "invalid state of etag_set()")
            .Detail("It has " + std::to_string(VARSIZE_ANY_EXHDR(stored)) + " bytes instead of " +
                    std::to_string(core::kLtHashBytes) + ".");
    }
    AggregateContext(fcinfo);
    core::LtHash* set = NewSet(CurrentMemoryContext);
    *set = core::ReadLtHash(std::span<const std::uint8_t, core::kLtHashBytes>(
        reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(stored)), core::kLtHashBytes));
    PG_RETURN_POINTER(set);
}

FRESHCRM_FUNCTION(freshcrm_etag_set_final) {
    AggregateContext(fcinfo);
    const core::LtHash* set = SetArgument(fcinfo, 0);
    static constexpr core::LtHash kEmpty{};
    PG_RETURN_TEXT_P(etag::MakeTag(core::DigestLtHash(set != nullptr ? *set : kEmpty)));
}
