// The plans of the statements that run inside a call, as they are used.
//
// Queries that the executor runs between a query's start and end are those of the functions that it
// calls: statements of PL/pgSQL, SQL and triggers, at any depth. They are known to nobody before.
#pragma once

#include "explain/options.hpp"

extern "C" {
#include "executor/execdesc.h"
}

namespace freshcrm::explain {

// Statements of the same text at the same depth are one. The plan is that of the slowest run.
struct Captured {
    const char* text;
    const void* plan;  // tells statements apart that have no text
    int depth;         // 1: run by the function itself
    uint64 calls;
    double total;    // ms
    double longest;  // ms
    MemoryContext context;
    ExplainState* printer;  // holds the plan; the group of the query is open
};

struct Capture {
    Options options;
    MemoryContext context;
    QueryDesc* query;  // the call itself, which is not captured
    Oid user;
    int depth;
    List* statements;  // Captured*, at most kMostStatements, in the order of their first end
    uint64 left_out;   // runs of others than those
    uint64 hidden;     // runs with rights that the caller has not: SECURITY DEFINER, upkeep, checks
};

inline constexpr int kMostStatements = 100;

// To be called once, from _PG_init.
void InitCapture();

// Runs a started query to its end and adds what is run inside. Afterwards, also after an error,
// what was captured before is captured again, if anything.
void RunCaptured(Capture* capture);

}  // namespace freshcrm::explain
