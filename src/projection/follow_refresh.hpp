// Refreshes: what REFRESH does to materialized views that projections read, projections do too, in
// the same transaction, whoever refreshes.
//
// A materialized view has no triggers, and nothing else writes its rows. CONCURRENTLY removes and
// makes only rows that differ: they are read from the heap (pg/heap_changes.hpp) and followed as a
// trigger would have shown them, mode by mode. Without it all rows are others, and everything is
// recomputed as after a TRUNCATE. WITH NO DATA nobody can read it, or any view over it: that is
// refused where it would have to be followed at once; where the projection may be stale, it is,
// until the next refresh.
//
// Locks are those that any writer takes (links.hpp): REFRESH itself keeps out other refreshes only,
// and without CONCURRENTLY readers.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::projection {

// To be called by a trigger on ddl_command_end. Raises 55000 for WITH NO DATA, and what recompute
// raises.
void FollowRefresh(const RefreshMatViewStmt* command);

}  // namespace freshcrm::projection
