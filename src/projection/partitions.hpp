// Tables and their partitions: where a change of a table's rows can be seen.
//
// A statement fires the triggers of the table that it names, and of no other: a partition's rows
// also change by statements that name the root, a partitioned table's also by statements that name
// a partition.
#pragma once

#include "projection/lineage.hpp"

namespace freshcrm::projection {

// The tables that need triggers for the rows of `table` to be followed: itself, its partitions, and
// what it is a partition of. A list of OIDs, in order of OID. None for a materialized view
// (follow_refresh.hpp).
List* TriggerTables(Oid table);

// Those of all base tables: of a list of OIDs, or of a lineage.
List* AllTriggerTables(const List* tables);
List* AllTriggerTables(const Lineage* lineage);

// The materialized views among them; a list of OIDs in order.
List* MaterializedViews(const List* tables);
List* MaterializedViews(const Lineage* lineage);

// What can be written to: those with triggers, and materialized views. Who locks all of it against
// writers keeps the rows of the view as they are.
List* AllWrittenTables(const List* tables);
List* AllWrittenTables(const Lineage* lineage);

// Whether rows of `table` can change by a statement that names `named`.
bool ChangesThrough(Oid table, Oid named);

}  // namespace freshcrm::projection
