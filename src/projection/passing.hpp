// Which target columns of a query level keep the link between a row of its result and the joined
// rows that it is made of.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::projection {

// The target columns (resno) by which a row of the level's result says which joined rows it depends
// on: those of GROUP BY (and what is computed of them or follows from them), DISTINCT ON and every
// PARTITION BY (and what equals those), none where LIMIT, GROUPING SETS or an aggregate over all
// rows mixes them, else all.
Bitmapset* PassingColumns(const Query* query);

// Those whose value is that of each joined row that the row of the result is made of: all but
// aggregates and windows, which cannot be resolved anyway.
Bitmapset* CarriedColumns(const Query* query);

}  // namespace freshcrm::projection
