// The names in the JSON of a row. A row's tag depends on no names: what is made of tag and JSON
// does.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pg_list.h"
}

namespace freshcrm::conditional {

// The names of the table's columns, and after each those of the attributes of the composite type
// that it is, or is an array or domain of, and so on; "" ends these. A list of
// C strings.
List* MemberNames(Oid relid);

}  // namespace freshcrm::conditional
