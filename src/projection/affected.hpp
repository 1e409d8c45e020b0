// Which projections a DDL command affects, found in pg_depend.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pg_list.h"
}

namespace freshcrm::projection {

// How far a change reaches, from little to much.
enum class Reach {
    kNone,        // what the view reads is as it was
    kTriggers,    // of a table that the view reads
    kTable,       // such a table, or the view itself, altered: its rows and the query stay
    kDefinition,  // the query, or a view, type, function or operator that it is made of
};

struct Affected {
    int32 id;
    Reach reach;
    bool source;         // the view itself was named by the command
    bool target;         // the target was altered
    AttrNumber renamed;  // its column that was renamed, or 0
    bool waiting;        // marked as not whole until it is followed
};

// The projections that the commands of the running ddl_command_end trigger affect, or whose tables
// have lost a trigger to those of the running sql_drop trigger. A list of Affected*. `moved`:
// tables that have been altered by becoming partitions, or no longer being some; OIDs.
List* AffectedByCommands(const List* moved);
List* AffectedByDrops();

// The projections whose tables have no unique index on the key any more, as far as they are in a
// schema in which the command of the running sql_drop trigger has dropped an index. A list of ids.
List* AffectedByDroppedIndexes();

// A projection whose view reads a materialized view.
struct Reader {
    int32 id;
    Oid matview;
};

// The readers of what the commands of the running ddl_command_end trigger have refreshed, and of
// `named`. A list of Reader*.
List* ReadersOfRefreshed(Oid named);

}  // namespace freshcrm::projection
