// Which columns of a materialized view are probably different in each row, as a proposal for the
// unique index that concurrent refreshes want.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

// Column numbers, or NIL where nothing says so: those of GROUP BY or DISTINCT, else those that
// carry the primary keys of the tables in FROM, but for tables that equality joins by their own
// key.
List* LikelyKey(Oid matview);

}  // namespace freshcrm::refresh
