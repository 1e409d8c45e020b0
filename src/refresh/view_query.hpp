// The query of a view.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::refresh {

// A copy of the query of a view or materialized view. Does not wait for locks: a refresh that is
// not concurrent would keep out who only wants to know what the view is made of.
Query* QueryOf(Oid view);

}  // namespace freshcrm::refresh
