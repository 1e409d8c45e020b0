// The tables of sql/refresh.sql: which materialized views are registered, what is known of them,
// and the history of their refreshes. All are read and written as their owner, on their latest
// state.
#pragma once

#include "pg/kept_statement.hpp"
#include "refresh/refresh.hpp"

extern "C" {
#include "nodes/pg_list.h"
}

namespace freshcrm::refresh {

// The owner of the tables. Raises 42P01 where the extension is not complete.
Oid OwnerOfTables();

struct Registered {
    const char* mode;         // of the schedule: auto, concurrently or plain
    int64 statement_timeout;  // ms; 0: none
    int64 lock_timeout;       // likewise
    List* refreshers;         // names of roles
};

// Null when the view is not registered. In the current context.
const Registered* FindRegistered(Oid matview);

// Removes a role from the refreshers, and adds it again if `granted`.
void SetRefresher(Oid matview, const char* role, bool granted);

// What is known of the content of a view.
struct Seen {
    const char* snapshot;  // pg_snapshot; null: not known
    bytea* definition;     // its digest
    List* sources;         // OIDs
};

// A view that nothing is known of has nulls. In the current context.
Seen FindSeen(Oid matview);

// The view has just been refreshed; `rows` is negative when not known.
void RecordRefreshed(Oid matview, const Seen& seen, int64 rows);

// The view has just been found unchanged.
void RecordUnchanged(Oid matview);

// What the content shows is not known any more: somebody else has refreshed the view.
void ForgetSeen(Oid matview);

// Adds a row to the history, or completes the row `id` that says the view is being refreshed.
void RecordRun(Oid matview, int64 id, const char* trigger, TimestampTz started,
               const Outcome& outcome);

}  // namespace freshcrm::refresh
