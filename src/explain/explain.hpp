// The plans inside a function, as the calling role gets them.
#pragma once

#include "explain/call.hpp"
#include "explain/options.hpp"

namespace freshcrm::explain {

// A list of C strings, one a statement. Without option analyze nothing is run: where the planner
// puts the function's query into that of the call, its plan with the values of the arguments; else
// the plans of the statements of a function in language SQL, which the server makes once for all
// arguments, under the function's settings, and as its owner where it is SECURITY DEFINER. Raises
// 0A000 for other languages. With analyze the function is run with all that it does: the plan of
// the call, and then those of the statements inside. Raises 42501 for a SECURITY DEFINER function
// of a role that the caller is no member of, and what the call raises.
List* ExplainCall(const Call& call, const Options& options);

}  // namespace freshcrm::explain
