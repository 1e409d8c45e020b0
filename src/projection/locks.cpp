#include "projection/locks.hpp"

#include "pg/transaction.hpp"

extern "C" {
#include "common/hashfn.h"
#include "storage/lock.h"
}

#include <algorithm>
#include <climits>

namespace freshcrm::projection {

namespace {

// PostgreSQL uses 1 and 2 (lockfuncs.c).
constexpr uint16 kProjectionLock = 17920;
constexpr uint16 kKeyLock = 17921;
constexpr uint16 kLinkLock = 17922;
constexpr uint16 kRestoreLock = 17923;
constexpr uint16 kPathLock = 17924;
constexpr uint16 kWorkerLock = 17925;

LOCKTAG Tag(const Projection* projection, uint32 hash, uint16 kind) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, projection->target, hash, kind);
    return tag;
}

LOCKTAG WorkerTag() {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, kWorkerLock);
    return tag;
}

void Lock(const LOCKTAG& tag, LOCKMODE mode) {
    (void)LockAcquire(&tag, mode, false, false);
}

// How many keys and links this transaction has locked, over all projections. It counts locks given
// back by a rolled back savepoint too, and so may escalate early, never late.
int CountKeyLocks(int more) {
    static LocalTransactionId transaction = InvalidLocalTransactionId;
    static int count = 0;
    if (transaction != pg::CurrentTransactionNumber()) {
        transaction = pg::CurrentTransactionNumber();
        count = 0;
    }
    count += more;
    return count;
}

bool Hashable(const Projection* projection) {
    return std::all_of(projection->keys, projection->keys + projection->key_count,
                       [](const Key& key) { return OidIsValid(key.hash.fn_oid); });
}

uint32 Hash(Projection* projection, const Datum* tuple) {
    uint32 hash = 0;
    for (int i = 0; i < projection->key_count; ++i) {
        Key* key = &projection->keys[i];
        hash = hash_combine(
            hash, DatumGetUInt32(FunctionCall1Coll(&key->hash, key->collation, tuple[i])));
    }
    return hash;
}

// Whether more keys and links can be locked one by one; then the projection's own lock is held as
// that needs. Else all is locked.
bool LockFew(const Projection* projection, int more, bool hashable) {
    if (AllKeysLocked(projection)) {
        return false;
    }
    if (!hashable || more > max_locks_per_xact || CountKeyLocks(more) > max_locks_per_xact) {
        LockAllKeys(projection);
        return false;
    }
    Lock(Tag(projection, 0, kProjectionLock), RowExclusiveLock);
    return true;
}

}  // namespace

int MostKeyLocks() {
    return max_locks_per_xact;
}

void LockAllKeys(const Projection* projection) {
    Lock(Tag(projection, 0, kProjectionLock), ExclusiveLock);
}

bool AllKeysLocked(const Projection* projection) {
    const LOCKTAG all = Tag(projection, 0, kProjectionLock);
    return LockHeldByMe(&all, ExclusiveLock);
}

bool LockRestore(Oid target, bool wait) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, target, 0, kRestoreLock);
    return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void LockLinks(const Projection* projection, const uint32* hashes, int count, bool exclusive) {
    if (count == 0 || !LockFew(projection, count, true)) {
        return;
    }
    for (int i = 0; i < count; ++i) {
        Lock(Tag(projection, hashes[i], kLinkLock), exclusive ? ExclusiveLock : ShareLock);
    }
}

void LockPath(const Projection* projection, uint32 hash, LOCKMODE mode) {
    if (LockFew(projection, 1, true)) {
        Lock(Tag(projection, hash, kPathLock), mode);
    }
}

void LockKeys(Projection* projection, const KeySet* keys, const PatchedKeys* patched) {
    const int more = patched == nullptr ? 0 : patched->count;
    const int count = keys->count + more;
    if (!LockFew(projection, keys->spill != nullptr ? INT_MAX : count, Hashable(projection))) {
        return;
    }
    auto* hashes = static_cast<uint32*>(palloc(sizeof(uint32) * static_cast<Size>(count)));
    for (int i = 0; i < keys->count; ++i) {
        hashes[i] = Hash(projection, Tuple(keys, i));
    }
    for (int i = 0; i < more; ++i) {
        hashes[keys->count + i] = Hash(projection, patched->items[i].key);
    }
    std::sort(hashes, hashes + count);
    const uint32* end = std::unique(hashes, hashes + count);
    for (const uint32* hash = hashes; hash != end; ++hash) {
        Lock(Tag(projection, *hash, kKeyLock), ExclusiveLock);
    }
    pfree(hashes);
}

bool LockWorker() {
    const LOCKTAG tag = WorkerTag();
    return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void UnlockWorker() {
    const LOCKTAG tag = WorkerTag();
    (void)LockRelease(&tag, ExclusiveLock, true);
}

}  // namespace freshcrm::projection
