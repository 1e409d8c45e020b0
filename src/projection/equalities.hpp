// Equalities of columns in conditions: the edges of the lineage graph.
#pragma once

#include "projection/query_level.hpp"

namespace freshcrm::projection {

// The equality operator of the type's default operator class, or invalid.
Oid EqualityOf(Oid type);

// Collects `a.x = b.y`.
void CollectEquality(const Place& place, const OpExpr* op);

// Collects `a.x = ANY (b.array)`.
void CollectArrayEquality(const Place& place, const ScalarArrayOpExpr* any);

// Collects `x = output` of `x IN (SELECT output …)`: a row of the subquery matters to the rows of
// the outer query that have its value. (One that is NULL makes the result NULL instead of false,
// which is why this is for conditions only.)
void CollectInEquality(const Place& outer, Level* inner, Node* test);

}  // namespace freshcrm::projection
