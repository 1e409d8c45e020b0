// The SQL functions of conditional requests.
#include "conditional/counts.hpp"
#include "conditional/http.hpp"
#include "conditional/member_names.hpp"
#include "conditional/request.hpp"
#include "conditional/scope.hpp"
#include "core/conditional.hpp"
#include "pg/entry.hpp"
#include "pg/rights.hpp"
#include "projection/row_tag.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/array.h"
#include "utils/jsonb.h"
}

using namespace freshcrm::conditional;
namespace core = freshcrm::core;

namespace {

std::string_view View(const text* value) {
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

std::optional<std::string_view> OptionalArgument(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) {
        return std::nullopt;
    }
    return View(PG_GETARG_TEXT_PP(argument));
}

void RequireArgument(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"%s\" must not be NULL", name)));
    }
}

core::EntityTag ReadTag(std::string_view text) {
    const std::optional<core::EntityTag> tag = core::ReadBareOrEntityTag(text);
    if (!tag) {
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("etag is not an entity tag"),
             errdetail("It may have neither spaces nor controls, and quotes only around it."),
             errhint("Give a version_etag, or an entity tag with its quotes: \"…\" or W/\"…\".")));
    }
    return *tag;
}

const char* JsonText(Jsonb* json) {
    return JsonbToCString(nullptr, &json->root, VARSIZE(json));
}

constexpr const char* kWholeScope = "{}";

}  // namespace

// etag, if_none_match, if_match, method, exists
FRESHCRM_FUNCTION(freshcrm_conditional) {
    core::ConditionalRequest request{};
    request.if_none_match = OptionalArgument(fcinfo, 1);
    request.if_match = OptionalArgument(fcinfo, 2);
    request.method = OptionalArgument(fcinfo, 3).value_or("GET");
    request.exists = PG_ARGISNULL(4) ? !PG_ARGISNULL(0) : PG_GETARG_BOOL(4);
    if (!core::IsMethod(request.method)) {
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("method is not an HTTP method"),
                 errhint("Methods are words such as GET and PUT, in capitals.")));
    }
    core::EntityTag tag{};
    if (const auto etag = OptionalArgument(fcinfo, 0)) {
        tag = ReadTag(*etag);
        request.current = &tag;
    }
    PG_RETURN_INT32(core::Evaluate(request));
}

// projection, key, if_match
FRESHCRM_FUNCTION(freshcrm_check_match) {
    RequireArgument(fcinfo, 0, "projection");
    const Oid projection = PG_GETARG_OID(0);
    const Oid type = get_fn_expr_argtype(fcinfo->flinfo, 1);
    if (!OidIsValid(type)) {
        ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
                        errmsg("could not determine the data type of argument \"key\""),
                        errhint("Cast it to the type of the key.")));
    }
    const freshcrm::projection::RowTag row =
        freshcrm::projection::LockRowTag(projection, type, fcinfo->args[1]);
    if (const auto if_match = OptionalArgument(fcinfo, 2)) {
        core::EntityTag tag{row.tag != nullptr ? row.tag : "", false};
        const int status =
            core::Evaluate({"PUT", if_match, std::nullopt, row.tag != nullptr, &tag});
        CountResponse(projection, kWholeScope, status);
        if (status != core::kStatusOk) {
            RaisePreconditionFailed(row.tag);
        }
    }
    if (row.newer) {
        ereport(ERROR,
                (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                 errmsg("could not serialize access due to concurrent update"),
                 errdetail("The row of the projection was changed after the transaction began."),
                 errhint("Retry the transaction.")));
    }
    if (row.tag == nullptr) {
        PG_RETURN_NULL();
    }
    PG_RETURN_TEXT_P(cstring_to_text(row.tag));
}

// status, message, details, hint, headers
FRESHCRM_FUNCTION(freshcrm_raise_response) {
    RequireArgument(fcinfo, 0, "status");
    RequireArgument(fcinfo, 1, "message");
    Response response{};
    response.status = PG_GETARG_INT32(0);
    if (response.status < 100 || response.status > 599) {
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("the status of a response is from 100 to 599, not %d", response.status)));
    }
    const auto argument = [&](int i) {
        return PG_ARGISNULL(i) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(i));
    };
    response.message = argument(1);
    response.detail = argument(2);
    response.hint = argument(3);
    response.headers = PG_ARGISNULL(4) ? nullptr : JsonText(PG_GETARG_JSONB_P(4));
    RaiseResponse(response);
}

// projection, scope, status
FRESHCRM_FUNCTION(freshcrm_count_response) {
    const Oid projection = PG_GETARG_OID(0);
    freshcrm::pg::CheckMayRead(projection);
    CountResponse(projection, JsonText(PG_GETARG_JSONB_P(1)), PG_GETARG_INT32(2));
    PG_RETURN_INT32(PG_GETARG_INT32(2));
}

FRESHCRM_FUNCTION(freshcrm_response_counts) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    ListCell* cell;
    foreach (cell, CountsResponses() ? ReadResponseCounts() : NIL) {
        const auto* counted = static_cast<Counted*>(lfirst(cell));
        const bool named = OidIsValid(counted->projection);
        Datum values[] = {ObjectIdGetDatum(counted->projection),
                          named ? CStringGetTextDatum(counted->scope) : Datum{},
                          UInt64GetDatum(counted->not_modified), UInt64GetDatum(counted->ok),
                          UInt64GetDatum(counted->precondition_failed)};
        bool nulls[lengthof(values)] = {!named, !named};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_counts_responses) {
    PG_RETURN_BOOL(CountsResponses());
}

FRESHCRM_FUNCTION(freshcrm_requested_table) {
    const Oid table = RequestedTable();
    if (!OidIsValid(table)) {
        PG_RETURN_NULL();
    }
    PG_RETURN_OID(table);
}

FRESHCRM_FUNCTION(freshcrm_scope_condition) {
    PG_RETURN_TEXT_P(cstring_to_text(ScopeCondition(PG_GETARG_OID(0), PG_GETARG_JSONB_P(1))));
}

FRESHCRM_FUNCTION(freshcrm_member_names) {
    const List* names = MemberNames(PG_GETARG_OID(0));
    auto* texts =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(list_length(names))));
    int count = 0;
    ListCell* cell;
    foreach (cell, names) {
        texts[count++] = CStringGetTextDatum(static_cast<char*>(lfirst(cell)));
    }
    PG_RETURN_ARRAYTYPE_P(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
}
