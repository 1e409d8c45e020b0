// Keys as arguments of SQL functions.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// Raises 42804: `given` is not the type of the projection's keys; of an array's elements, or of an
// argument that is one key.
[[noreturn]] void RaiseKeyType(const Projection* projection, Oid given, bool array = true);

// A key of several columns as a row of them, of exactly their types. False when one is NULL.
bool ReadCompositeKey(const Projection* projection, Datum record, Datum* key);

// A key that an argument of type "any" gives: of the type of the key's column; a literal, a text or
// an integer in place of it; a row of such for a key of several columns; or jsonb, an object with a
// member for each column. False when a column is NULL. Raises 42804 for other types, 22P02 and the
// like for what is no value of the column's type, 22023 for an object with other members.
bool ReadKey(const Projection* projection, Oid type, Datum value, Datum* key);

}  // namespace freshcrm::projection
