// Outer joins whose null-extended rows no condition above lets through.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::projection {

// Makes them inner joins in the query's tree (and full joins left or right ones), as the planner
// does: reduce_outer_joins() in optimizer/prep/prepjointree.c. Rows of the query in which one of
// the target columns `not_null` (resno) is NULL do not matter; the columns are passing ones
// (passing.hpp). Returns the same of each range table entry, by its index.
Bitmapset** ReduceOuterJoins(Query* query, const Bitmapset* not_null);

}  // namespace freshcrm::projection
