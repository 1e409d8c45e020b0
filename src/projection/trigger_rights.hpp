// Who may put a projection's triggers on tables.
//
// TRIGGER on a partitioned table is enough for those of its partitions that have the same owner.
// The server itself gives its row triggers to partitions that come later, whoever made them, and
// nobody can grant anything on a partition before CREATE TABLE … PARTITION OF has made it.
#pragma once

#include "pg/owner_scope.hpp"

namespace freshcrm::projection {

// Raises 42501 when the current user may not, or, for a table that the view itself names, may not
// read it.
void RequireRights(Oid table, bool reads);

// Raises 42501 when the current user may not read it; for a materialized view, which has no
// triggers.
void RequireReading(Oid table);

// Around the making of triggers on a table for the current user, who has passed RequireRights():
// as he himself where SQL lets him, else as the table's owner; raises 42501 when it lets neither,
// since partitions have several owners. Ends with pg::EndAsOwner().
pg::OwnerScope BeginTriggersOn(Oid table);

}  // namespace freshcrm::projection
