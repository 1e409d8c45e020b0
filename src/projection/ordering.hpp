// What a view returns must follow from its rows, not from the order in which they are read.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::projection {

// Refuses, with 0A000, a query level that chooses or numbers rows by the order in which they are
// read: LIMIT, DISTINCT ON or a window function without ORDER BY. `name` is for the query.
void CheckOrdered(const Query* query, const char* name);

// Raises a NOTICE for each aggregate in these views whose result depends on that order.
void NoticeUnordered(const Oid* views, int count);

}  // namespace freshcrm::projection
