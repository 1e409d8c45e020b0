// Statements on freshcrm's own tables that are run often, prepared once a backend.
#pragma once

#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"
#include "projection/definition.hpp"

extern "C" {
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

// To be kept in a static variable.
struct Statement {
    const char* sql;
    int nargs;
    Oid types[12];
    SPIPlanPtr plan;
};

// Runs the statement as the owner of the tables, above READ COMMITTED, too, on their latest state;
// `use` reads the result while SPI is connected, as who the caller is.
template <typename Use>
void OnOwnTable(Statement* statement, Datum* values, const char* nulls, bool reads, Use use) {
    SPI_connect();
    const pg::OwnerScope scope = pg::BeginAsOwner(OwnerOfDefinitions());
    if (statement->plan == nullptr) {
        statement->plan =
            pg::PrepareKept(statement->sql, statement->nargs, statement->types, CacheMemoryContext);
    }
    pg::PushFreshSnapshot();
    const int result = SPI_execute_snapshot(statement->plan, values, nulls, GetActiveSnapshot(),
                                            InvalidSnapshot, reads, false, 0);
    PopActiveSnapshot();
    if (result < 0) {
        elog(ERROR, "could not run \"%s\": %s", statement->sql, SPI_result_code_string(result));
    }
    pg::EndAsOwner(scope);
    use();
    SPI_finish();
}

}  // namespace freshcrm::projection
