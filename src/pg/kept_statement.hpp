// Statements on the extension's own tables that are run often, prepared once a backend.
//
//     static pg::KeptStatement statement = {"SELECT … WHERE id = $1", 1, {INT4OID}, nullptr};
//     pg::RunKept(&statement, owner, values, nullptr, true, [&] { … SPI_tuptable … });
#pragma once

#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "executor/spi.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::pg {

// To be kept in a static variable.
struct KeptStatement {
    const char* sql;
    int nargs;
    Oid types[16];
    SPIPlanPtr plan;
};

// Runs the statement as the owner of the tables, above READ COMMITTED, too, on their latest state;
// `use` reads the result while SPI is connected, as who the caller is.
template <typename Use>
void RunKept(KeptStatement* statement, Oid owner, Datum* values, const char* nulls, bool reads,
             Use use) {
    SPI_connect();
    const OwnerScope scope = BeginAsOwner(owner);
    if (statement->plan == nullptr) {
        statement->plan =
            PrepareKept(statement->sql, statement->nargs, statement->types, CacheMemoryContext);
    }
    PushFreshSnapshot();
    const int result = SPI_execute_snapshot(statement->plan, values, nulls, GetActiveSnapshot(),
                                            InvalidSnapshot, reads, true, 0);
    PopActiveSnapshot();
    if (result < 0) {
        elog(ERROR, "could not run \"%s\": %s", statement->sql, SPI_result_code_string(result));
    }
    EndAsOwner(scope);
    use();
    SPI_finish();
}

}  // namespace freshcrm::pg
