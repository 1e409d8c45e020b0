// An aggregate in the view as a column that rows of one table feed (patch.hpp).
#pragma once

#include "projection/patch.hpp"

namespace freshcrm::projection {

// As Vars of relation 1.
Node* OfRelationOne(Node* node, int rtindex);

// Whether it reads something of the query around it.
bool HasOuterVar(Node* node);

// Whether it reads a row as one value, or a system column.
bool ReadsWholeRow(Node* node);

// The column `resno` of the view, when the expression is an aggregate whose result can be brought
// forward: over rows of the table `rtindex` of its query for which the conditions hold, Vars of
// relation 1. Else null.
PatchColumn* ReadAggregate(const Expr* expression, int rtindex, List* conditions, AttrNumber resno);

}  // namespace freshcrm::projection
