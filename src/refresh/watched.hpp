// Whether changes of a table are recorded: the triggers of freshcrm.watch_table().
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

struct Watch {
    const char* problem;  // why they are not, as a sentence about "it" without a period, or null
    const char* hint;     // what to do about it, as SQL
};

// Of a table for a materialized view whose owner is `owner`. Materialized views are always watched:
// their refreshes are recorded.
Watch WatchOf(Oid relid, Oid owner);

}  // namespace freshcrm::refresh
