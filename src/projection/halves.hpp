// Halves: where rows of two tables make a key together, each of two transactions that add one of
// them sees neither the other's row nor the key.
//
// Links (links.hpp) are found by going back from keys, so that they do not help there. But then the
// paths of each of the two tables go through the other one, and the row of one has a part of the
// key: whichever table has all of it finds the key alone. Therefore, for such a path, before keys
// are looked for:
//
//   - Who makes rows from which it sets out, or changes what it goes by, locks the path in a
//     mode that others of the same kind can hold, too (ROW EXCLUSIVE).
//   - Who does that to rows through which the path goes locks it in one that excludes those
//   (SHARE).
//   - Who does both, as where a table is joined with itself, excludes all others (SHARE ROW
//   EXCLUSIVE).
//
// Whoever is second finds the other's row, and the key. For two rows that go together see
// LockHalfLinks() in links.hpp.
#pragma once

#include "projection/changes.hpp"

namespace freshcrm::projection {

// Whether the path sets out from one of two such tables.
bool MakesHalves(const Lineage* lineage, const Source* source, const Path* path);

// Before TraceKeys(). A list of Changes*.
void LockHalves(const Projection* projection, const List* changes);

}  // namespace freshcrm::projection
