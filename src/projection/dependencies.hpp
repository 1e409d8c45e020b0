// The base tables of a view as the server's own record of dependencies has them: what options can
// name, and what lineage must have found.
#pragma once

#include "projection/lineage.hpp"

namespace freshcrm::projection {

// Start of a query: "used" has the relations (relid) that the view $1 reads, directly or through
// other views, with itself.
inline constexpr const char* kUsedRelations =
    "WITH RECURSIVE used AS (SELECT $1 AS relid UNION SELECT d.refobjid FROM used AS u "
    "JOIN pg_catalog.pg_class AS c ON c.oid = u.relid AND c.relkind = 'v' "
    "JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = u.relid "
    "JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass "
    "AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass)";

// The relations that the view and the views nested in it depend on, other than views; a list of
// OIDs.
List* BaseTables(Oid view);

// How many projections the view is made of, one over the other: 0 when it reads no target.
int RankOf(Oid view);

// Raises 0A000 when one of the tables is not in the lineage.
void CheckDependencies(const List* tables, const Lineage* lineage);

}  // namespace freshcrm::projection
