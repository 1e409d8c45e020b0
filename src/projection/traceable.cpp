#include "projection/traceable.hpp"

#include "pg/names.hpp"
#include "projection/query_level.hpp"

extern "C" {
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/regproc.h"
#include "utils/rls.h"
#include "utils/typcache.h"
}

#include <algorithm>
#include <iterator>

namespace freshcrm::projection {

namespace {

bool IsMutable(Oid function, void* found) {
    // An enum's label changes with ALTER TYPE … RENAME VALUE only.
    if (func_volatile(function) == PROVOLATILE_IMMUTABLE || function == F_ENUM_OUT) {
        return false;
    }
    *static_cast<Oid*>(found) = function;
    return true;
}

bool RowOutputIsImmutable(Oid type, bool as_json);

// The text (or JSON) form of the type's values depends on the values alone, given the settings that
// maintenance pins (pg/owner_scope.hpp). JSON has dates and timestamps in ISO 8601, whatever
// DateStyle is.
bool OutputIsImmutable(Oid type, bool as_json) {
    type = getBaseType(type);
    if (const Oid element = get_element_type(type); OidIsValid(element)) {
        return OutputIsImmutable(element, as_json);
    }
    if (type == RECORDOID) {
        return false;
    }
    if (type_is_rowtype(type)) {
        return RowOutputIsImmutable(type, as_json);
    }
    if (as_json && (type == DATEOID || type == TIMESTAMPOID)) {
        return true;
    }
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    Oid found;
    return !IsMutable(output, &found);
}

bool RowOutputIsImmutable(Oid type, bool as_json) {
    TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
    for (int i = 0; i < desc->natts; ++i) {
        const auto* column = TupleDescAttr(desc, i);
        if (!column->attisdropped && !OutputIsImmutable(column->atttypid, as_json)) {
            return false;
        }
    }
    return true;
}

// Functions that are stable only because they call the output functions of whatever types they are
// given.
constexpr Oid kWritesText[] = {
    F_CONCAT,
    F_CONCAT_WS,
    F_FORMAT_TEXT,
    F_FORMAT_TEXT_ANY,
    F_ARRAY_TO_STRING_ANYARRAY_TEXT,
    F_ARRAY_TO_STRING_ANYARRAY_TEXT_TEXT,
    F_QUOTE_LITERAL_ANYELEMENT,
    F_QUOTE_NULLABLE_ANYELEMENT,
    F_TEXTANYCAT,
    F_ANYTEXTCAT,
};
constexpr Oid kWritesJson[] = {
    F_TO_JSON,
    F_TO_JSONB,
    F_ROW_TO_JSON_RECORD,
    F_ARRAY_TO_JSON_ANYARRAY,
    F_JSON_AGG,
    F_JSONB_AGG,
    F_JSON_OBJECT_AGG,
    F_JSONB_OBJECT_AGG,
    F_JSON_BUILD_ARRAY_ANY,
    F_JSON_BUILD_OBJECT_ANY,
    F_JSONB_BUILD_ARRAY_ANY,
    F_JSONB_BUILD_OBJECT_ANY,
};

bool OutputsAreImmutable(const List* arguments, bool as_json) {
    ListCell* cell;
    foreach (cell, arguments) {
        auto* argument = static_cast<Node*>(lfirst(cell));
        if (IsA(argument, TargetEntry)) {
            argument = reinterpret_cast<Node*>(reinterpret_cast<TargetEntry*>(argument)->expr);
        }
        if (exprType(argument) != UNKNOWNOID && !OutputIsImmutable(exprType(argument), as_json)) {
            return false;
        }
    }
    return true;
}

bool OnlyWritesImmutably(Node* node) {
    Oid function = InvalidOid;
    const List* arguments = NIL;
    if (IsA(node, FuncExpr)) {
        function = reinterpret_cast<FuncExpr*>(node)->funcid;
        arguments = reinterpret_cast<FuncExpr*>(node)->args;
    } else if (IsA(node, OpExpr)) {
        function = get_opcode(reinterpret_cast<OpExpr*>(node)->opno);
        arguments = reinterpret_cast<OpExpr*>(node)->args;
    } else if (IsA(node, Aggref)) {
        function = reinterpret_cast<Aggref*>(node)->aggfnoid;
        arguments = reinterpret_cast<Aggref*>(node)->args;
    }
    const auto is_in = [function](const auto& functions) {
        return std::find(std::begin(functions), std::end(functions), function) !=
               std::end(functions);
    };
    return (is_in(kWritesText) && OutputsAreImmutable(arguments, false)) ||
           (is_in(kWritesJson) && OutputsAreImmutable(arguments, true));
}

const char* MutableThing(Node* node) {
    if (IsA(node, NextValueExpr)) {
        return "nextval()";
    }
    if (IsA(node, SQLValueFunction)) {
        return "a function such as CURRENT_DATE";
    }
    Oid function = InvalidOid;
    if (!check_functions_in_node(node, IsMutable, &function) || OnlyWritesImmutably(node)) {
        return nullptr;
    }
    return psprintf("the %s function %s",
                    func_volatile(function) == PROVOLATILE_VOLATILE ? "volatile" : "stable",
                    format_procedure(function));
}

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

void RefuseLink(Oid relid, const char* reason) {
    const char* name = pg::RelationForMessage(relid);
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot trace table %s", name),
             errdetail("%s", reason),
             errhint("Link it to the other tables of the view by equality of columns; or give the "
                     "option {\"full\": [\"%s\"]} (any change recomputes the whole projection) "
                     "or {\"mapping\": {\"%s\": \"SELECT key FROM changed ...\"}} (a query "
                     "gives the keys).",
                     name, name)));
    pg_unreachable();
}

void RefuseTable(Oid relid, const char* reason) {
    Refuse(psprintf("table %s", pg::RelationForMessage(relid)), reason);
}

void CheckImmutable(Node* node, const char* name) {
    if (const char* what = MutableThing(node)) {
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot trace %s", name),
                 errdetail("It calls %s, whose result can change while no row changes.", what),
                 errhint("Use immutable functions only in the view, and apply the others where the "
                         "projection is read.")));
    }
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

void CheckOrdered(const Query* query, const char* name) {
    if ((query->limitCount != nullptr || query->limitOffset != nullptr) &&
        query->sortClause == NIL) {
        Refuse(psprintf("LIMIT without ORDER BY in %s", name),
               "Which rows it returns depends on where they lie.");
    }
}

void CheckTraceableTable(const RangeTblEntry* rte, Oid view_owner) {
    const Oid relid = rte->relid;
    if (rte->relkind == RELKIND_MATVIEW) {
        RefuseTable(relid,
                    "It is a materialized view: it changes by REFRESH, which fires no trigger.");
    }
    if (rte->relkind == RELKIND_FOREIGN_TABLE) {
        RefuseTable(relid,
                    "It is a foreign table, whose changes made elsewhere fire no trigger here.");
    }
    if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE) {
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
    return "It is not in GROUP BY, DISTINCT ON or every PARTITION BY of the view.";
}

}  // namespace freshcrm::projection
