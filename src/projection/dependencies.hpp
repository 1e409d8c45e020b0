// The base tables of a view as the server's own record of dependencies has them: what options can
// name, and what lineage must have found.
#pragma once

#include "projection/lineage.hpp"

namespace freshcrm::projection {

// The relations that the view and the views nested in it depend on, other than views; a list of
// OIDs.
List* BaseTables(Oid view);

// Raises 0A000 when one of the tables is not in the lineage.
void CheckDependencies(const List* tables, const Lineage* lineage);

}  // namespace freshcrm::projection
