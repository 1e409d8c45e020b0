// What lineage found out about a view, and which indexes are there for it.
#pragma once

#include "projection/lineage.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace freshcrm::projection {

// The rows of explain_projection(): for each base table its paths, in order, each with a row for
// each table that its mapping query reads; then a row for each index by which the view reads the
// table for a key, without a mapping query. To be called as the projection's owner, since index
// predicates may call functions.
void ExplainLineage(const Lineage* lineage, ReturnSetInfo* result);

// The same for a view that the current user owns, before there is a projection of it. Raises 42501,
// and what CreateProjection() raises for its key and options.
void ExplainView(Oid view, const List* keys, Datum options, ReturnSetInfo* result);

// Raises a NOTICE for each index that is missing, with the DDL as its hint. As the owner, too.
void NoticeMissingIndexes(const Lineage* lineage);

}  // namespace freshcrm::projection
