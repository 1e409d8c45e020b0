// Acting as the owner of a relation, whoever the session's user is.
//
//     const pg::OwnerScope scope = pg::BeginAsOwner(owner);
//     …
//     pg::EndAsOwner(scope);
//
// Between the two, code runs as `owner` in a security-restricted operation (it can not change the
// role or leave temporary objects and cursors behind) with search_path = pg_catalog, pg_temp and
// pinned settings of SQL's syntax, of text forms and of which rows are found, so that neither the
// caller's search_path nor its temporary objects nor its settings mean anything. An error in
// between is undone by the end of the (sub)transaction, which is why this is a plain struct.
// Source: commands/matview.c, ExecRefreshMatView().
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::pg {

struct OwnerScope {
    Oid user;
    int security_context;
    int guc_nest_level;
};

OwnerScope BeginAsOwner(Oid owner);
void EndAsOwner(const OwnerScope& scope);

// The same without the restriction, for DDL that the caller asked for and for SQL text that is
// written: who acts stays who acts, only search_path and settings are pinned.
OwnerScope BeginPinnedSearchPath();

}  // namespace freshcrm::pg
