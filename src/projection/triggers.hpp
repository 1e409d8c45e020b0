// The triggers that capture changes of base tables: made and dropped here, run in capture.hpp.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// A trigger that captures for a projection.
struct CaptureTrigger {
    Oid oid;
    Oid table;
    const char* name;
    bool for_row;
    bool of_moves;  // of a row, too (moved_rows.hpp)
    bool of_truncate;
    bool copy;     // of a row trigger, on a partition
    char enabled;  // pg_trigger.tgenabled
};

// All those of a projection, as CaptureTrigger*.
List* FindTriggers(int32 id);

// Makes four statement-level AFTER triggers on every base table, one an event, a row trigger for
// the replication role replica, and on partitioned tables one for rows that MERGE moves, as the
// current user, who needs TRIGGER on the tables; likewise on the tables through which they change
// (partitions.hpp). They are called <name>_insert, <name> (of UPDATE), <name>_delete,
// <name>_truncate, <name>_replica and <name>_moved (the last two with a number on a
// partitioned table); the name is the option trigger_names' or freshcrm_<id>. Leaves out the tables
// that have some. Within SPI.
void CreateTriggers(const Projection* projection, Datum options);

// Whether the table has triggers of any projection.
bool HasCaptureTriggers(Oid table);

// Lets triggers that were disabled and enabled again fire when they were made to.
void RestoreFiring(const List* triggers);

// Drops triggers, wherever they are and whoever owns the table.
void DropTriggers(const List* triggers);

// Drops every trigger that captures for the projection.
void DropTriggers(int32 id);

}  // namespace freshcrm::projection
