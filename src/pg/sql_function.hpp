// What a function in language SQL is made of.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/primnodes.h"
}

namespace freshcrm::pg {

// One statement of a body.
struct SqlStatement {
    const char* text;
    List* queries;  // what rules make of it; palloc'ed
};

// The statements of a function in language SQL as the server runs them for this call, whose
// arguments are all there and in order: a list of SqlStatement*. Parameters are those of the
// function ($1 is the first argument), and the last statement gives what the function returns.
// Raises what running it would raise before the first statement. Source: executor/functions.c,
// init_sql_fcache().
List* StatementsOfSqlFunction(HeapTuple function, FuncExpr* call);

}  // namespace freshcrm::pg
