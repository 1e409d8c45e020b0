// Arrays that are handed to a query, as rows.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// An item of FROM: the arrays $1, $2, … of these element types as rows of a table `alias` with the
// columns <prefix>0, <prefix>1, …
const char* ArrayRows(int count, const Oid* types, const char* alias, const char* prefix);

}  // namespace freshcrm::projection
