// The triggers that capture changes of base tables: made and dropped here, run in capture.hpp.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// Makes four statement-level AFTER triggers on every base table, one an event, and a row trigger
// for the replication role replica, as the current user, who needs TRIGGER on the tables; likewise
// on the tables through which they change (partitions.hpp). They are called <name>_insert, <name>
// (of UPDATE), <name>_delete, <name>_truncate and <name>_replica; the name is the option
// trigger_names' or freshcrm_<id>. Within SPI.
void CreateTriggers(const Projection* projection, Datum options);

// Drops every trigger that captures for the projection, wherever it is and whoever owns the table.
void DropTriggers(int32 id);

}  // namespace freshcrm::projection
