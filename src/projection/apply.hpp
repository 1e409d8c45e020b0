// Apply: writes one row of the target. The only place that does, but for the first build.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// In a row of a diff the target's key and tag follow the view's columns, and in one of VerifyAll()
// the target's columns follow those.
inline constexpr int kDiffExtra = 2;

// One row of a diff (statements.hpp), made once and read into again and again: it points into the
// tuple last read.
struct DiffRow {
    Datum* values;
    bool* nulls;
    char* null_flags;  // as SPI takes them
    bool in_view;
    bool in_target;
    Datum target_key;
    Datum target_tag;
    char tag[etag::kTagBytes];  // of the view's row, when in_view
};

DiffRow MakeDiffRow(const Projection* projection);
void ReadDiffRow(const Projection* projection, DiffRow* row, HeapTuple tuple, TupleDesc desc);

// The target holds the row as the view returns it.
bool SameTag(const Projection* projection, const DiffRow* row);

void ApplyInsert(Projection* projection, DiffRow* row);
void ApplyUpdate(Projection* projection, DiffRow* row);
void ApplyDelete(Projection* projection, DiffRow* row);

}  // namespace freshcrm::projection
