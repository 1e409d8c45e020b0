// SQL: freshcrm.etag(VARIADIC "any"), row_etag(record), sha256_hex(text).
#include "etag/row_digest.hpp"
#include "etag/simplify.hpp"
#include "etag/tag.hpp"
#include "pg/entry.hpp"
// The standard library after the server's headers.
#include <cstring>

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/array.h"
}

namespace etag = freshcrm::etag;
namespace core = freshcrm::core;

namespace {

// Of the arguments of a call, or of the element type when they come as one array.
etag::RowDigester* MakeArgumentDigester(FmgrInfo* flinfo, int count, bool as_array) {
    TupleDesc desc = CreateTemplateTupleDesc(count);
    for (int i = 0; i < count; i++) {
        Oid type = get_fn_expr_argtype(flinfo, i);
        if (as_array) {
            type = get_base_element_type(type);
        }
        if (!OidIsValid(type)) {
            throw freshcrm::pg::Error(
                ERRCODE_INDETERMINATE_DATATYPE,
                "could not determine data type of argument " + std::to_string(i + 1));
        }
        TupleDescInitEntry(desc, static_cast<AttrNumber>(i + 1), nullptr, type, -1, 0);
    }
    etag::RowDigester* digester = etag::MakeRowDigester(desc, flinfo->fn_mcxt);
    pfree(desc);
    return digester;
}

core::Sha256Digest DigestArguments(etag::RowDigester* digester, FunctionCallInfo fcinfo) {
    Datum values[FUNC_MAX_ARGS];
    bool nulls[FUNC_MAX_ARGS];
    for (int i = 0; i < PG_NARGS(); i++) {
        values[i] = fcinfo->args[i].value;
        nulls[i] = fcinfo->args[i].isnull;
    }
    return etag::DigestRow(digester, values, nulls);
}

core::Sha256Digest DigestArrayArgument(etag::RowDigester* digester, ArrayType* array) {
    int16 length;
    bool by_value;
    char align;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
    Datum* values;
    bool* nulls;
    int count;
    deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &values, &nulls, &count);
    return etag::DigestElements(digester, values, nulls, count);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_etag) {
    const bool as_array = get_fn_expr_variadic(fcinfo->flinfo);
    if (as_array && PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    auto* digester = static_cast<etag::RowDigester*>(fcinfo->flinfo->fn_extra);
    if (digester == nullptr) {
        digester = MakeArgumentDigester(fcinfo->flinfo, PG_NARGS(), as_array);
        fcinfo->flinfo->fn_extra = digester;
    }
    PG_RETURN_TEXT_P(etag::MakeTag(as_array
                                       ? DigestArrayArgument(digester, PG_GETARG_ARRAYTYPE_P(0))
                                       : DigestArguments(digester, fcinfo)));
}

FRESHCRM_FUNCTION(freshcrm_row_etag) {
    auto* digester = static_cast<etag::RecordDigester*>(fcinfo->flinfo->fn_extra);
    if (digester == nullptr) {
        digester = etag::MakeRecordDigester(fcinfo->flinfo->fn_mcxt);
        fcinfo->flinfo->fn_extra = digester;
    }
    PG_RETURN_TEXT_P(etag::MakeTag(etag::DigestRecord(digester, PG_GETARG_HEAPTUPLEHEADER(0))));
}

// Called by the planner.
FRESHCRM_FUNCTION(freshcrm_row_etag_support) {
    Node* request = reinterpret_cast<Node*>(PG_GETARG_POINTER(0));
    PG_RETURN_POINTER(
        IsA(request, SupportRequestSimplify)
            ? etag::SimplifyRowEtag(reinterpret_cast<const SupportRequestSimplify*>(request))
            : nullptr);
}

FRESHCRM_FUNCTION(freshcrm_sha256_hex) {
    const text* value = PG_GETARG_TEXT_PP(0);
    const char* data = VARDATA_ANY(value);
    std::size_t size = VARSIZE_ANY_EXHDR(value);
    if (size > 0) {
        const char* converted =
            pg_server_to_any(data, static_cast<int>(size), etag::CanonicalEncoding());
        if (converted != data) {
            data = converted;
            size = std::strlen(converted);
        }
    }
    core::Sha256 hash;
    hash.Update(data, size);
    PG_RETURN_TEXT_P(etag::MakeTag(hash.Finish()));
}
