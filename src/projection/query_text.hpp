// Queries that users give as text.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// The text of the query's only statement, a SELECT (VALUES, WITH and TABLE are), without a
// semicolon. Raises 22023 "<what> is not a single SELECT" with the hint, and syntax errors.
const char* OnlySelect(const char* query, const char* what, const char* hint);

// Whether a text is the name of a relation and not a query: identifiers with dots between them.
bool IsName(const char* text);

}  // namespace freshcrm::projection
