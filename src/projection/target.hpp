// The target table: made to fit a view, or found to fit it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pg_list.h"
}

namespace freshcrm::projection {

struct TargetShape {
    Oid source;
    List* keys;  // names
    Oid schema;
    const char* name;
    int fillfactor;
};

// Creates the table: the view's columns, updated_at, version_etag, primary key. Within SPI.
Oid CreateTarget(const TargetShape& shape);

// Raises unless the table `target` has exactly these columns and a unique index on the key; see
// CreateProjection() for the SQLSTATEs.
void CheckAdoptable(const TargetShape& shape, Oid target);

}  // namespace freshcrm::projection
