// Changed rows as patches (patch.hpp).
#pragma once

#include "projection/read_rows.hpp"

namespace freshcrm::projection {

// Whether what the trigger sees may be patches.
bool MayPatch(const Changes* changes, const TriggerData* trigger);

// Adds a row's change as a patch, unless it has to be followed. Either image may be null.
bool AddAsPatch(RowReader* reader, TupleTableSlot* before, TupleTableSlot* after);

}  // namespace freshcrm::projection
