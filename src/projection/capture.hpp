// Capture: what the triggers on base tables do (triggers.hpp makes them).
//
// Each base table of a projection has four statement-level AFTER triggers, one an event, since
// transition tables allow neither several events nor column lists. Their function is
// freshcrm.capture(), their argument the projection's id. A trigger reads the old and new rows
// natively, follows the paths of the lineage to the affected keys, and recomputes those before the
// statement ends. What these do not see comes by row triggers (triggers.hpp).
#pragma once

#include "projection/projection.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace freshcrm::projection {

// The body of freshcrm.capture().
void Capture(TriggerData* trigger);

}  // namespace freshcrm::projection
