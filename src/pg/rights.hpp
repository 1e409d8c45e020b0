// Rights of the current user.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/acl.h"
}

namespace freshcrm::pg {

// Raises 42501 for who may read no column of the table.
inline void CheckMayRead(Oid table) {
    const Oid user = GetUserId();
    if (pg_class_aclcheck(table, user, ACL_SELECT) != ACLCHECK_OK &&
        pg_attribute_aclcheck_all(table, user, ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK) {
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
    }
}

// Whether the current user owns the relation, or is a member of the role that does.
inline bool IsOwner(Oid relation) {
#if PG_VERSION_NUM < 160000
    return pg_class_ownercheck(relation, GetUserId());
#else
    return object_ownercheck(RelationRelationId, relation, GetUserId());
#endif
}

// Raises 42501 for who may not call the function.
inline void CheckMayExecute(Oid function) {
#if PG_VERSION_NUM < 160000
    const AclResult result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#else
    const AclResult result =
        object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#endif
    if (result != ACLCHECK_OK) {
        aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
    }
}

}  // namespace freshcrm::pg
