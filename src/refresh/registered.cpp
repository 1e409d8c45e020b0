#include "refresh/registered.hpp"

#include "pg/names.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

#include <cstring>

namespace freshcrm::refresh {

namespace {

bool null_column;

// Of the first row of the result.
Datum Column(int column) {
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &null_column);
}

// A copy that outlives SPI, in the context that the caller of RunKept() is in.
void* Keep(MemoryContext context, const void* value, Size size) {
    return std::memcpy(MemoryContextAlloc(context, size), value, size);
}

List* KeepNames(MemoryContext context, Datum array) {
    Datum* names;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names,
                      nullptr, &count);
    const MemoryContext caller = MemoryContextSwitchTo(context);
    List* kept = NIL;
    for (int i = 0; i < count; ++i) {
        kept = lappend(kept, pstrdup(NameStr(*DatumGetName(names[i]))));
    }
    MemoryContextSwitchTo(caller);
    return kept;
}

List* KeepOids(MemoryContext context, Datum array) {
    Datum* oids;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), OIDOID, sizeof(Oid), true, TYPALIGN_INT, &oids,
                      nullptr, &count);
    const MemoryContext caller = MemoryContextSwitchTo(context);
    List* kept = NIL;
    for (int i = 0; i < count; ++i) {
        kept = lappend_oid(kept, DatumGetObjectId(oids[i]));
    }
    MemoryContextSwitchTo(caller);
    return kept;
}

Datum OidArray(const List* oids) {
    const int count = list_length(oids);
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; ++i) {
        values[i] = ObjectIdGetDatum(list_nth_oid(oids, i));
    }
    return PointerGetDatum(construct_array(values, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

char NullWhen(bool null) {
    return null ? 'n' : ' ';
}

}  // namespace

Oid OwnerOfTables() {
    const Oid schema = get_namespace_oid("freshcrm", true);
    const Oid table = OidIsValid(schema) ? get_relname_relid("matview", schema) : InvalidOid;
    if (!OidIsValid(table)) {
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table freshcrm.matview does not exist"),
                 errhint("Create the extension freshcrm in this database.")));
    }
    return pg::OwnerOfRelation(table);
}

const Registered* FindRegistered(Oid matview) {
    static pg::KeptStatement find = {
        "SELECT mode, coalesce((extract(epoch FROM statement_timeout) * 1000)::bigint, 0), "
        "(extract(epoch FROM lock_timeout) * 1000)::bigint, refreshers "
        "FROM freshcrm.matview WHERE matview = $1",
        1,
        {OIDOID},
        nullptr};
    const MemoryContext caller = CurrentMemoryContext;
    Registered* found = nullptr;
    Datum value = ObjectIdGetDatum(matview);
    pg::RunKept(&find, OwnerOfTables(), &value, nullptr, true, [&] {
        if (SPI_processed == 0) {
            return;
        }
        found = static_cast<Registered*>(MemoryContextAlloc(caller, sizeof(Registered)));
        const char* mode = TextDatumGetCString(Column(1));
        found->mode = static_cast<char*>(Keep(caller, mode, std::strlen(mode) + 1));
        found->statement_timeout = DatumGetInt64(Column(2));
        found->lock_timeout = DatumGetInt64(Column(3));
        found->refreshers = KeepNames(caller, Column(4));
    });
    return found;
}

void SetRefresher(Oid matview, const char* role, bool granted) {
    static pg::KeptStatement set = {
        "UPDATE freshcrm.matview SET refreshers = CASE WHEN $3 THEN array_remove(refreshers, $2) "
        "|| $2 "
        "ELSE array_remove(refreshers, $2) END WHERE matview = $1",
        3,
        {OIDOID, NAMEOID, BOOLOID},
        nullptr};
    NameData name;
    namestrcpy(&name, role);
    Datum values[] = {ObjectIdGetDatum(matview), NameGetDatum(&name), BoolGetDatum(granted)};
    pg::RunKept(&set, OwnerOfTables(), values, nullptr, false, [] {});
}

Seen FindSeen(Oid matview) {
    static pg::KeptStatement find = {
        "SELECT seen::text, definition, sources FROM freshcrm.matview_state "
        "WHERE matview = $1 AND seen IS NOT NULL "
        "AND system = (SELECT system_identifier FROM pg_control_system())",
        1,
        {OIDOID},
        nullptr};
    const MemoryContext caller = CurrentMemoryContext;
    Seen seen{};
    Datum value = ObjectIdGetDatum(matview);
    pg::RunKept(&find, OwnerOfTables(), &value, nullptr, true, [&] {
        if (SPI_processed == 0) {
            return;
        }
        const char* snapshot = TextDatumGetCString(Column(1));
        seen.snapshot = static_cast<char*>(Keep(caller, snapshot, std::strlen(snapshot) + 1));
        const bytea* definition = DatumGetByteaPP(Column(2));
        seen.definition = static_cast<bytea*>(Keep(caller, definition, VARSIZE_ANY(definition)));
        seen.sources = KeepOids(caller, Column(3));
    });
    return seen;
}

void RecordRefreshed(Oid matview, const Seen& seen, int64 rows) {
    static pg::KeptStatement record = {
        "INSERT INTO freshcrm.matview_state AS s "
        "(matview, system, seen, definition, sources, refreshed_at, checked_at, rows) "
        "SELECT $1, system_identifier, $2::pg_snapshot, $3, $4, clock_timestamp(), "
        "clock_timestamp(), $5 FROM pg_control_system() "
        "ON CONFLICT (matview) DO UPDATE SET system = excluded.system, seen = excluded.seen, "
        "definition = excluded.definition, sources = excluded.sources, "
        "refreshed_at = excluded.refreshed_at, checked_at = excluded.checked_at, "
        "rows = excluded.rows, failures = 0, given_up = false, "
        "next_due = CASE WHEN s.failures = 0 THEN s.next_due END",
        5,
        {OIDOID, TEXTOID, BYTEAOID, OIDARRAYOID, INT8OID},
        nullptr};
    const bool known = seen.snapshot != nullptr;
    Datum values[] = {ObjectIdGetDatum(matview), known ? CStringGetTextDatum(seen.snapshot) : 0,
                      PointerGetDatum(seen.definition), OidArray(seen.sources),
                      Int64GetDatum(rows)};
    const char nulls[] = {' ', NullWhen(!known),   NullWhen(seen.definition == nullptr),
                          ' ', NullWhen(rows < 0), '\0'};
    pg::RunKept(&record, OwnerOfTables(), values, nulls, false, [] {});
}

void RecordUnchanged(Oid matview) {
    static pg::KeptStatement record = {
        "UPDATE freshcrm.matview_state SET checked_at = clock_timestamp(), failures = 0, "
        "given_up = false, next_due = CASE WHEN failures = 0 THEN next_due END WHERE matview = $1",
        1,
        {OIDOID},
        nullptr};
    Datum value = ObjectIdGetDatum(matview);
    pg::RunKept(&record, OwnerOfTables(), &value, nullptr, false, [] {});
}

void ForgetSeen(Oid matview) {
    static pg::KeptStatement forget = {
        "UPDATE freshcrm.matview_state SET seen = NULL, rows = NULL, refreshed_at = "
        "clock_timestamp() WHERE matview = $1",
        1,
        {OIDOID},
        nullptr};
    Datum value = ObjectIdGetDatum(matview);
    pg::RunKept(&forget, OwnerOfTables(), &value, nullptr, false, [] {});
}

void RecordRun(Oid matview, int64 id, const char* trigger, TimestampTz started,
               const Outcome& outcome) {
    static pg::KeptStatement insert = {
        "INSERT INTO freshcrm.refresh_history (matview, name, status, mode, rows_inserted, "
        "rows_updated, rows_deleted, sqlstate, error, trigger, started_at, ended_at, pid) "
        "VALUES ($1, $1::regclass::text, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp(), "
        "pg_backend_pid())",
        10,
        {OIDOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID,
         TIMESTAMPTZOID},
        nullptr};
    static pg::KeptStatement complete = {
        "UPDATE freshcrm.refresh_history SET status = $2, mode = $3, rows_inserted = $4, "
        "rows_updated = $5, rows_deleted = $6, sqlstate = $7, error = $8, "
        "ended_at = clock_timestamp() WHERE matview = $1 AND id = $9",
        9,
        {OIDOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, INT8OID},
        nullptr};
    const bool failed = outcome.status == Status::kFailed;
    const RowCounts& rows = outcome.rows;
    Datum values[] = {
        ObjectIdGetDatum(matview),
        CStringGetTextDatum(StatusName(outcome.status)),
        outcome.mode != nullptr ? CStringGetTextDatum(outcome.mode) : 0,
        Int64GetDatum(rows.inserted),
        Int64GetDatum(rows.updated),
        Int64GetDatum(rows.deleted),
        failed ? CStringGetTextDatum(unpack_sql_state(outcome.sqlstate)) : 0,
        failed ? CStringGetTextDatum(outcome.error) : 0,
        id == 0 ? CStringGetTextDatum(trigger) : Int64GetDatum(id),
        TimestampTzGetDatum(started),
    };
    const char nulls[] = {' ',
                          ' ',
                          NullWhen(outcome.mode == nullptr),
                          NullWhen(rows.inserted < 0),
                          NullWhen(rows.updated < 0),
                          NullWhen(rows.deleted < 0),
                          NullWhen(!failed),
                          NullWhen(!failed),
                          ' ',
                          ' ',
                          '\0'};
    pg::RunKept(id == 0 ? &insert : &complete, OwnerOfTables(), values, nulls, false, [] {});
}

}  // namespace freshcrm::refresh
