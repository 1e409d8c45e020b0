// The function that a call would call, by the server's own rules.
#pragma once

#include "explain/call.hpp"

namespace freshcrm::explain {

struct Found {
    Oid function;
    List* name;  // by which it is found again
    Oid* types;  // what it takes, argument by argument
    Oid result_type;
    const char* call;       // for messages
    bool variadic_by_name;  // the last argument is named, and is the array of all further ones
};

// Named arguments may be put in another order; those without a type get that of their parameter
// where the function is named with its types. Raises as FindCall() says.
Found FindFunction(const char* function, Argument* arguments, int count);

// Whether the server could read an argument of unknown type as this one: not any type, nor one that
// another argument decides.
bool IsReadable(Oid type);

// 42725: the calls of these names could mean several functions.
[[noreturn]] void RaiseAmbiguous(List* name, const char* call);

}  // namespace freshcrm::explain
