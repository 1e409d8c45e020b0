// Capture triggers that belong to no projection: a restore has made them without its definition
// (restored.hpp).
#pragma once

#include "projection/lineage.hpp"

namespace freshcrm::projection {

// Drops what was restored without its definition, before the triggers of a new projection `id` are
// made: triggers that have its id, and those on its base tables whose projection is not in this
// database or does not read them. To be called within SPI, with writers kept out.
void DropOrphanTriggers(int32 id, const Lineage* lineage);

}  // namespace freshcrm::projection
