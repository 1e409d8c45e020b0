#include "conditional/request.hpp"

#include "core/conditional.hpp"
#include "projection/row_tag.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/rls.h"
#include "utils/varlena.h"
}

namespace freshcrm::conditional {

namespace {

// "" where it is not set.
const char* Setting(const char* name) {
    const char* value = GetConfigOption(name, true, false);
    return value != nullptr ? value : "";
}

// Where PostgREST looks for what the path names: the first schema. "$user" counts where there is
// one of the user's name.
Oid RequestedSchema() {
    List* names;
    const char* path = GetConfigOption("search_path", false, false);
    if (!SplitIdentifierString(pstrdup(path), ',', &names)) {
        return InvalidOid;
    }
    ListCell* cell;
    foreach (cell, names) {
        const auto* name = static_cast<char*>(lfirst(cell));
        const bool of_user = strcmp(name, "$user") == 0;
        const Oid schema =
            get_namespace_oid(of_user ? GetUserNameFromId(GetUserId(), false) : name, true);
        if (OidIsValid(schema) || !of_user) {
            return schema;
        }
    }
    return InvalidOid;
}

bool HasForeignKey(Relation table) {
    const TriggerDesc* triggers = table->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        if (RI_FKey_trigger_type(triggers->triggers[i].tgfoid) != RI_TRIGGER_NONE) {
            return true;
        }
    }
    return false;
}

bool IsArgumentOfFunction(Oid type) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(TypeRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(type));
    Relation depend = table_open(DependRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, 2, keys);
    bool found = false;
    for (HeapTuple tuple; !found && HeapTupleIsValid(tuple = systable_getnext(scan));) {
        found = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple))->classid == ProcedureRelationId;
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
    return found;
}

bool AnswersFollowFromRows(Oid relid) {
    Relation table = table_open(relid, AccessShareLock);
    const bool follow = !HasForeignKey(table) && !IsArgumentOfFunction(table->rd_rel->reltype);
    table_close(table, AccessShareLock);
    return follow && check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

}  // namespace

Oid RequestedTable() {
    const char* path = Setting("request.path");
    if (!core::IsSelection(Setting("request.method")) || *path != '/') {
        return InvalidOid;
    }
    const Oid schema = RequestedSchema();
    const Oid relid = OidIsValid(schema) && strlen(path + 1) < NAMEDATALEN
                          ? get_relname_relid(path + 1, schema)
                          : InvalidOid;
    if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION ||
        pg_namespace_aclcheck(schema, GetUserId(), ACL_USAGE) != ACLCHECK_OK ||
        pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK) {
        return InvalidOid;
    }
    return projection::IsKept(relid) && AnswersFollowFromRows(relid) ? relid : InvalidOid;
}

}  // namespace freshcrm::conditional
