// Mapping queries given by the user (option mapping): from changed rows of a base table to the keys
// that they affect.
//
//     SELECT l.id FROM changed JOIN crm.leads AS l ON l.created < changed.at
//
// `changed` has the columns of the table and holds the old and the new rows of the statement. The
// query is a single SELECT that returns the key's columns, in order. It runs as the projection's
// owner with search_path = pg_catalog, pg_temp, after the statement, with a fresh snapshot: where a
// statement can delete a changed row together with rows that its keys come from, it has to look
// those keys up in the target, which it may read.
#pragma once

#include "pg/spi.hpp"
#include "projection/projection.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace freshcrm::projection {

// Prepares the mapping query of a source that has one. Raises 22023 when it is no single SELECT or
// reads a temporary table, 42804 when it does not return the key's columns, and what is wrong with
// it as a query. Within Maintain().
void CheckUserMapping(const Projection* projection, Source* source);

void CheckUserMappings(const Projection* projection);

// Runs the mapping query on changed rows of the source and hands over the keys. Within Maintain(),
// under the active snapshot.
void RunUserMapping(const Projection* projection, Source* source, Tuplestorestate* rows,
                    const pg::RowHandler& handler);

}  // namespace freshcrm::projection
