// The options of a projection, a jsonb object:
//   trigger_names  object: base table ("schema.table" or "table") → name of its triggers
//   fillfactor     10 to 100, of a target that is made (default 90: updates stay HOT)
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// Raises 22023 for an unknown option, a value of the wrong kind and a name in trigger_names that is
// no base table of the view. Within SPI.
void CheckOptions(Datum options, const Lineage* lineage);

int FillfactorOption(Datum options);

// The name given for the table's triggers, or null.
const char* TriggerNameOption(Datum options, Oid relid);

}  // namespace freshcrm::projection
