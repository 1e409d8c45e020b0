// Saves row_etag() the row: PostgreSQL copies all columns together only for row_etag() to take them
// apart again, which is as long as half the tag.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/supportnodes.h"
}

namespace freshcrm::etag {

// What the planner may put in the place of a call of row_etag(): etag() over the columns, which has
// the same value, or null to leave it. That is known where the row is written out, ROW(…), and
// where it is a row of a table that no outer join and no grouping set can replace by NULL, whose
// tag would be NULL. Raises what catalog look-ups raise.
Node* SimplifyRowEtag(const SupportRequestSimplify* request);

}  // namespace freshcrm::etag
