// Whether the changes of a source of a materialized view are noted, in words.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

struct Watch {
    const char* problem;  // why they are not, a sentence; or null
    const char* remedy;   // SQL
};

// Of a source of a view whose owner is `owner`. Materialized views are watched by themselves: their
// refreshes are noted.
Watch WatchOf(Oid relid, Oid owner);

}  // namespace freshcrm::refresh
