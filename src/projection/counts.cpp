#include "projection/counts.hpp"

#include "pg/shared_memory.hpp"
#include "pg/subtransaction.hpp"
#include "projection/definition.hpp"

extern "C" {
#include "access/xact.h"
#include "nodes/pg_list.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/syscache.h"
}

namespace freshcrm::projection {

namespace {

// What is to spare is not much, and the lock table lives on it, too.
constexpr int kSlots = 128;

// Another layout needs another name: sessions that began before an upgrade have the old one.
constexpr const char* kName = "freshcrm counts 1";

// An id is given once for each table of definitions, which CREATE EXTENSION makes anew.
struct Identity {
    Oid database;  // invalid: the slot is free
    Oid definitions;
    int32 id;
};

struct alignas(64) Slot {
    Identity of;  // by Shared::lock
    pg_atomic_uint64 counts[kCounts];
};

struct Shared {
    LWLock lock;  // of who has which slot
    // How often slots were freed; raised under the lock, read without it. A session that finds it
    // raised looks for its slot again.
    pg_atomic_uint32 freed;
    Slot slots[kSlots];
};

Shared* shared = nullptr;
bool unavailable = false;

void InitShared(Shared* fresh) {
    LWLockInitialize(&fresh->lock, LWLockNewTrancheId());
    pg_atomic_init_u32(&fresh->freed, 0);
    for (Slot& slot : fresh->slots) {
        slot.of = {};
        for (pg_atomic_uint64& count : slot.counts) {
            pg_atomic_init_u64(&count, 0);
        }
    }
}

// Raises when there is no memory for it, or another layout under the name.
void Attach() {
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto* existing = static_cast<Shared*>(ShmemInitStruct(kName, sizeof(Shared), &found));
    if (!found) {
        InitShared(existing);
    }
    LWLockRelease(AddinShmemInitLock);
    LWLockRegisterTranche(existing->lock.tranche, "FreshcrmCounts");
    shared = existing;
}

Identity IdentityOf(int32 id) {
    return {MyDatabaseId, DefinitionTable(), id};
}

bool Same(const Identity& a, const Identity& b) {
    return a.database == b.database && a.definitions == b.definitions && a.id == b.id;
}

// Null when there is none. Under the lock.
Slot* Find(const Identity& identity) {
    for (Slot& slot : shared->slots) {
        if (Same(slot.of, identity)) {
            return &slot;
        }
    }
    return nullptr;
}

// ---- Slots whose projections are gone.

// `ids` are those of this database. What a transaction still under way is making is not among them:
// it will look for its slot again, and count from 0.
bool IsGone(const Identity& of, Oid definitions, const List* ids) {
    if (of.database == MyDatabaseId) {
        return of.definitions != definitions || !list_member_int(ids, of.id);
    }
    return OidIsValid(of.database) &&
           !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(of.database));
}

void CopyIdentities(Identity* copy) {
    LWLockAcquire(&shared->lock, LW_SHARED);
    for (int i = 0; i < kSlots; ++i) {
        copy[i] = shared->slots[i].of;
    }
    LWLockRelease(&shared->lock);
}

// The lock is not held while catalogs are read.
void FreeSlotsOfGone() {
    Identity seen[kSlots];
    bool gone[kSlots];
    CopyIdentities(seen);
    const Oid definitions = DefinitionTable();
    List* ids = DefinitionIds();
    for (int i = 0; i < kSlots; ++i) {
        gone[i] = IsGone(seen[i], definitions, ids);
    }
    list_free(ids);
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    for (int i = 0; i < kSlots; ++i) {
        if (gone[i] && Same(shared->slots[i].of, seen[i])) {
            shared->slots[i].of = {};
            pg_atomic_fetch_add_u32(&shared->freed, 1);
        }
    }
    LWLockRelease(&shared->lock);
}

}  // namespace

// ---- The slot of a projection.

// In the projection's context.
struct Counter {
    Slot* slot;  // null: all are taken
    uint32 freed;
};

namespace {

void FindSlot(const Identity& identity, Counter* counter) {
    LWLockAcquire(&shared->lock, LW_SHARED);
    counter->slot = Find(identity);
    counter->freed = pg_atomic_read_u32(&shared->freed);
    LWLockRelease(&shared->lock);
}

void TakeSlot(const Identity& identity, Counter* counter) {
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    counter->slot = Find(identity);
    if (counter->slot == nullptr) {
        counter->slot = Find({});
        if (counter->slot != nullptr) {
            counter->slot->of = identity;
            for (pg_atomic_uint64& count : counter->slot->counts) {
                pg_atomic_write_u64(&count, 0);
            }
        }
    }
    counter->freed = pg_atomic_read_u32(&shared->freed);
    LWLockRelease(&shared->lock);
}

Slot* SlotOf(Projection* projection) {
    if (shared == nullptr) {
        return nullptr;
    }
    Counter* counter = projection->counter;
    if (counter == nullptr) {
        counter =
            static_cast<Counter*>(MemoryContextAllocZero(projection->context, sizeof(Counter)));
    } else if (counter->freed == pg_atomic_read_u32(&shared->freed)) {
        return counter->slot;
    }
    const Identity identity = IdentityOf(projection->id);
    FindSlot(identity, counter);
    if (counter->slot == nullptr) {
        FreeSlotsOfGone();
        TakeSlot(identity, counter);
    }
    projection->counter = counter;
    return counter->slot;
}

void Count(Projection* projection, int kind, uint64 number) {
    Slot* slot = number > 0 ? SlotOf(projection) : nullptr;
    if (slot != nullptr) {
        pg_atomic_fetch_add_u64(&slot->counts[kind], static_cast<int64>(number));
    }
}

// ---- In the postmaster.

void Request() {
    RequestAddinShmemSpace(CACHELINEALIGN(sizeof(Shared)));
}

}  // namespace

// Shared memory is not given back, so that a second attempt would fail as well.
void AttachCounts() {
    if (shared == nullptr && !unavailable && !IsInParallelMode()) {
        unavailable = !pg::Attempt(Attach);
    }
}

void CountApplied(Projection* projection, Applied how, uint64 keys) {
    Count(projection, static_cast<int>(how), keys);
}

void CountUnchanged(Projection* projection, uint64 rows) {
    Count(projection, kCounts - 1, rows);
}

// What has no slot though there is one to be had has not been counted yet.
bool ReadCounts(int32 id, uint64* counts) {
    AttachCounts();
    if (shared == nullptr) {
        return false;
    }
    const Identity identity = IdentityOf(id);
    LWLockAcquire(&shared->lock, LW_SHARED);
    Slot* slot = Find(identity);
    const bool counted = slot != nullptr || Find({}) != nullptr;
    for (int i = 0; i < kCounts; ++i) {
        counts[i] = slot != nullptr ? pg_atomic_read_u64(&slot->counts[i]) : 0;
    }
    LWLockRelease(&shared->lock);
    return counted;
}

void InitCounts() {
    pg::ShareMemory<Request, Attach>();
}

}  // namespace freshcrm::projection
