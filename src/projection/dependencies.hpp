// What the server itself says views depend on.
#pragma once

namespace freshcrm::projection {

// Start of a query: "used" has the relations (relid) that the view $1 reads, directly or through
// other views, with itself.
inline constexpr const char* kUsedRelations =
    "WITH RECURSIVE used AS (SELECT $1 AS relid UNION SELECT d.refobjid FROM used AS u "
    "JOIN pg_catalog.pg_class AS c ON c.oid = u.relid AND c.relkind = 'v' "
    "JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = u.relid "
    "JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass "
    "AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass)";

}  // namespace freshcrm::projection
