// SQL: freshcrm.matview_sources(regclass), explain_refresh(regclass), refresh_lints(regclass).
#include "pg/entry.hpp"
#include "refresh/explain.hpp"
#include "refresh/sources.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
}

using namespace freshcrm::refresh;

namespace {

Datum OidArray(const List* oids) {
    auto* values =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(list_length(oids) + 1)));
    ListCell* cell;
    foreach (cell, oids) {
        values[foreach_current_index(cell)] = ObjectIdGetDatum(lfirst_oid(cell));
    }
    return PointerGetDatum(
        construct_array(values, list_length(oids), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

Datum Bytes(const freshcrm::core::Sha256Digest& digest) {
    auto* bytes = static_cast<bytea*>(palloc(VARHDRSZ + digest.size()));
    SET_VARSIZE(bytes, VARHDRSZ + digest.size());
    memcpy(VARDATA(bytes), digest.data(), digest.size());
    return PointerGetDatum(bytes);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_matview_sources) {
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "matview_sources has no columns to return");
    }
    const Sources sources = ReadSources(PG_GETARG_OID(0));
    const char* reason = sources.never_skipped;
    Datum values[] = {OidArray(sources.tables),
                      reason != nullptr ? CStringGetTextDatum(reason) : Datum{0},
                      Bytes(sources.definition)};
    bool nulls[] = {false, reason == nullptr, false};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

FRESHCRM_FUNCTION(freshcrm_explain_refresh) {
    InitMaterializedSRF(fcinfo, 0);
    ExplainSources(PG_GETARG_OID(0), reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_refresh_lints) {
    InitMaterializedSRF(fcinfo, 0);
    LintRefresh(PG_GETARG_OID(0), reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    PG_RETURN_NULL();
}
