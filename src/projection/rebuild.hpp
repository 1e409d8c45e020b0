// Rebuild: makes a projection equal its view again, whatever has happened to it, while it is read
// and its base tables are written to.
#pragma once

#include "projection/recompute.hpp"

namespace freshcrm::projection {

// Makes triggers that are missing, compares the target with the view without locking keys, and
// recomputes the keys that differ, `batch` of them at a time. Not `atomic`, it commits after each
// step, so that writers wait for a batch at most; readers see each row as it was or as it is to be.
// To be called with SPI connected. Raises 42501, 42704, 55000 (the table has become that of another
// projection meanwhile) and what recompute raises; batches that were
// committed before stay.
Counts RebuildProjection(Oid target, int batch, bool atomic);

}  // namespace freshcrm::projection
