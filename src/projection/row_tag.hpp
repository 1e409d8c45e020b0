// The tag of one row, as it is and stays until the end of the transaction.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

struct RowTag {
    const char* tag;  // version_etag; null: there is no such row, or none that the caller may see
    bool newer;       // above READ COMMITTED: it is not what the transaction's snapshot sees
};

// Locks the key of the projection `target` as a recompute does (locks.hpp), then reads the row's
// tag with a fresh snapshot, with the rights of the current user, who needs SELECT on the target
// and nothing else. From then on nobody can change the row, nor lock its key, until the transaction
// ends; the row need not exist. A NULL key has no row and is not locked.
//
// The tag is that of what is committed, and of what the transaction itself has written, whatever
// the mode: what waits for the end of the transaction (commit) is flushed before, and the row of a
// projection that may be behind its view (async, on_error stale, or with a problem) is recomputed,
// for which the transaction must not be read only (25006).
//
// Raises 42704 for what is no projection, 42501 without SELECT, 55000 for one that was restored and
// not verified yet or that is made of others that may be behind, what ReadKey() raises (see
// key_argument.hpp), 40P01 and 55P03 as a wait for locks does, and what recomputing raises.
RowTag LockRowTag(Oid target, Oid key_type, const NullableDatum& key);

// Whether the table is a projection that is kept, with no restore to be looked at first.
bool IsKept(Oid table);

}  // namespace freshcrm::projection
