// Trace: from what changed in a base table to the keys that it affects.
#pragma once

#include "projection/changes.hpp"

namespace freshcrm::projection {

// Maps the changed rows by the user's query, now, to keys of the changes. Within Maintain().
void MapChangedRows(Changes* changes);

// The mapping query of a path, of one row's starts or of arrays of them. Within Maintain().
SPIPlanPtr MappingPlan(const Projection* projection, Path* path, bool many);

// Adds the keys that the changes lead to along the paths of the lineage or by the user's mapping
// query; not for changes of everything, or with option full. Notes in the changes when a NULL key
// was met. Queries read with the active snapshot. Within Maintain().
void TraceKeys(Changes* changes, KeySet* keys);

}  // namespace freshcrm::projection
