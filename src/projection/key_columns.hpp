// The key of a view, resolved to columns of base tables.
#pragma once

#include "projection/query_level.hpp"

namespace freshcrm::projection {

// Sets the view's keys for the target columns `keys` (attribute numbers) of its top level; none
// where one cannot be resolved and no table needs it. Raises 0A000 where one cannot and a table
// does.
void SetKeys(WalkedView* view, Level* top, const List* keys);

}  // namespace freshcrm::projection
