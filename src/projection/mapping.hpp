// The second half of lineage: from a path through the graph to the values and queries that follow
// it.
#pragma once

#include "projection/lineage.hpp"
#include "projection/query_walk.hpp"

namespace freshcrm::projection {

// A core::LineagePath as plain memory.
struct FlatPath {
    int changed;       // the occurrence that it sets out from
    List* tables;      // of occurrences
    List* conditions;  // of core::PathCondition*
    List* key;         // of core::ColumnRef*
};

Path MakePath(const WalkedView& view, int changed, const FlatPath& flat, const KeyColumn* keys);

// An item of FROM: the starts of changed rows, handed over as arrays $1, $2, …, as a table c of
// columns s0, s1, …
const char* StartRows(const Path& path);

bool SamePath(const Path& a, const Path& b, int key_count);

}  // namespace freshcrm::projection
