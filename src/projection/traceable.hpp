// What lineage refuses, and why: every refusal is a 0A000 that names the table or clause and the
// reason.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::projection {

[[noreturn]] void Refuse(const char* what, const char* reason);
[[noreturn]] void RefuseTable(Oid relid, const char* reason);

// The same where options full and mapping are ways out: for all tables below a clause (or the view,
// for a key), or for these tables (OIDs).
[[noreturn]] void RefuseClause(const char* what, const char* reason);
[[noreturn]] void RefuseLinks(const List* tables, const char* reason);

// Refuses a query level with clauses that cannot be followed.
void CheckTraceable(const Query* query, const char* name);

// Refuses a table whose changes cannot be captured, or that the view's owner sees through policies
// of row-level security, which may depend on who asks.
void CheckTraceableTable(const RangeTblEntry* rte, Oid view_owner);

// Why a target column of the view cannot be a key.
const char* KeyReason(const Query* query, AttrNumber resno);

}  // namespace freshcrm::projection
