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

}  // namespace

void EachFreeRow(IndexScanDesc scan, SnapshotData* dirty, bool (*row)(void* arg, HeapTuple tuple),
                 void* arg) {
    Relation table = scan->heapRelation;
    Buffer buffer = InvalidBuffer;
    bool more = true;
    for (ItemPointer tid;
         more && (tid = index_getnext_tid(scan, ForwardScanDirection)) != nullptr;) {
        const BlockNumber block = ItemPointerGetBlockNumber(tid);
        if (!BufferIsValid(buffer) || BufferGetBlockNumber(buffer) != block) {
            buffer = ReleaseAndReadBuffer(buffer, table, block);
            if (PageGetHeapFreeSpace(BufferGetPage(buffer)) < kHardlyAnyRoom) {
                heap_page_prune_opt(table, buffer);
            }
        }
        ItemPointerData at = *tid;
        HeapTupleData tuple;
        bool all_dead = false;
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        if (heap_hot_search_buffer(&at, table, buffer, dirty, &tuple, &all_dead, true) &&
            !TransactionIdIsValid(dirty->xmin) && !TransactionIdIsValid(dirty->xmax)) {
            more = row(arg, &tuple);
        }
        LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
        // The index marks the entry.
        scan->kill_prior_tuple = all_dead;
    }
    if (BufferIsValid(buffer)) {
        ReleaseBuffer(buffer);
    }
}

}  // namespace freshcrm::pg
