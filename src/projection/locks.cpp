#include "projection/locks.hpp"

extern "C" {
#include "storage/lock.h"
#include "storage/proc.h"
}

#include <algorithm>

namespace freshcrm::projection {

namespace {

// PostgreSQL uses 1 and 2 (lockfuncs.c).
constexpr uint16 kProjectionLock = 17920;
constexpr uint16 kKeyLock = 17921;

LOCKTAG Tag(const Projection* projection, uint32 hash, uint16 kind) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, projection->target, hash, kind);
    return tag;
}

void Lock(const LOCKTAG& tag, LOCKMODE mode) {
    (void)LockAcquire(&tag, mode, false, false);
}

// How many key locks this transaction has taken, over all projections. It counts locks given back
// by a rolled back savepoint too, and so may escalate early, never late.
int CountKeyLocks(int more) {
    static LocalTransactionId transaction = InvalidLocalTransactionId;
    static int count = 0;
    if (transaction != MyProc->lxid) {
        transaction = MyProc->lxid;
        count = 0;
    }
    count += more;
    return count;
}

}  // namespace

void LockAllKeys(const Projection* projection) {
    Lock(Tag(projection, 0, kProjectionLock), ExclusiveLock);
}

void LockKeys(Projection* projection, const KeySet* keys) {
    const LOCKTAG all = Tag(projection, 0, kProjectionLock);
    if (LockHeldByMe(&all, ExclusiveLock)) {
        return;
    }
    if (keys->count > max_locks_per_xact || CountKeyLocks(keys->count) > max_locks_per_xact ||
        !OidIsValid(projection->key_hash.fn_oid)) {
        LockAllKeys(projection);
        return;
    }
    Lock(all, RowExclusiveLock);

    auto* hashes = static_cast<uint32*>(palloc(sizeof(uint32) * static_cast<Size>(keys->count)));
    for (int i = 0; i < keys->count; ++i) {
        hashes[i] = DatumGetUInt32(FunctionCall1Coll(
            &projection->key_hash, projection->lineage->key_collation, keys->values[i]));
    }
    std::sort(hashes, hashes + keys->count);
    const uint32* end = std::unique(hashes, hashes + keys->count);
    for (const uint32* hash = hashes; hash != end; ++hash) {
        Lock(Tag(projection, *hash, kKeyLock), ExclusiveLock);
    }
    pfree(hashes);
}

}  // namespace freshcrm::projection
