// What is known to be empty after a TRUNCATE: its other triggers have nothing to do then.
//
// One command truncates many tables (the partitions of one, several that are named, those that
// CASCADE adds) and then fires the trigger of each, and the first of a projection has all rows
// recomputed. Whether more of them will come cannot be told; but that a table was empty already
// when that happened, and has not been written to since, can: nobody else can write to it, as the
// transaction holds ACCESS EXCLUSIVE on it, and its own writes are captured. Truncating it, in the
// same command or a later one, changes nothing then.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// To be called where all rows of the projection are going to be recomputed because of a TRUNCATE.
// What it remembers is forgotten with the (sub)transaction, and when the projection changes.
void RememberEmptyTables(const Projection* projection);

// To be called for a write that is captured for the projection.
void ForgetEmptyTables(const Projection* projection);

bool IsKnownEmpty(const Projection* projection, Oid table);

}  // namespace freshcrm::projection
