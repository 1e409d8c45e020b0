#include "pg/entry.hpp"
#include "watch/changes.hpp"
#include "watch/watching.hpp"

extern "C" {
#include "commands/event_trigger.h"
#include "utils/array.h"
}

namespace {

List* OidList(ArrayType* array) {
    Datum* values;
    bool* nulls;
    int count;
    deconstruct_array(array, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &values, &nulls, &count);
    List* oids = NIL;
    for (int i = 0; i < count; ++i) {
        if (!nulls[i]) {
            oids = lappend_oid(oids, DatumGetObjectId(values[i]));
        }
    }
    return oids;
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_note_change) {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.note_change() must be called as a trigger"),
                        errhint("Watch tables with freshcrm.watch_table().")));
    }
    freshcrm::watch::NoteChange(reinterpret_cast<TriggerData*>(fcinfo->context));
    return PointerGetDatum(nullptr);
}

FRESHCRM_FUNCTION(freshcrm_note_command) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.note_command() must be called as an event trigger")));
    }
    freshcrm::watch::NoteCommand(reinterpret_cast<EventTriggerData*>(fcinfo->context)->parsetree);
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_watch_table) {
    if (PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    const Oid role = PG_ARGISNULL(1) ? GetUserId() : PG_GETARG_OID(1);
    PG_RETURN_BOOL(freshcrm::watch::WatchTable(PG_GETARG_OID(0), role));
}

FRESHCRM_FUNCTION(freshcrm_unwatch_table) {
    PG_RETURN_BOOL(freshcrm::watch::UnwatchTable(PG_GETARG_OID(0)));
}

FRESHCRM_FUNCTION(freshcrm_watch_problem) {
    const char* problem = freshcrm::watch::WatchProblem(PG_GETARG_OID(0));
    if (problem == nullptr) {
        PG_RETURN_NULL();
    }
    PG_RETURN_TEXT_P(cstring_to_text(problem));
}

FRESHCRM_FUNCTION(freshcrm_see_changes) {
    Datum seen;
    if (!freshcrm::watch::SeeChanges(OidList(PG_GETARG_ARRAYTYPE_P(0)), &seen)) {
        PG_RETURN_NULL();
    }
    PG_RETURN_DATUM(seen);
}

FRESHCRM_FUNCTION(freshcrm_first_unseen_change) {
    TimestampTz at;
    const List* relations = OidList(PG_GETARG_ARRAYTYPE_P(1));
    if (!freshcrm::watch::FirstUnseenChange(PG_GETARG_DATUM(0), relations, &at)) {
        PG_RETURN_NULL();
    }
    PG_RETURN_TIMESTAMPTZ(at);
}

FRESHCRM_FUNCTION(freshcrm_forget_seen_changes) {
    PG_RETURN_INT64(static_cast<int64>(freshcrm::watch::ForgetSeenChanges()));
}
