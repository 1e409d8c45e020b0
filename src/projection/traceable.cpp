#include "projection/traceable.hpp"

#include "pg/names.hpp"
#include "projection/query_level.hpp"

extern "C" {
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/rls.h"
}

namespace freshcrm::projection {

namespace {

// The partitions are written to directly, too.
void CheckPartitions(Oid root) {
    ListCell* cell;
    foreach (cell, find_all_inheritors(root, AccessShareLock, nullptr)) {
        if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_FOREIGN_TABLE) {
            RefuseTable(root, psprintf("Its partition %s is a foreign table, whose changes made "
                                       "elsewhere fire no trigger here.",
                                       pg::RelationForMessage(lfirst_oid(cell))));
        }
    }
}

}  // namespace

void Refuse(const char* what, const char* reason) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot trace %s", what),
                    errdetail("%s", reason), errhint("Rewrite the view without it.")));
    pg_unreachable();
}

void RefuseClause(const char* what, const char* reason) {
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot trace %s", what),
             errdetail("%s", reason),
             errhint("Rewrite the view so that every table is linked to the key by equality of "
                     "columns; or name each table of it in option full (any change recomputes the "
                     "whole projection) or option mapping (a query gives the keys).")));
    pg_unreachable();
}

void RefuseLinks(const List* tables, const char* reason) {
    StringInfoData names;
    StringInfoData full;
    StringInfoData mapping;
    initStringInfo(&names);
    initStringInfo(&full);
    initStringInfo(&mapping);
    ListCell* cell;
    foreach (cell, tables) {
        const char* name = pg::RelationForMessage(lfirst_oid(cell));
        const char* separator = foreach_current_index(cell) > 0 ? ", " : "";
        appendStringInfo(&names, "%s%s", separator, name);
        appendStringInfo(&full, "%s\"%s\"", separator, name);
        appendStringInfo(&mapping, R"(%s"%s": "SELECT key FROM changed ...")", separator, name);
    }
    const int count = list_length(tables);
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot trace %s %s", count > 1 ? "tables" : "table", names.data),
             errdetail("%s", reason),
             errhint("Link %s to the other tables of the view by equality of columns; or give the "
                     "option {\"full\": [%s]} (any change recomputes the whole projection) "
                     "or {\"mapping\": {%s}} (a query gives the keys).",
                     count > 1 ? "them" : "it", full.data, mapping.data)));
    pg_unreachable();
}

void RefuseTable(Oid relid, const char* reason) {
    Refuse(psprintf("table %s", pg::RelationForMessage(relid)), reason);
}

void CheckTraceable(const Query* query, const char* name) {
    const char* clause = query->commandType != CMD_SELECT || query->hasModifyingCTE
                             ? "a data-modifying statement"
                         : query->rowMarks != NIL ? "FOR UPDATE or FOR SHARE"
                                                  : nullptr;
    if (clause != nullptr) {
        Refuse(psprintf("%s in %s", clause, name), "A row cannot be followed through it.");
    }
}

void CheckTraceableTable(const RangeTblEntry* rte, Oid view_owner) {
    const Oid relid = rte->relid;
    if (rte->relkind == RELKIND_FOREIGN_TABLE) {
        RefuseTable(relid,
                    "It is a foreign table, whose changes made elsewhere fire no trigger here.");
    }
    if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE &&
        rte->relkind != RELKIND_MATVIEW) {
        RefuseTable(relid, "It is not an ordinary table.");
    }
    if (IsCatalogRelationOid(relid)) {
        RefuseTable(relid, "It is a system catalog, on which there can be no triggers.");
    }
    const bool partitioned = rte->relkind == RELKIND_PARTITIONED_TABLE;
    if (!partitioned &&
        (has_subclass(relid) || (has_superclass(relid) && !get_rel_relispartition(relid)))) {
        RefuseTable(relid, "It takes part in inheritance, which is not followed.");
    }
    if (partitioned) {
        CheckPartitions(relid);
    }
    if (rte->tablesample != nullptr) {
        RefuseTable(relid, "It is read with TABLESAMPLE.");
    }
    if (get_rel_persistence(relid) != RELPERSISTENCE_PERMANENT) {
        RefuseTable(relid, "It is temporary or unlogged: it can lose rows without a trigger.");
    }
    const Oid reader = OidIsValid(rte->checkAsUser) ? rte->checkAsUser : view_owner;
    if (check_enable_rls(relid, reader, true) == RLS_ENABLED) {
        RefuseTable(relid,
                    "The view reads it under row-level security, which may show other rows to "
                    "others.");
    }
}

const char* KeyReason(const Query* query, AttrNumber resno) {
    if (query->setOperations != nullptr) {
        return "In a branch of the set operation it is not a column of a base table.";
    }
    if (bms_is_member(resno, PassingColumns(query))) {
        return "It is not a column of a base table, nor an immutable expression over the columns "
               "of "
               "one.";
    }
    if (query->limitCount != nullptr || query->limitOffset != nullptr) {
        return "The view has LIMIT or OFFSET, so that any row can affect any other.";
    }
    if (query->groupingSets != NIL) {
        return "The view has GROUPING SETS.";
    }
    if (!bms_is_member(resno, CarriedColumns(query))) {
        return query->groupClause == NIL ? "The view aggregates all rows into one."
                                         : "It is computed by an aggregate.";
    }
    return "It is not in DISTINCT ON and every PARTITION BY of the view.";
}

}  // namespace freshcrm::projection
