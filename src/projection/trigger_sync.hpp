// Keeps the triggers of a projection as its view wants them. To be called within SPI, but
// for RepairTriggers().
#pragma once

#include "projection/definition.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// Why writes to a table of the view do not reach the projection: a trigger is missing, disabled or
// another one than it was made. Null when all are there. Reads catalogs only.
const char* TriggerProblem(const Definition* definition);

// Whether all triggers have been made, be they enabled or not. A view that stands for another in
// the middle of a restore lacks none, but has none.
bool HasAllTriggers(const Definition* definition);
bool LacksNoTrigger(const Definition* definition);

// Makes triggers on tables of the view that have none, as the current user, and drops those on
// tables that it does not read.
void SyncTriggers(const Projection* projection, const Definition* definition);

// Makes all anew, as the projection's owner, where TriggerProblem() complains, and the guard of the
// target. A restored projection is whole then (restored.hpp).
void RepairTriggers(const Projection* projection);

}  // namespace freshcrm::projection
