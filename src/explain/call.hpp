// The call of a function that is to be explained.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "utils/jsonb.h"
}

namespace freshcrm::explain {

// An argument as it was given: a value of a type, or of none, when what the function takes is read
// of it.
struct Argument {
    const char* name;  // null: it is given by its position
    Oid type;          // UNKNOWNOID: one of the two below is read, or it is NULL
    Datum value;
    bool isnull;
    char* text;    // what the type's input function takes
    Jsonb* json;   // what jsonb_to_record() takes
    bool untyped;  // set by FindCall: the type, if any, is that of the parameter
};

struct Call {
    Oid function;
    const char* signature;
    bool returns_set;
    char volatility;
    Query* query;  // SELECT * FROM function(…); SELECT function(…) for one that returns no set
    const char* source;
    FuncExpr* expression;  // the call in it
    ParamListInfo params;
};

// Finds the function that a call with these arguments would call, by the server's own rules:
// overloading, defaults, VARIADIC, polymorphism, names. `function` is a name, with its schema where
// it is not in the search_path, or a name with its argument types as for regprocedure. The
// arguments are all named, or none of them is. Raises 42883 where there is none, 42725 where there
// are several, 42809 for an aggregate, a window function, a procedure or a trigger function, 42501
// without EXECUTE, and what the type of a parameter raises for an argument, which the context
// names.
Call FindCall(const char* function, Argument* arguments, int count);

}  // namespace freshcrm::explain
