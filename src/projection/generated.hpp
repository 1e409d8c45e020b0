// Generated columns of partitioned tables in the rows that triggers are given.
//
// For a row that is routed into a partition whose columns lie otherwise, the server hands on the
// row as it was before its generated columns were computed (ExecPrepareTupleRouting() in
// nodeModifyTable.c and copyfrom.c of PostgreSQL 15: tcs_original_insert_tuple). There they are
// NULL.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/bitmapset.h"
#include "nodes/primnodes.h"
#include "utils/tuplestore.h"
}

namespace freshcrm::projection {

// The expression of a generated column whose value cannot be taken from such a row, over the
// table's columns as Vars of relation 1; null for any other column.
Expr* GenerationOf(Oid relid, AttrNumber attnum);

// Adds the column, and those that such a column is computed from.
Bitmapset* AddWithOrigin(Bitmapset* columns, Oid relid, AttrNumber attnum);

// Rows of the table, with such columns computed, as the current user: `rows` itself where there is
// none of them, else a copy in the current memory context.
Tuplestorestate* WithGenerated(Oid relid, Tuplestorestate* rows);

}  // namespace freshcrm::projection
