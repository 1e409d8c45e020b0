// Alter: changes how a projection is kept.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

struct Alteration {
    const char* mode;      // null: as it is
    const char* on_error;  // null: as it is
    Datum options;         // jsonb; 0: as they are
};

// Waits for the transactions that keep the projection as it was, and keeps others waiting to the
// end of this one. The current user must own it. Raises 42501, 42704, 22023 and what
// CreateProjection() raises for options.
void AlterProjection(Oid target, const Alteration& alteration);

}  // namespace freshcrm::projection
