// The request that PostgREST is about to carry out, as its settings request.* have it.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::conditional {

// The projection that a GET or HEAD asks for rows of, where its rows alone decide what the answer
// is; else invalid. Never raises for what a request says.
//
// The path must be "/" and the name of a table in the first schema of search_path, which PostgREST
// has set to the request's. PostgREST does not tell the query string, so that the answer must
// follow from the table whatever filter, order and page it asks for. Therefore not where
//   row-level security hides rows from the current user: policies may look at anything;
//   a foreign key leads from or to the table: rows of other tables could be embedded;
//   a function takes the table's row type: it could be asked for as a computed column;
//   the current user may not read the table: that is for the main query to say.
Oid RequestedTable();

}  // namespace freshcrm::conditional
