// Rights of the current user.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "catalog/pg_class.h"
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

}  // namespace freshcrm::pg
