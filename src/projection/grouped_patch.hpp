// Patches of a view that groups one table by the key and shows aggregates of each group.
#pragma once

#include "projection/lineage.hpp"
#include "projection/query_walk.hpp"

namespace freshcrm::projection {

// Sets Source::patch when the view is of that kind.
void FindGroupedPatch(Lineage* lineage, const WalkedView* view);

}  // namespace freshcrm::projection
