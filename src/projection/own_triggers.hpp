// The triggers that freshcrm itself is making: their CREATE TRIGGER commands fire the event trigger
// that follows DDL, like those of anybody, and need no following.
//
// Nothing else is left out meanwhile: an event trigger of the user may run any command in between.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/nodes.h"
}

namespace freshcrm::projection {

// Around the making of triggers of a projection. An error in between ends it with the
// (sub)transaction.
void BeginOwnTriggers(int32 id);
void EndOwnTriggers();

// Whether this is the parse tree of a CREATE TRIGGER between the two.
bool IsOwnTrigger(const Node* command);

}  // namespace freshcrm::projection
