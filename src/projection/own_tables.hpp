// Statements on freshcrm's own tables that are run often, prepared once a backend.
#pragma once

#include "pg/kept_statement.hpp"
#include "projection/definition.hpp"

namespace freshcrm::projection {

using Statement = pg::KeptStatement;

// Runs the statement as the owner of the tables (pg/kept_statement.hpp).
template <typename Use>
void OnOwnTable(Statement* statement, Datum* values, const char* nulls, bool reads, Use use) {
    pg::RunKept(statement, OwnerOfDefinitions(), values, nulls, reads, use);
}

}  // namespace freshcrm::projection
