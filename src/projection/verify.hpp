// Verify: compares a target with its view, row by row and tag by tag.
#pragma once

#include "projection/projection.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace freshcrm::projection {

// Gets a difference, as below, and its key; returns whether it wants more.
using DifferenceHandler = bool (*)(void* arg, const char* difference, const Datum* key);

// Compares target and view in one snapshot, without locking keys. Returns whether it came to the
// end. Within Maintain(). Raises 21000 and 23502 as recompute does.
bool EachDifference(Projection* projection, DifferenceHandler handler, void* arg);

// Puts a row (difference text, key jsonb) into `result` for each key that differs, in no order:
//   missing    the view has it, the target has not
//   extra      the target has it, the view has not
//   different  the columns differ, or the stored tag is not that of the columns
// and one (collection, {"scope_columns": […]}) for kept collections whose tag is not that of the
// rows. With `repair` these keys are recomputed under their locks, at once after the comparison,
// and collections filled anew, for which writers are waited for. View and target are read in one
// snapshot, so that a difference is one that a reader could see. Within Maintain(). Raises 21000
// and 23502 as recompute does.
void VerifyProjection(Projection* projection, bool repair, ReturnSetInfo* result);

// Whether nothing differs; changes nothing. Within Maintain().
bool EqualsView(Projection* projection);

}  // namespace freshcrm::projection
