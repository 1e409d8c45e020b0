// One statement and its plan as EXPLAIN prints it: in formats other than text a document of its
// own.
#pragma once

#include "explain/options.hpp"

extern "C" {
#include "executor/execdesc.h"
}

namespace freshcrm::explain {

// Opens the group of a statement, in the current memory context.
ExplainState* BeginStatement(const Options& options);

// Closes it; what was printed.
const char* EndStatement(ExplainState* printer);

// The text of a statement; nothing for one whose text is not kept (BEGIN ATOMIC).
void PrintText(ExplainState* printer, const char* text);

// The plan of a query that has been started, and what was measured.
void PrintPlan(ExplainState* printer, QueryDesc* query);

// The text that a query was made of, without space around it; palloc'ed.
const char* StatementText(const QueryDesc* query);

// Likewise, of any text.
const char* Trimmed(const char* text, Size length);

}  // namespace freshcrm::explain
