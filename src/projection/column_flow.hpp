// Which columns of a view the columns and rows of its base tables flow into.
#pragma once

#include "projection/lineage.hpp"
#include "projection/query_walk.hpp"

namespace freshcrm::projection {

// Sets what changes of each source of the lineage affect. At the top only one row may have a key,
// so that how often a row comes says nothing about it: who reads it finds out (21000).
void TraceEffects(WalkedView* view, Lineage* lineage);

}  // namespace freshcrm::projection
