// Rows of freshcrm.table_change: (relation, top transaction, when). They are written and read
// natively, whatever the rights of the session's user, and always in their latest state.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/transam.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"
}

namespace freshcrm::watch {

// By this transaction, of its own change or on behalf of another one that is running.
void AddChange(Oid relation, FullTransactionId xid);

// Whether there is a committed row of it, so that another one on behalf of that transaction, which
// is still running, is not needed.
bool HasChange(Oid relation, FullTransactionId xid);

// The first change of one of the relations, by its time, that is committed, or is this
// transaction's, and that the pg_snapshot does not see. What was recorded on behalf of a
// transaction counts when that has committed, and when it is too old to tell.
bool FindUnseenChange(Datum seen, const List* relations, TimestampTz* at);

// Deletes the changes that every refresh has seen, see freshcrm.forget_seen_changes(). Returns how
// many.
uint64 DeleteSeenChanges();

}  // namespace freshcrm::watch
