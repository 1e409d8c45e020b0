// How many rows of a materialized view a refresh has inserted, updated and deleted.
//
// The server counts rows that were written in the transaction; where a refresh is concurrent, a row
// that changed is deleted and inserted. These are told from others by the values of the unique
// index that the refresh used: rows are read from the heap (pg/heap_changes.hpp), their keys hashed
// with 64 bits. Not known: all where track_counts is off; updated ones where the table's rows
// cannot be read so, the key's types cannot be hashed, or more than a million rows have changed.
#pragma once

#include "refresh/refresh.hpp"

extern "C" {
#include "utils/snapshot.h"
}

namespace freshcrm::refresh {

struct Written {
    bool known;
    int64 inserted;
    int64 deleted;
};

// What this transaction has written to the relation so far. A plain refresh has deleted nothing
// that is counted.
Written WrittenSoFar(Oid relation);

// Of a concurrent refresh since `before`, and since the snapshot `old_rows`, which is registered.
RowCounts CountChangedRows(Oid matview, const Written& before, Snapshot old_rows);

}  // namespace freshcrm::refresh
