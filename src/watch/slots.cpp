#include "watch/slots.hpp"

#include "pg/shared_memory.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
}

namespace freshcrm::watch {

// Writers read it and write nothing in it, but once after each refresh.
struct alignas(64) Slot {
    pg_atomic_uint64 of;  // database and table; changed under Shared::lock; 0: free
    pg_atomic_uint32 seeing;
    pg_atomic_uint64 epoch;
    pg_atomic_uint64 dirty;
    uint64 seen_at;  // in refreshes of all tables; by Shared::lock
};

namespace {

constexpr int kSpareSlots = 256;
constexpr int kPreloadedSlots = 2048;

// Another layout needs another name, and then slots of this one must not be trusted any more:
// sessions that began before an upgrade have them.
constexpr const char* kName = "freshcrm watch 1";

struct Shared {
    LWLock lock;  // of which table has which slot
    int count;
    uint64 refreshes;  // by the lock
    // Refreshes that are taking their snapshot of a table without a slot: none is given to a table
    // meanwhile. Raised under the lock.
    pg_atomic_uint32 without_slot;
    // How often a table was given a slot. A session looks for slots that it has not found again
    // when it has changed; likewise when `without_slot` falls.
    pg_atomic_uint32 given;
    Slot slots[FLEXIBLE_ARRAY_MEMBER];
};

Shared* shared = nullptr;
bool unavailable = false;

// Where this session has found slots, or has found that there is none.
struct Known {
    Oid relation;
    uint32 given;  // for null
    Slot* slot;
};
constexpr uint32 kKnown = 1024;
Known known[kKnown];

// What BeginSeeing() has raised.
Slot** seen = nullptr;
int seen_count = 0;
bool seen_without_slot = false;

Size SizeOf(int count) {
    return offsetof(Shared, slots) + sizeof(Slot) * static_cast<Size>(count);
}

// Raises when there is no memory for it.
void Attach(int count) {
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto* existing = static_cast<Shared*>(ShmemInitStruct(kName, SizeOf(count), &found));
    if (!found) {
        LWLockInitialize(&existing->lock, LWLockNewTrancheId());
        existing->count = count;
        existing->refreshes = 0;
        pg_atomic_init_u32(&existing->without_slot, 0);
        pg_atomic_init_u32(&existing->given, 0);
        for (int i = 0; i < count; ++i) {
            Slot* slot = &existing->slots[i];
            pg_atomic_init_u64(&slot->of, 0);
            pg_atomic_init_u32(&slot->seeing, 0);
            pg_atomic_init_u64(&slot->epoch, 0);
            pg_atomic_init_u64(&slot->dirty, 0);
            slot->seen_at = 0;
        }
    }
    LWLockRelease(AddinShmemInitLock);
    shared = existing;
}

void NameTranche() {
    LWLockRegisterTranche(shared->lock.tranche, "FreshcrmWatch");
}

uint64 Identity(Oid relation) {
    return (static_cast<uint64>(MyDatabaseId) << 32) | relation;
}

// Under the lock.
Slot* Find(uint64 identity) {
    for (int i = 0; i < shared->count; ++i) {
        if (pg_atomic_read_u64(&shared->slots[i].of) == identity) {
            return &shared->slots[i];
        }
    }
    return nullptr;
}

// Under the exclusive lock. A new epoch makes the slot one of a table that is not known to be
// dirty, and what sessions still have of the last table harmless.
Slot* Give(Slot* slot, uint64 identity) {
    pg_atomic_fetch_add_u64(&slot->epoch, 1);
    slot->seen_at = shared->refreshes;
    pg_atomic_write_u64(&slot->of, identity);
    pg_atomic_fetch_add_u32(&shared->given, 1);
    return slot;
}

Slot* FindOrTakeFree(uint64 identity) {
    LWLockAcquire(&shared->lock, LW_SHARED);
    Slot* slot = Find(identity);
    const bool full = Find(0) == nullptr;
    LWLockRelease(&shared->lock);
    if (slot != nullptr || full) {
        return slot;
    }
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    slot = Find(identity);
    if (slot == nullptr && pg_atomic_read_u32(&shared->without_slot) == 0) {
        slot = Find(0);
        if (slot != nullptr) {
            Give(slot, identity);
        }
    }
    LWLockRelease(&shared->lock);
    return slot;
}

// Of those that nobody is seeing. Under the exclusive lock.
Slot* LongestNotSeen() {
    Slot* oldest = nullptr;
    for (int i = 0; i < shared->count; ++i) {
        Slot* slot = &shared->slots[i];
        if (pg_atomic_read_u32(&slot->seeing) == 0 &&
            (oldest == nullptr || slot->seen_at < oldest->seen_at)) {
            oldest = slot;
        }
    }
    return oldest;
}

// Under the exclusive lock. Null when there is none that could be taken, for which `without_slot`
// must have been raised, or be raised before the lock is given back.
Slot* FindOrTake(uint64 identity) {
    Slot* slot = Find(identity);
    if (slot != nullptr || pg_atomic_read_u32(&shared->without_slot) > 0) {
        return slot;
    }
    slot = Find(0);
    if (slot == nullptr) {
        slot = LongestNotSeen();
    }
    return slot != nullptr ? Give(slot, identity) : nullptr;
}

void Request() {
    RequestAddinShmemSpace(CACHELINEALIGN(SizeOf(kPreloadedSlots)));
}

void AttachPreloaded() {
    Attach(kPreloadedSlots);
    NameTranche();
}

}  // namespace

// Shared memory is not given back, so that a second attempt would fail as well, and that of another
// session, too. Nothing in Attach() needs memory of the session's own, so that this is the only
// reason why it may fail: were it to fail in one session only, that one would miss writers.
void AttachSlots() {
    if (shared == nullptr && !unavailable && !IsInParallelMode()) {
        if (pg::Attempt([] { Attach(kSpareSlots); })) {
            NameTranche();
        } else {
            unavailable = true;
        }
    }
}

Slot* FindSlot(Oid relation) {
    if (shared == nullptr) {
        return nullptr;
    }
    const uint64 identity = Identity(relation);
    Known* place = &known[relation % kKnown];
    if (place->relation == relation) {
        Slot* slot = place->slot;
        if (slot != nullptr ? pg_atomic_read_u64(&slot->of) == identity
                            : place->given == pg_atomic_read_u32(&shared->given)) {
            return slot;
        }
    }
    const uint32 given = pg_atomic_read_u32(&shared->given);
    *place = {relation, given, FindOrTakeFree(identity)};
    return place->slot;
}

// `seeing` is read first: who has ended it has raised the epoch before. The epoch is read after
// `dirty`: as both only grow and dirty is never above, they were equal in between if they are read
// as equal. It is read once more after `of`: as it grows before the slot is given to another table,
// the slot was this one's all the time if it is the same.
Look LookAt(Slot* slot, Oid relation) {
    const uint32 seeing = pg_atomic_read_u32(&slot->seeing);
    pg_read_barrier();
    const uint64 dirty = pg_atomic_read_u64(&slot->dirty);
    pg_read_barrier();
    const uint64 epoch = pg_atomic_read_u64(&slot->epoch);
    pg_read_barrier();
    const uint64 of = pg_atomic_read_u64(&slot->of);
    pg_read_barrier();
    if (seeing > 0 || of != Identity(relation) || pg_atomic_read_u64(&slot->epoch) != epoch) {
        return {false, 0};
    }
    return {dirty == epoch, epoch};
}

void SetDirty(Slot* slot, uint64 epoch) {
    uint64 current = pg_atomic_read_u64(&slot->dirty);
    while (current < epoch && !pg_atomic_compare_exchange_u64(&slot->dirty, &current, epoch)) {
    }
}

void BeginSeeing(const List* relations) {
    if (shared == nullptr) {
        return;
    }
    EndSeeing();
    seen = static_cast<Slot**>(MemoryContextAlloc(
        TopMemoryContext, sizeof(Slot*) * static_cast<Size>(list_length(relations) + 1)));
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    ++shared->refreshes;
    ListCell* cell;
    foreach (cell, relations) {
        Slot* slot = FindOrTake(Identity(lfirst_oid(cell)));
        if (slot != nullptr) {
            slot->seen_at = shared->refreshes;
            pg_atomic_fetch_add_u32(&slot->seeing, 1);
            seen[seen_count++] = slot;
        } else if (!seen_without_slot) {
            pg_atomic_fetch_add_u32(&shared->without_slot, 1);
            seen_without_slot = true;
        }
    }
    LWLockRelease(&shared->lock);
}

// Also where no snapshot was taken: an epoch more is harmless.
void EndSeeing() {
    for (int i = 0; i < seen_count; ++i) {
        pg_atomic_fetch_add_u64(&seen[i]->epoch, 1);
        pg_atomic_fetch_sub_u32(&seen[i]->seeing, 1);
    }
    seen_count = 0;
    if (seen != nullptr) {
        pfree(seen);
        seen = nullptr;
    }
    if (seen_without_slot) {
        seen_without_slot = false;
        pg_atomic_fetch_sub_u32(&shared->without_slot, 1);
        pg_atomic_fetch_add_u32(&shared->given, 1);
    }
}

void InitSlots() {
    pg::ShareMemory<Request, AttachPreloaded>();
}

}  // namespace freshcrm::watch
