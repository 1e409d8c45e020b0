// What functions of an aggregate have in common.
//
// The server passes states as type internal and knows no more of them. So every such function asks
// whether an aggregate calls it: nothing else can hand it a pointer that is no state of its own.
#pragma once

#include "pg/error.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace freshcrm::pg {

// Where the aggregate keeps its states. `aggregate` is how users call it.
inline MemoryContext AggregateContext(FunctionCallInfo fcinfo, const char* aggregate) {
    MemoryContext context;
    if (AggCheckCallContext(fcinfo, &context) == 0) {
        throw Error(ERRCODE_FEATURE_NOT_SUPPORTED, "function is a part of an aggregate")
            .Hint(std::string("Call ") + aggregate + ".");
    }
    return context;
}

// The same question without the answer, for what is asked for every row.
inline bool InAggregate(FunctionCallInfo fcinfo) {
    const Node* caller = fcinfo->context;
    return caller != nullptr && (IsA(caller, AggState) || IsA(caller, WindowAggState));
}

// An argument that is a state; null when there is none yet.
template <typename State>
State* StateArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? nullptr : reinterpret_cast<State*>(PG_GETARG_POINTER(argument));
}

}  // namespace freshcrm::pg
