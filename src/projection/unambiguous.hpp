// Expressions that mean the same when they are written as SQL and read again.
//
// Mapping queries are read anew in each session. By then who may create in a schema that the
// expression's functions come from can have made others of the same names there: one that fits its
// arguments better would be called in their place, as the projection's owner.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/nodes.h"
}

namespace freshcrm::projection {

// Whether each function and operator outside of pg_catalog takes its arguments exactly as they are:
// nothing fits better then. Not one with polymorphic, variadic or defaulted arguments, nor an
// operator that SQL text would not name (NULLIF, IS DISTINCT FROM).
bool IsUnambiguous(Node* expression);

}  // namespace freshcrm::projection
