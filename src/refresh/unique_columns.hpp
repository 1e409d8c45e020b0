// Columns by which a table can have no two rows.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

// Numbers of the columns of the primary key, else of a unique index over columns that are all NOT
// NULL, or NIL.
List* UniqueColumns(Relation table);

}  // namespace freshcrm::refresh
