#include "explain/scope.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/syscache.h"
}

namespace freshcrm::explain {

void CheckMayExplain(HeapTuple function, const char* signature) {
    const auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
    if (form->prosecdef && !has_privs_of_role(GetUserId(), form->proowner)) {
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("permission denied to explain function %s", signature),
                 errdetail("It runs with the rights of role \"%s\" (SECURITY DEFINER), of whose "
                           "tables its plans show more than its results do.",
                           GetUserNameFromId(form->proowner, false)),
                 errhint("Explain it as a member of that role.")));
    }
}

FunctionScope EnterFunction(HeapTuple function) {
    const auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
    FunctionScope scope{};
    GetUserIdAndSecContext(&scope.user, &scope.security_context);
    bool isnull;
    const Datum settings = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proconfig, &isnull);
    if (!isnull) {
        scope.guc_nest_level = NewGUCNestLevel();
    }
    if (form->prosecdef) {
        SetUserIdAndSecContext(form->proowner,
                               scope.security_context | SECURITY_LOCAL_USERID_CHANGE);
    }
    if (!isnull) {
        ProcessGUCArray(DatumGetArrayTypeP(settings), superuser() ? PGC_SUSET : PGC_USERSET,
                        PGC_S_SESSION, GUC_ACTION_SAVE);
    }
    return scope;
}

void LeaveFunction(const FunctionScope& scope) {
    if (scope.guc_nest_level > 0) {
        AtEOXact_GUC(true, scope.guc_nest_level);
    }
    SetUserIdAndSecContext(scope.user, scope.security_context);
}

}  // namespace freshcrm::explain
