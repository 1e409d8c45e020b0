#include "projection/trigger_rights.hpp"

#include "pg/names.hpp"

extern "C" {
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

namespace freshcrm::projection {

namespace {

bool HasRight(Oid user, Oid table) {
    return pg_class_aclcheck(table, user, ACL_TRIGGER) == ACLCHECK_OK;
}

bool MayPutTriggers(Oid table) {
    if (HasRight(GetUserId(), table)) {
        return true;
    }
    if (!get_rel_relispartition(table)) {
        return false;
    }
    ListCell* cell;
    foreach (cell, get_partition_ancestors(table)) {
        const Oid root = lfirst_oid(cell);
        if (HasRight(GetUserId(), root) &&
            pg::OwnerOfRelation(root) == pg::OwnerOfRelation(table)) {
            return true;
        }
    }
    return false;
}

// The first table where SQL lets a user make no row trigger of `table`, which its partitions get,
// too; or invalid.
Oid FirstWithoutRight(Oid user, Oid table) {
    ListCell* cell;
    foreach (cell, find_all_inheritors(table, NoLock, nullptr)) {
        if (!HasRight(user, lfirst_oid(cell))) {
            return lfirst_oid(cell);
        }
    }
    return InvalidOid;
}

[[noreturn]] void RaiseDenied(Oid table, bool reads) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for table %s", pg::RelationForMessage(table)),
             reads ? errdetail("A projection reads the base tables of its view and puts "
                               "triggers on them.")
                   : errdetail("A projection puts triggers on the partitions of its base "
                               "tables, and on what these are partitions of."),
             errhint("Grant %s on the table to %s.", reads ? "SELECT and TRIGGER" : "TRIGGER",
                     quote_identifier(GetUserNameFromId(GetUserId(), false)))));
    pg_unreachable();
}

}  // namespace

void RequireRights(Oid table, bool reads) {
    if (!MayPutTriggers(table) ||
        (reads && pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)) {
        RaiseDenied(table, reads);
    }
}

void RequireReading(Oid table) {
    if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK) {
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied for materialized view %s",
                               pg::RelationForMessage(table)),
                        errdetail("A projection reads the base tables of its view."),
                        errhint("Grant SELECT on it to %s.",
                                quote_identifier(GetUserNameFromId(GetUserId(), false)))));
    }
}

pg::OwnerScope BeginTriggersOn(Oid table) {
    // Its name means this table to the end.
    LockRelationOid(table, ShareRowExclusiveLock);
    const Oid refused = FirstWithoutRight(GetUserId(), table);
    if (!OidIsValid(refused)) {
        return pg::BeginAsOwner(GetUserId());
    }
    const Oid owner = pg::OwnerOfRelation(table);
    if (OidIsValid(FirstWithoutRight(owner, table))) {
        RaiseDenied(refused, false);
    }
    return pg::BeginAsOwner(owner);
}

}  // namespace freshcrm::projection
