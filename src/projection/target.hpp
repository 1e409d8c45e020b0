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

// The names of the relation's columns.
List* ColumnNames(Oid relid);

// Adds the view's columns after the first `count` to the target, under the same names; one that is
// there with the same type is taken. Raises 42701 for another of that name, or a bookkeeping name.
// Within SPI.
void AddColumns(Oid source, Oid target, int count);

// Raises 55000 unless the table can still be a target: ordinary, permanent, with its bookkeeping
// columns and a unique index on the key, another one than `without`.
void CheckStillTarget(Oid target, const List* keys, Oid without = InvalidOid);

// Raises unless the table `target` has exactly these columns and a unique index on the key; see
// CreateProjection() for the SQLSTATEs.
void CheckAdoptable(const TargetShape& shape, Oid target);

}  // namespace freshcrm::projection
