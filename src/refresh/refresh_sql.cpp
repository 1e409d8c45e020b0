#include "pg/entry.hpp"
#include "refresh/refresh.hpp"

extern "C" {
#include "commands/event_trigger.h"
#include "funcapi.h"
}

using namespace freshcrm::refresh;

namespace {

Datum Row(FunctionCallInfo fcinfo, const Outcome& outcome) {
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "a refresh has no columns to return");
    }
    Datum values[] = {
        CStringGetTextDatum(StatusName(outcome.status)),
        outcome.mode != nullptr ? CStringGetTextDatum(outcome.mode) : 0,
        Int64GetDatum(outcome.rows.inserted),
        Int64GetDatum(outcome.rows.updated),
        Int64GetDatum(outcome.rows.deleted),
        Float8GetDatum(outcome.milliseconds),
    };
    bool nulls[] = {false,
                    outcome.mode == nullptr,
                    outcome.rows.inserted < 0,
                    outcome.rows.updated < 0,
                    outcome.rows.deleted < 0,
                    false};
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

void RequireEventTrigger(FunctionCallInfo fcinfo, const char* name) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.%s() was not called by an event trigger", name)));
    }
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_refresh) {
    if (PG_ARGISNULL(0)) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"matview\" must not be NULL"),
                        errhint("Name a materialized view.")));
    }
    const char* mode = PG_ARGISNULL(1) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(1));
    PG_RETURN_DATUM(Row(fcinfo, Refresh(PG_GETARG_OID(0), mode)));
}

FRESHCRM_FUNCTION(freshcrm_refresh_run) {
    PG_RETURN_DATUM(Row(fcinfo, RefreshScheduled(PG_GETARG_OID(0), PG_GETARG_INT64(1))));
}

FRESHCRM_FUNCTION(freshcrm_grant_refresh) {
    GrantRefresh(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), true);
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_revoke_refresh) {
    GrantRefresh(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), false);
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_follow_refresh) {
    RequireEventTrigger(fcinfo, "follow_refresh");
    FollowRefresh();
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_forget_dropped_matviews) {
    RequireEventTrigger(fcinfo, "forget_dropped_matviews");
    ForgetDropped();
    PG_RETURN_NULL();
}
