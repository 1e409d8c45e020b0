// What holds while a function runs: the role and the settings that it asks for.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::explain {

// Raises 42501 for a SECURITY DEFINER function of a role that the current user is no member of: the
// plans inside say more of that role's tables than the function does.
void CheckMayExplain(HeapTuple function, const char* signature);

// As the server enters a function: SECURITY DEFINER and SET. An error in between is undone by the
// end of the (sub)transaction. Source: utils/fmgr/fmgr.c, fmgr_security_definer().
struct FunctionScope {
    Oid user;
    int security_context;
    int guc_nest_level;  // 0: it has no settings
};
FunctionScope EnterFunction(HeapTuple function);
void LeaveFunction(const FunctionScope& scope);

}  // namespace freshcrm::explain
