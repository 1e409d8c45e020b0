// Which columns of a view the columns and rows of its base tables flow into.
//
// The analysed query is read level by level, from the inside out. What may change is an atom: a
// column of an occurrence of a table, or which rows it has. For each level follows
//   which atoms say which rows it has (and, for whom that matters, how often and in which order)
//   which atoms say what each of its target columns is
// The answer is right for any state of the tables: what is not named cannot differ, whatever else
// is the case. Where in doubt more is named. At the top only one row may have a key, so that there
// it does not matter how often a row comes: who reads it finds out (21000).
#pragma once

#include "projection/lineage.hpp"
#include "projection/query_walk.hpp"

namespace freshcrm::projection {

// Sets what changes of each source of the lineage affect.
void TraceEffects(WalkedView* view, Lineage* lineage);

}  // namespace freshcrm::projection
