#include "conditional/counts.hpp"

#include "core/digest.hpp"
#include "pg/shared_memory.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace freshcrm::conditional {

namespace {

constexpr const char* kName = "freshcrm responses";
constexpr int kStatuses = 3;

// Compared as bytes: what follows the scope is zero.
struct CounterKey {
    Oid database;
    Oid projection;
    char scope[kMostScope];
};

struct Counter {
    CounterKey key;  // by Shared::lock, as is whether there is the counter at all
    pg_atomic_uint64 counts[kStatuses];
};

struct Shared {
    LWLock* lock;  // of the table of counters; set once
    // What found no counter.
    pg_atomic_uint64 left_over[kStatuses];
};

Shared* shared = nullptr;
HTAB* counters = nullptr;

// Whether tables or databases may have been dropped since this session last looked for the counters
// of such: where all are taken, each answer would look else.
bool may_be_gone = true;

int IndexOf(int status) {
    switch (status) {
        case 200:
            return 0;
        case 304:
            return 1;
        case 412:
            return 2;
        default:
            return -1;
    }
}

// ---- In the postmaster.

void Request() {
    RequestAddinShmemSpace(
        add_size(MAXALIGN(sizeof(Shared)), hash_estimate_size(kMostCounters, sizeof(Counter))));
    RequestNamedLWLockTranche(kName, 1);
}

void Attach() {
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    shared = static_cast<Shared*>(ShmemInitStruct(kName, sizeof(Shared), &found));
    if (!found) {
        shared->lock = &GetNamedLWLockTranche(kName)->lock;
        for (pg_atomic_uint64& count : shared->left_over) {
            pg_atomic_init_u64(&count, 0);
        }
    }
    HASHCTL control{};
    control.keysize = sizeof(CounterKey);
    control.entrysize = sizeof(Counter);
    counters = ShmemInitHash("freshcrm responses by scope", kMostCounters, kMostCounters, &control,
                             HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
    LWLockRelease(AddinShmemInitLock);
}

// ---- Counters whose projections are gone.

void OnDrop(Datum, int, uint32) {
    may_be_gone = true;
}

bool IsGone(const CounterKey& key) {
    return key.database == MyDatabaseId
               ? !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(key.projection))
               : !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(key.database));
}

List* CopyKeys() {
    auto* keys =
        static_cast<CounterKey*>(palloc(sizeof(CounterKey) * static_cast<Size>(kMostCounters)));
    List* list = NIL;
    int count = 0;
    LWLockAcquire(shared->lock, LW_SHARED);
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, counters);
    while (const auto* counter = static_cast<const Counter*>(hash_seq_search(&scan))) {
        keys[count++] = counter->key;
    }
    LWLockRelease(shared->lock);
    for (int i = 0; i < count; ++i) {
        list = lappend(list, &keys[i]);
    }
    return list;
}

// The lock is not held while catalogs are read.
void FreeCountersOfGone() {
    List* gone = NIL;
    ListCell* cell;
    foreach (cell, CopyKeys()) {
        if (IsGone(*static_cast<CounterKey*>(lfirst(cell)))) {
            gone = lappend(gone, lfirst(cell));
        }
    }
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    foreach (cell, gone) {
        hash_search(counters, lfirst(cell), HASH_REMOVE, nullptr);
    }
    LWLockRelease(shared->lock);
}

// ---- Counting.

void SetScope(CounterKey* key, const char* scope) {
    const std::size_t length = strlen(scope);
    if (length < kMostScope) {
        memcpy(key->scope, scope, length);
        return;
    }
    core::Sha256 hash;
    hash.Update(scope, length);
    char digest[core::kSha256HexChars + 1]{};
    core::WriteHex(hash.Finish(), digest);
    const int room = kMostScope - 1 - static_cast<int>(sizeof(digest) + strlen("… "));
    const int kept = pg_mbcliplen(scope, static_cast<int>(length), room);
    (void)pg_snprintf(key->scope, kMostScope, "%.*s… %s", kept, scope, digest);
}

bool CountIn(const CounterKey& key, int index) {
    LWLockAcquire(shared->lock, LW_SHARED);
    auto* counter = static_cast<Counter*>(hash_search(counters, &key, HASH_FIND, nullptr));
    if (counter != nullptr) {
        pg_atomic_fetch_add_u64(&counter->counts[index], 1);
    }
    LWLockRelease(shared->lock);
    return counter != nullptr;
}

// Returns whether there is one.
bool AddCounter(const CounterKey& key) {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    bool found = false;
    auto* counter = static_cast<Counter*>(hash_search(counters, &key, HASH_ENTER_NULL, &found));
    if (counter != nullptr && !found) {
        for (pg_atomic_uint64& count : counter->counts) {
            pg_atomic_init_u64(&count, 0);
        }
    }
    LWLockRelease(shared->lock);
    return counter != nullptr;
}

void Read(pg_atomic_uint64* counts, Counted* counted) {
    counted->ok = pg_atomic_read_u64(&counts[0]);
    counted->not_modified = pg_atomic_read_u64(&counts[1]);
    counted->precondition_failed = pg_atomic_read_u64(&counts[2]);
}

// False when it is gone by now. The scope stays the key's.
bool ReadCounter(const CounterKey& key, Counted* counted) {
    LWLockAcquire(shared->lock, LW_SHARED);
    auto* counter = static_cast<Counter*>(hash_search(counters, &key, HASH_FIND, nullptr));
    if (counter != nullptr) {
        Read(counter->counts, counted);
    }
    LWLockRelease(shared->lock);
    counted->projection = key.projection;
    counted->scope = key.scope;
    return counter != nullptr;
}

}  // namespace

void CountResponse(Oid projection, const char* scope, int status) {
    const int index = IndexOf(status);
    if (shared == nullptr || index < 0) {
        return;
    }
    CounterKey key{};
    key.database = MyDatabaseId;
    key.projection = projection;
    SetScope(&key, scope);
    if (CountIn(key, index)) {
        return;
    }
    if (!AddCounter(key) && may_be_gone) {
        may_be_gone = false;
        FreeCountersOfGone();
        (void)AddCounter(key);
    }
    // Another session may take away what this one has just added, when a table is not committed.
    if (!CountIn(key, index)) {
        pg_atomic_fetch_add_u64(&shared->left_over[index], 1);
    }
}

bool CountsResponses() {
    return shared != nullptr;
}

List* ReadResponseCounts() {
    List* list = NIL;
    ListCell* cell;
    foreach (cell, CopyKeys()) {
        const auto* key = static_cast<CounterKey*>(lfirst(cell));
        if (key->database == MyDatabaseId && !IsGone(*key)) {
            auto* counted = static_cast<Counted*>(palloc0(sizeof(Counted)));
            if (ReadCounter(*key, counted)) {
                list = lappend(list, counted);
            }
        }
    }
    auto* left_over = static_cast<Counted*>(palloc0(sizeof(Counted)));
    Read(shared->left_over, left_over);
    if (left_over->ok + left_over->not_modified + left_over->precondition_failed > 0) {
        list = lappend(list, left_over);
    }
    return list;
}

void InitResponseCounts() {
    pg::ShareMemory<Request, Attach>();
    CacheRegisterSyscacheCallback(RELOID, OnDrop, 0);
    CacheRegisterSyscacheCallback(DATABASEOID, OnDrop, 0);
}

}  // namespace freshcrm::conditional
