// Partitions that a command attaches or detaches, and the rows that tables gain and lose by it.
#pragma once

#include "projection/projection.hpp"

extern "C" {
#include "nodes/nodes.h"
#include "nodes/pg_list.h"
}

namespace freshcrm::projection {

struct PartitionMove {
    Oid parent;
    Oid partition;
    bool attached;  // else detached
};

// The moves of a command that has just ended, given its parse tree; a list of PartitionMove*. A
// partition that is made as one is none of them: it has no rows. To be called with the search_path
// of the command.
List* PartitionMoves(const Node* command);

// The partitions of the moves with all their partitions; a list of OIDs.
List* MovedTables(const List* moves);

// Follows the rows that came or went as if triggers had seen each of them.
void FollowMoves(Projection* projection, const List* moves);

}  // namespace freshcrm::projection
