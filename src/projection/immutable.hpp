// Expressions must have results that follow from their arguments alone, given the settings that
// maintenance pins (pg/owner_scope.hpp).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/primnodes.h"
}

namespace freshcrm::projection {

// Refuses, with 0A000, a node that calls a function whose result can change while no row changes;
// `name` is for the query. Does not look below the node.
void CheckImmutable(Node* node, const char* name);

}  // namespace freshcrm::projection
