// Which tables' changes can be applied as patches (patch.hpp): found out when a view is traced.
//
// Copies: a table that stands in FROM, of which one row belongs to a key, found by unique indexes
// from the key on. Its columns that the view shows as they are, or computes from its row alone, can
// be patched, as long as nothing else reads them but conditions over the row alone.
//
// Aggregates: a table of which the view shows a max, min, count, sum or boolean aggregate over the
// rows whose column equals the key, in a scalar sublink or a lateral subquery by itself, or in a
// view that groups the table by the key (grouped_patch.hpp).
#pragma once

#include "projection/mapping.hpp"

namespace freshcrm::projection {

// Sets Source::patch. `flats` are the paths, FlatPath*.
void FindPatches(Lineage* lineage, WalkedView* view, const List* flats);

}  // namespace freshcrm::projection
