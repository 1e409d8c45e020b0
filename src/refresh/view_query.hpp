// The query of a view.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::refresh {

// A copy of the query of a view or materialized view, as the relation cache has it.
Query* QueryOf(Relation view);

}  // namespace freshcrm::refresh
