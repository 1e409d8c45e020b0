// The rows of a small table that is written all the time, found by an index: those that nobody else
// is writing.
//
// Whoever finds rows by an index prunes their pages on the way, once they are as full as the
// fillfactor lets them be. On a page that its rows fill so far by themselves, that is every time.
// Here it is done only when there is hardly any room left for another version.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "utils/snapshot.h"
}

namespace freshcrm::pg {

// Calls `row` with the latest version of each row that the scan leads to, until it returns false,
// but for those that another transaction has inserted, updated, deleted or locked and that has not
// ended. It is looked at while its page is locked: it must be short, and copy what it keeps.
//
// The scan is one with `dirty`, made by InitDirtySnapshot(), of a table of the access method heap.
// Such a scan does not count as a read at SERIALIZABLE.
void EachFreeRow(IndexScanDesc scan, SnapshotData* dirty, bool (*row)(void* arg, HeapTuple tuple),
                 void* arg);

}  // namespace freshcrm::pg
