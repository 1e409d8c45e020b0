// Apply: writes one row of the target. The only place that does, but for the first build.
#pragma once

#include "projection/collection_deltas.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// One row of a diff (statements.hpp), made once and read into again and again: it points into the
// tuple last read.
struct DiffRow {
    // The view's columns; then the target's key, its tag and, in a row of VerifyAll(), its columns.
    Datum* values;
    bool* nulls;
    char* null_flags;  // as SPI takes them
    bool in_view;
    bool in_target;
    const Datum* view_key;  // gathered from the columns
    const Datum* target_key;
    char tag[etag::kTagBytes];  // of the view's row, when in_view
};

// Where the target's columns begin in a row of VerifyAll().
int StoredColumns(const Projection* projection);

DiffRow MakeDiffRow(const Projection* projection);

// Raises 23502 when the view's row has a key that is NULL in part.
void ReadDiffRow(const Projection* projection, DiffRow* row, HeapTuple tuple, TupleDesc desc);

// The target holds the row as the view returns it.
bool SameTag(const Projection* projection, const DiffRow* row);

// The row as the target held it, for kept collections. `narrow`: whose row it is, or null.
RowImage StoredImage(const Projection* projection, const NarrowDiff* narrow, const DiffRow* row,
                     const RowBuffer* buffer);

void ApplyInsert(Projection* projection, DiffRow* row);
void ApplyUpdate(Projection* projection, DiffRow* row);
void ApplyDelete(Projection* projection, DiffRow* row);

}  // namespace freshcrm::projection
