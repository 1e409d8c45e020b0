// Whether a watched table has changed since a snapshot: exact, and bound to the commit.
//
// Truth is in rows (relation, transaction, time) of freshcrm.table_change that the writing
// transaction itself inserts, so that they are there when and only when it commits: whatever
// becomes of it by savepoints, PREPARE TRANSACTION, a crash. A table has changed since a
// pg_snapshot `seen` when there is a row of it whose transaction is not visible in `seen` and is
// committed.
//
// A writer need not insert one where one is known to be there that no snapshot sees which a refresh
// has taken (slots.hpp). Let a slot be of one table:
//
//   writer, after it has changed rows              refresh, before the statement that reads
//   (it has the table's lock and an id)
//    W1 a full barrier                              S1 seeing++
//    W2 seeing == 0 and dirty == epoch: done        S2 for each other holder of a writer's lock
//    W3 insert a row of its own; remember the          that has an id: insert a row on its behalf
//       epoch of W2, if seeing was 0                S3 take the snapshot; its own id is running
//    W4 when it is committed for everybody:         S4 epoch++, then seeing--
//       dirty = max(dirty, epoch of W3)
//
// Claim: if a writer's changes are not visible in a refresh's snapshot S, and the writer commits,
// then a row says so that is not visible in S, by the time that the changes are visible.
//  1. The writer had its lock and id when S2 looked: the row is inserted on its behalf. Had it
//  ended
//     by then, it had for everybody, since locks are given back after that: it is visible in S.
//  2. Else it changes rows after S2 looked. The latch of the lock table, or the barriers between
//  its
//     id and W2 and between S1 and S2, make its W2 see S1. So
//     a. seeing > 0: it inserts a row of its own, which is visible when the changes are.
//     b. seeing == 0: the refresh has done S4, and the epoch is one of after S4. If W2 ends it
//     here,
//        the writer that set dirty had read this epoch at its own W2, and had not committed then.
//        So it had not at S3, and its row is not visible in S; it is committed, by W4.
//  When W2 ends it before S1, case 1 holds: its lock and id were there before S2 looked.
// A transaction that has a row of its own needs no other: it is visible as a whole or not at all.
//
// Who has changed the table and takes a snapshot in the same transaction has its own changes in
// what it reads, and yet they count as not seen: later ones cannot be told from them.
//
// The ids that a snapshot sees are not given again after a crash: what has ended has left a record
// in the log before, and the log is there up to the commit of who keeps the snapshot.
//
// VACUUM and ANALYZE hold a lock that looks like a writer's: what is recorded on their behalf costs
// a refresh that was not needed, when they happen to have an id.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "commands/trigger.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"
}

namespace freshcrm::watch {

// The body of freshcrm.note_change(). Raises 39P01 when it is not called AFTER. A statement that
// has changed no row is left out, as far as the server's counters tell: not with track_counts off,
// not for tables with children, nor for other table access methods.
void NoteChange(const TriggerData* trigger);

// This transaction has changed, or will change, the table, and holds a writer's lock on it (ROW
// EXCLUSIVE, SHARE UPDATE EXCLUSIVE or stronger) to its end. Also of materialized views.
void NoteChange(Oid relation);

// The same without a promise about locks: a row is always inserted, once a transaction.
void NoteUnlockedChange(Oid table);

// To be called before the statement that reads, in its transaction. *seen is a pg_snapshot in the
// current context: relations of which FirstUnseenChange() finds nothing have not changed since the
// statement, if this transaction commits. False where that cannot be known: above READ COMMITTED,
// where the statement reads with an older snapshot, in a read-only transaction, and in rare cases
// of prepared transactions. `relations` are OIDs: those that are read, their partitions and
// children, and what they are partitions and children of.
bool SeeChanges(const List* relations, Datum* seen);

// Whether a change of one of the relations is committed, or made by this transaction, and not seen;
// *at, unless `at` is null, is when the first of them was recorded. It is in the latest state,
// whatever the isolation level.
bool FirstUnseenChange(Datum seen, const List* relations, TimestampTz* at);

// Deletes what all refreshes have seen, unless one is under way. Returns how many rows.
uint64 ForgetSeenChanges();

// Once a backend, or in the postmaster when preloaded.
void InitChanges();

}  // namespace freshcrm::watch
