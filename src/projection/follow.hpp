// Follow: what DDL does to the views and tables of projections, projections do too.
//
//     change                                    what follows
//     a view's query, a type, a function …      triggers as the new query wants them; recomputed
//     columns added to the view                 added to the target
//     a column of view or target renamed        nothing: each keeps its own name
//     the view's owner                          the target's owner, if the user may; recomputed
//     a trigger missing or disabled             a warning, and the projection's state is broken;
//                                               recomputed when it is whole again
//     a partition attached or detached          the keys of its rows recomputed
//     a materialized view refreshed             what its rows lead to (follow_refresh.hpp)
//     anything else of a table of the view      lineage is traced anew
//
// What cannot be followed fails, and the DDL with it: a query that cannot be traced (0A000), a
// target that no longer fits or has another owner than its view (55000), rights (42501), keys
// (21000, 23502).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/nodes.h"
}

namespace freshcrm::projection {

// To be called by a trigger on ddl_command_end, with the parse tree of the command.
void FollowCommands(const Node* command);

// To be called by a trigger on sql_drop: triggers that are gone, and indexes.
void FollowDrops();

}  // namespace freshcrm::projection
