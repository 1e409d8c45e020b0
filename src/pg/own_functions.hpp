// Functions of this extension: those that are its members, whatever else stands in its schema.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
}

namespace freshcrm::pg {

inline bool IsOwnFunction(Oid function) {
    const Oid extension = get_extension_oid("freshcrm", true);
    return OidIsValid(extension) &&
           getExtensionOfObject(ProcedureRelationId, function) == extension;
}

// In schema freshcrm, by its name and the types of its arguments. Raises 42883 when there is none,
// or is invalid then.
inline Oid OwnFunction(const char* name, int count, const Oid* types, bool missing_ok) {
    return LookupFuncName(list_make2(makeString(pstrdup("freshcrm")), makeString(pstrdup(name))),
                          count, types, missing_ok);
}

}  // namespace freshcrm::pg
