// Rows found by an index in a table that is written all the time.
//
// Whoever finds rows by an index prunes their pages on the way, once they are as full as the
// fillfactor lets them be. On a page that its rows fill so far by themselves, that is every time.
// Here it is done only when there is hardly any room left for another version.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
}

namespace freshcrm::pg {

// The next row that the scan's snapshot sees, in a slot of its table; false when there is none.
// In its place index_getnext_slot() could be called, and is for other access methods than heap.
bool NextRowToUpdate(IndexScanDesc scan, TupleTableSlot* slot);

// What is called with the latest version of a row and its root, to which the index leads; returns
// whether it wants more. It runs while the page is locked: it must be short, and copy what it
// keeps.
using FreeRowHandler = bool (*)(void* arg, HeapTuple tuple, ItemPointer root);

// Calls `row` for each row that the scan leads to, until it returns false, but for those that
// another transaction has inserted, updated, deleted or locked and that has not ended.
//
// The scan is one with `dirty`, made by InitDirtySnapshot(), of a table of the access method heap.
// Such a scan does not count as a read at SERIALIZABLE.
void EachFreeRow(IndexScanDesc scan, SnapshotData* dirty, FreeRowHandler row, void* arg);

// The same for what is at a root that was found before, and may be another row by now, or none. Its
// block must exist.
void FreeRowAt(Relation table, ItemPointer root, SnapshotData* dirty, FreeRowHandler row,
               void* arg);

}  // namespace freshcrm::pg
