// The triggers that make a table a watched one.
//
// freshcrm_watch: after each statement, in every replication role. freshcrm_watch_replica: after
// each row where the role is replica, since a subscriber's apply worker fires no triggers of
// statements but that of TRUNCATE. Rows are in tables and partitions, so that partitioned tables
// have none of the latter.
//
// A statement fires the triggers of the table that it names, and of no other: what reads a
// partition or a child must watch what that is one of, too, and what reads a parent all of its
// children.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::watch {

// Null when every change of the table is noted, or why not: a sentence. A materialized view changes
// by its refreshes only, whoever notes these.
const char* WatchProblem(Oid relation);

// Whether the table has triggers of this kind at all, complete or not.
bool HasWatchTriggers(Oid relation);

// Whether the role may have the table watched: it is the owner or has TRIGGER on it, or on what it
// is a partition of where the owner is the same.
bool MayWatch(Oid relation, Oid role);

// Makes the triggers that are missing, and enables them, on this table alone, as the table's owner;
// returns whether there was anything to do, which counts as a change of the table. Takes a SHARE
// ROW EXCLUSIVE lock on it then. Raises 42809 for what cannot be watched (views, materialized
// views, foreign tables, catalogs, temporary and unlogged tables), and 42501 when `role` may not.
bool WatchTable(Oid relation, Oid role);

// Drops them; returns whether there were any.
bool UnwatchTable(Oid relation);

// At the end of a command that may have changed a watched table otherwise than by its rows: it
// counts as a change of the table, and of what it is a partition or child of.
void NoteCommand();

}  // namespace freshcrm::watch
