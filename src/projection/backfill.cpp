#include "projection/backfill.hpp"

#include "pg/heap_changes.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "projection/flush.hpp"
#include "projection/maintain.hpp"
#include "projection/partitions.hpp"
#include "projection/read_rows.hpp"
#include "projection/recompute.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// A round with no more changed rows than this is short enough to be the one that writers wait for.
constexpr int64 kFewRows = 1000;
constexpr int kMostRounds = 10;

// Waits for the transactions that have written the base tables and keeps new ones out. CREATE
// TRIGGER takes the same lock, and none that refreshes goes with it. A partition may come while it
// waits.
void LockOutWriters(const Projection* projection) {
    for (List* locked = NIL;;) {
        List* tables = AllWrittenTables(projection->lineage);
        if (equal(tables, locked)) {
            return;
        }
        ListCell* cell;
        foreach (cell, tables) {
            LockRelationOid(lfirst_oid(cell), ShareRowExclusiveLock);
        }
        locked = tables;
    }
}

// The same, but gives up where it would have to wait for long, and gives all the locks back. While
// it waits, new writers wait behind it, and one that holds another of the tables would deadlock
// with it: this is over before the server looks for deadlocks.
bool TryLockOutWriters(const Projection* projection) {
    if (LockTimeout > 0) {
        LockOutWriters(projection);  // the user has said how long
        return true;
    }
    return pg::TryInSubtransaction(ERRCODE_LOCK_NOT_AVAILABLE, [&] {
        (void)set_config_option("lock_timeout", psprintf("%d", Max(DeadlockTimeout / 2, 1)),
                                PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
        LockOutWriters(projection);
    });
}

// The tables that hold the rows of a source.
List* Heaps(Oid source) {
    List* heaps = NIL;
    ListCell* cell;
    foreach (cell, find_all_inheritors(source, AccessShareLock, nullptr)) {
        if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_PARTITIONED_TABLE) {
            heaps = lappend_oid(heaps, lfirst_oid(cell));
        }
    }
    list_sort(heaps, list_oid_cmp);
    return heaps;
}

List* AllHeaps(const Projection* projection) {
    List* heaps = NIL;
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        heaps = list_concat(heaps, Heaps(projection->lineage->sources[i].relid));
    }
    return heaps;
}

bool AreHeaps(const List* tables) {
    bool heaps = true;
    ListCell* cell;
    foreach (cell, tables) {
        Relation table = table_open(lfirst_oid(cell), AccessShareLock);
        heaps = heaps && pg::IsHeap(table);
        table_close(table, NoLock);
    }
    return heaps;
}

struct RoundReader {
    RowReader rows;
    int64 count;
};

void ReadHeap(Changes* changes, Oid heap, Snapshot before, Snapshot after, int64* count) {
    Relation table = table_open(heap, NoLock);
    RoundReader reader{BeginRows(changes, table), 0};
    pg::EachChangedRow(
        table, before, after,
        [](void* arg, TupleTableSlot* slot, bool is_new) {
            auto* round = static_cast<RoundReader*>(arg);
            ++round->count;
            AddRow(&round->rows, slot, is_new);
        },
        &reader);
    *count += reader.count;
    table_close(table, NoLock);
}

// Follows what changed between the snapshots, and returns how many rows that were.
int64 FollowRound(Projection* projection, Snapshot before, Snapshot after) {
    List* changes = NIL;
    int64 count = 0;
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        Source* source = &projection->lineage->sources[i];
        Changes* of_source = MakeChanges(projection, source);
        ListCell* cell;
        foreach (cell, Heaps(source->relid)) {
            ReadHeap(of_source, lfirst_oid(cell), before, after, &count);
        }
        changes = lappend(changes, of_source);
    }
    RecomputeChanges(projection, changes);
    return count;
}

// Follows up to a snapshot of now, and returns that.
Snapshot CatchUp(Projection* projection, Snapshot before, int64* count) {
    Snapshot after = pg::RegisterFreshSnapshot();
    *count = FollowRound(projection, before, after);
    UnregisterSnapshot(before);
    return after;
}

}  // namespace

void Backfill(Projection* projection) {
    const List* heaps = AllHeaps(projection);
    if (!AreHeaps(heaps)) {
        LockOutWriters(projection);
        Maintain(projection, [&] { (void)RecomputeAll(projection); });
        return;
    }
    Maintain(projection, [&] {
        Snapshot snapshot = pg::RegisterFreshSnapshot();
        (void)RecomputeAll(projection, snapshot);
        int64 count = kFewRows + 1;
        for (int round = 0; round < kMostRounds && count > kFewRows; ++round) {
            snapshot = CatchUp(projection, snapshot, &count);
        }
        while (!TryLockOutWriters(projection)) {
            CHECK_FOR_INTERRUPTS();
            snapshot = CatchUp(projection, snapshot, &count);
        }
        if (equal(AllHeaps(projection), heaps)) {
            UnregisterSnapshot(CatchUp(projection, snapshot, &count));
        } else {
            // Partitions came or went, with all their rows.
            UnregisterSnapshot(snapshot);
            (void)RecomputeAll(projection);
        }
    });
}

}  // namespace freshcrm::projection
