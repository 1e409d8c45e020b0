// Whether a path (lineage.hpp) leads from a row to just those keys whose row of the view is made of
// it.
#pragma once

#include "projection/mapping.hpp"
#include "projection/plain_from.hpp"

namespace freshcrm::projection {

// By going the path backwards: a key determines one row of the table that has it, by a unique
// index, that row one of the next, and so on to the row from which the path sets out. On the way
// there may be no outer join, but one of that row's table by nothing but the path's equality.
bool DeterminesRow(const PlainFrom* from, const FlatPath& flat);

}  // namespace freshcrm::projection
