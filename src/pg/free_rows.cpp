#include "pg/free_rows.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/relscan.h"
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

}  // namespace

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
