// The locks of projections on keys, in the class of advisory locks.
//
// A recompute holds an exclusive lock on each key it recomputes, from before it reads until the end
// of the transaction; the key need not exist. So of two transactions that change what one key
// depends on, the second reads after the first has ended, and sees it.
//
// Lock tags are (database, target table, hash of the key, kind): the kind is a fourth field that
// PostgreSQL's own advisory locks never use. The hash is that of the key's type, which agrees with
// its equality (1.0 and 1.00, citext, collations); two keys of one hash wait for each other without
// need, never the other way round.
//
// Lock order: (1) the projection's own lock, (2) paths, (3) links that are changed, (4) links that
// are made, (5) keys; each ascending by hash. Every lock of keys and links comes with ROW EXCLUSIVE
// on the projection's own lock; a statement or transaction with more keys than one transaction's
// share of the lock table (max_locks_per_transaction) takes EXCLUSIVE on it instead, which excludes
// all others, and no key locks.
#pragma once

#include "projection/keys.hpp"
#include "projection/patching.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// The locks on links (links.hpp) are (database, target table, hash of path and value, another
// kind).
//
// How many keys and links a statement locks one by one.
int MostKeyLocks();

// Locks the links of these hashes, sorted; exclusively for who changes, else in share mode.
void LockLinks(const Projection* projection, const uint32* hashes, int count, bool exclusive);

// Locks a path as a whole (halves.cpp), in a mode that goes with other modes of itself.
void LockPath(const Projection* projection, uint32 hash, LOCKMODE mode);

// Locks the keys of a set and those of patches. May wait; 40P01 on a deadlock, 55P03 on
// lock_timeout.
void LockKeys(Projection* projection, const KeySet* keys, const PatchedKeys* patched = nullptr);

// Locks all keys and links.
void LockAllKeys(const Projection* projection);
bool AllKeysLocked(const Projection* projection);

// Of those who find a restore complete, one at a time (restored.hpp). Returns false when another
// one has the lock and `wait` is not given.
bool LockRestore(Oid target, bool wait);

// Of the one worker of the database, until it gives it back or ends. Returns false when there is
// another.
bool LockWorker();
void UnlockWorker();

}  // namespace freshcrm::projection
