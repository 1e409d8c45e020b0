#include "pg/heap_changes.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

namespace freshcrm::pg {

namespace {

enum class Fate { kKept, kGone, kCame };

struct Scan {
    Relation table;
    Snapshot before;  // null: what this transaction changed
    Snapshot after;
    BufferAccessStrategy strategy;
    List* old_rows;  // of the page: HeapTuple
    List* new_rows;
};

Fate FateBetween(const Scan* scan, HeapTuple tuple, Buffer buffer) {
    const bool was = HeapTupleSatisfiesVisibility(tuple, scan->before, buffer);
    const bool is = HeapTupleSatisfiesVisibility(tuple, scan->after, buffer);
    return was == is ? Fate::kKept : is ? Fate::kCame : Fate::kGone;
}

// Subtransactions that were rolled back do not count as current.
Fate OwnFate(HeapTupleHeader row) {
    const bool removed =
        (row->t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask);
    if (removed && TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(row))) {
        return Fate::kGone;
    }
    return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row)) ? Fate::kCame
                                                                            : Fate::kKept;
}

// Copies, since the page is locked.
void CollectRow(Scan* scan, Buffer buffer, OffsetNumber offset) {
    Page page = BufferGetPage(buffer);
    ItemId item = PageGetItemId(page, offset);
    if (!ItemIdIsNormal(item)) {
        return;
    }
    HeapTupleData tuple{};
    tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    tuple.t_len = ItemIdGetLength(item);
    tuple.t_tableOid = RelationGetRelid(scan->table);
    ItemPointerSet(&tuple.t_self, BufferGetBlockNumber(buffer), offset);
    const Fate fate =
        scan->before != nullptr ? FateBetween(scan, &tuple, buffer) : OwnFate(tuple.t_data);
    if (fate == Fate::kGone) {
        scan->old_rows = lappend(scan->old_rows, heap_copytuple(&tuple));
    } else if (fate == Fate::kCame) {
        scan->new_rows = lappend(scan->new_rows, heap_copytuple(&tuple));
    }
}

void CollectPage(Scan* scan, BlockNumber block) {
    Buffer buffer =
        ReadBufferExtended(scan->table, MAIN_FORKNUM, block, RBM_NORMAL, scan->strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    Page page = BufferGetPage(buffer);
#if PG_VERSION_NUM < 170000
    if (scan->before != nullptr) {
        TestForOldSnapshot(scan->before, scan->table, page);
    }
#endif
    const OffsetNumber last = PageGetMaxOffsetNumber(page);
    for (OffsetNumber offset = FirstOffsetNumber; offset <= last; ++offset) {
        CollectRow(scan, buffer, offset);
    }
    UnlockReleaseBuffer(buffer);
}

// Null snapshots: what this transaction changed.
void EachRow(Relation table, Snapshot before, Snapshot after,
             void (*row)(void* arg, TupleTableSlot* slot, bool is_new), void* arg) {
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm heap page", ALLOCSET_DEFAULT_SIZES);
    Scan scan{table, before, after, GetAccessStrategy(BAS_BULKREAD), NIL, NIL};
    TupleTableSlot* slot = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsHeapTuple);
    Buffer map = InvalidBuffer;
    const BlockNumber blocks = RelationGetNumberOfBlocks(table);
    for (BlockNumber block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        if (VM_ALL_VISIBLE(table, block, &map)) {
            continue;
        }
        MemoryContext caller = MemoryContextSwitchTo(context);
        scan.old_rows = NIL;
        scan.new_rows = NIL;
        CollectPage(&scan, block);
        MemoryContextSwitchTo(caller);
        ListCell* cell;
        foreach (cell, scan.old_rows) {
            row(arg, ExecStoreHeapTuple(static_cast<HeapTuple>(lfirst(cell)), slot, false), false);
        }
        foreach (cell, scan.new_rows) {
            row(arg, ExecStoreHeapTuple(static_cast<HeapTuple>(lfirst(cell)), slot, false), true);
        }
        ExecClearTuple(slot);
        MemoryContextReset(context);
    }
    if (BufferIsValid(map)) {
        ReleaseBuffer(map);
    }
    ExecDropSingleTupleTableSlot(slot);
    FreeAccessStrategy(scan.strategy);
    MemoryContextDelete(context);
}

}  // namespace

bool IsHeap(Relation table) {
    return table->rd_tableam == GetHeapamTableAmRoutine();
}

void EachChangedRow(Relation table, Snapshot before, Snapshot after,
                    void (*row)(void* arg, TupleTableSlot* slot, bool is_new), void* arg) {
    EachRow(table, before, after, row, arg);
}

void EachOwnChange(Relation table, void (*row)(void* arg, TupleTableSlot* slot, bool is_new),
                   void* arg) {
    EachRow(table, nullptr, nullptr, row, arg);
}

}  // namespace freshcrm::pg
