// The walk over the expressions of a level: what they read, the sublinks in them, and the
// equalities of conditions.
#pragma once

#include "projection/query_level.hpp"

namespace freshcrm::projection {

// An expression or a list of them that stands at the place.
void WalkExpression(const Place& place, void* expression);

// The same for a condition of WHERE, ON or HAVING.
void CollectQuals(const Place& place, Node* quals);

}  // namespace freshcrm::projection
