// Scopes of a projection: the rows that have given values in some columns.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace freshcrm::conditional {

// A condition on the table `relid` under the alias t, from an object with a member for each column:
// '{"owner_user_id": "…", "archived": null}'. "true" for an empty one. Equality is that of the
// column's type, and names mean the same under any search_path. Raises 22023 for what is no such
// object, 42703 for a column that is none, 42883 for one whose type has no equality, and what its
// type raises for a text that is no value of it.
const char* ScopeCondition(Oid relid, Jsonb* scope);

}  // namespace freshcrm::conditional
