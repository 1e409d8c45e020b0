// Commands that cannot be followed at their end, because they commit in between: DETACH PARTITION
// CONCURRENTLY, after whose first transaction the view no longer shows the partition, and DROP
// INDEX CONCURRENTLY, after whose first the index is no longer used.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/nodes.h"
}

namespace freshcrm::projection {

// To be called by a trigger on ddl_command_start, with the parse tree of the command. Raises 0A000
// where a projection reads the partition or a table that it is part of, 55000 where the index is
// the only one on the key of a projection's table.
void RefuseConcurrent(const Node* command);

}  // namespace freshcrm::projection
