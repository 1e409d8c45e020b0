// Narrow recompute: of the view's columns, only those that the changes can affect (effect.hpp) are
// read; the others are what the target holds. That is right where the target's row was right before
// the changes, and where both sides have the row: else the whole row is read after all.
#pragma once

#include "projection/apply.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// What all of these changes, a list of Changes*, can affect; the whole row where freshcrm.patch is
// off.
Effect AffectedBy(const List* changes);

// Whether fewer columns than all that are not of the key are affected; `others` is their number.
bool IsNarrow(const Effect& effect, int others);

// The diff of the columns that are affected; null where whole rows are to be read.
NarrowDiff* FindNarrowDiff(Projection* projection, const Effect& affected);

// Whether a row of such a diff is known to be that of the view. Not where one side lacks it, nor
// where somebody has written to the target so that its tag is not that of its columns.
bool IsReliable(const Projection* projection, const NarrowDiff* narrow, DiffRow* row);

}  // namespace freshcrm::projection
