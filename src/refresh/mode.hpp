// How a materialized view is best refreshed.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

enum class Mode { kConcurrently, kPlain };

// Concurrently, where readers are not locked out and only changed rows are written, unless the
// server would refuse that or the file is bloated: a plain refresh writes a new one. `why`, which
// may be null, gets why it is not concurrently, as a sentence about "it" without a period, or null.
// Takes ACCESS SHARE locks.
Mode ChooseMode(Oid matview, const char** why);

// Whether the index is one that REFRESH … CONCURRENTLY accepts: unique, valid, immediate, of all
// rows, of plain columns.
bool IsUsableUniqueIndex(Relation index);
bool HasUsableUniqueIndex(Relation matview);

// Whether its file is at least 8 MB, and its rows need less than a quarter of that by the
// statistics that ANALYZE has gathered, or there are more than four dead rows for each live one.
// Without statistics it is not.
bool IsBloated(Relation matview);

}  // namespace freshcrm::refresh
