#include "pg/indexed_rows.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
}

namespace freshcrm::pg {

namespace {

// Of a page, in bytes.
constexpr Size kHardlyAnyRoom = BLCKSZ / 10;

Buffer ReadPage(Relation table, BlockNumber block, Buffer before) {
    Buffer buffer = ReleaseAndReadBuffer(before, table, block);
    if (buffer != before && PageGetHeapFreeSpace(BufferGetPage(buffer)) < kHardlyAnyRoom) {
        heap_page_prune_opt(table, buffer);
    }
    return buffer;
}

// Returns whether more is wanted.
bool Look(Relation table, Buffer buffer, ItemPointer root, SnapshotData* dirty, FreeRowHandler row,
          void* arg, bool* all_dead) {
    bool more = true;
    ItemPointerData at = *root;
    HeapTupleData tuple;
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    if (heap_hot_search_buffer(&at, table, buffer, dirty, &tuple, all_dead, true) &&
        !TransactionIdIsValid(dirty->xmin) && !TransactionIdIsValid(dirty->xmax)) {
        more = row(arg, &tuple, root);
    }
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    return more;
}

// The version at this root that the scan's snapshot sees, in a slot's own header. `room`: whether
// the page has some for another version, a little larger.
bool Search(IndexScanDesc scan, ItemPointer root, Buffer buffer, HeapTuple tuple, bool* all_dead,
            bool* room) {
    tuple->t_self = *root;
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const bool found = heap_hot_search_buffer(&tuple->t_self, scan->heapRelation, buffer,
                                              scan->xs_snapshot, tuple, all_dead, true);
    if (found) {
        const Size needed = MAXALIGN(tuple->t_len + tuple->t_len / 4) + MAXIMUM_ALIGNOF;
        *room = PageGetHeapFreeSpace(BufferGetPage(buffer)) >= needed;
    }
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    return found;
}

// Empties the slot, and returns the page that it held: rows that are looked for one after the other
// are often on the same one.
Buffer TakeBuffer(TupleTableSlot* slot) {
    Buffer buffer = InvalidBuffer;
    if (!TTS_EMPTY(slot)) {
        buffer = reinterpret_cast<BufferHeapTupleTableSlot*>(slot)->buffer;
    }
    if (BufferIsValid(buffer)) {
        IncrBufferRefCount(buffer);
    }
    ExecClearTuple(slot);
    return buffer;
}

}  // namespace

bool NextRowToUpdate(IndexScanDesc scan, TupleTableSlot* slot) {
    Relation table = scan->heapRelation;
    if (table->rd_tableam != GetHeapamTableAmRoutine()) {
        return index_getnext_slot(scan, ForwardScanDirection, slot);
    }
    Buffer buffer = TakeBuffer(slot);
    HeapTuple tuple = &reinterpret_cast<BufferHeapTupleTableSlot*>(slot)->base.tupdata;
    for (ItemPointer root; (root = index_getnext_tid(scan, ForwardScanDirection)) != nullptr;) {
        bool all_dead = false;
        bool room = true;
        buffer = ReleaseAndReadBuffer(buffer, table, ItemPointerGetBlockNumber(root));
        bool found = Search(scan, root, buffer, tuple, &all_dead, &room);
        if (found && !room) {
            // It moves what is on the page.
            heap_page_prune_opt(table, buffer);
            found = Search(scan, root, buffer, tuple, &all_dead, &room);
        }
        if (found) {
            pgstat_count_heap_fetch(scan->indexRelation);
            ExecStorePinnedBufferHeapTuple(tuple, slot, buffer);
            return true;
        }
        // The index marks the entry.
        scan->kill_prior_tuple = all_dead;
    }
    if (BufferIsValid(buffer)) {
        ReleaseBuffer(buffer);
    }
    return false;
}

void EachFreeRow(IndexScanDesc scan, SnapshotData* dirty, FreeRowHandler row, void* arg) {
    Relation table = scan->heapRelation;
    Buffer buffer = InvalidBuffer;
    bool more = true;
    for (ItemPointer root;
         more && (root = index_getnext_tid(scan, ForwardScanDirection)) != nullptr;) {
        bool all_dead = false;
        buffer = ReadPage(table, ItemPointerGetBlockNumber(root), buffer);
        more = Look(table, buffer, root, dirty, row, arg, &all_dead);
        // The index marks the entry.
        scan->kill_prior_tuple = all_dead;
    }
    if (BufferIsValid(buffer)) {
        ReleaseBuffer(buffer);
    }
}

void FreeRowAt(Relation table, ItemPointer root, SnapshotData* dirty, FreeRowHandler row,
               void* arg) {
    Buffer buffer = ReadPage(table, ItemPointerGetBlockNumber(root), InvalidBuffer);
    bool all_dead = false;
    (void)Look(table, buffer, root, dirty, row, arg, &all_dead);
    ReleaseBuffer(buffer);
}

}  // namespace freshcrm::pg
