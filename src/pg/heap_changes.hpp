// The row versions of a table that came or went between two snapshots, or by this transaction, read
// from the heap itself: what triggers would have seen of a table that had none.
//
// Exact, since no version that the earlier snapshot may see is vacuumed or pruned while that is
// registered. Pages that the visibility map calls all-visible hold none and are not read.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
}

namespace freshcrm::pg {

// Only tables of the access method heap can be read so.
bool IsHeap(Relation table);

// Calls `row` with each version that just one of the snapshots sees; `is_new`: the later one. Both
// must be registered, MVCC snapshots, with the table locked since before the earlier one was taken.
// `slot` is one for the table's rows. Raises 72000 when old_snapshot_threshold has let versions be
// removed.
void EachChangedRow(Relation table, Snapshot before, Snapshot after,
                    void (*row)(void* arg, TupleTableSlot* slot, bool is_new), void* arg);

// The same with each version that this transaction has removed (not new, also where it had made it)
// or made, as far as that has not been rolled back: all its changes so far, not just those of one
// command. The table is locked against other writers.
void EachOwnChange(Relation table, void (*row)(void* arg, TupleTableSlot* slot, bool is_new),
                   void* arg);

}  // namespace freshcrm::pg
