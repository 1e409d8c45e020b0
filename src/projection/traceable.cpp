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
}

#include <algorithm>
#include <iterator>

namespace freshcrm::projection {

namespace {

bool OutputIsImmutable(Oid type);

bool IsMutable(Oid function, void* found) {
    // An enum's label changes with ALTER TYPE … RENAME VALUE only.
    if (func_volatile(function) == PROVOLATILE_IMMUTABLE || function == F_ENUM_OUT) {
        return false;
    }
    *static_cast<Oid*>(found) = function;
    return true;
}

// The text form of the type's values depends on the values alone, given the settings that
// maintenance pins (pg/owner_scope.hpp).
bool OutputIsImmutable(Oid type) {
    type = getBaseType(type);
    if (const Oid element = get_element_type(type); OidIsValid(element)) {
        return OutputIsImmutable(element);
    }
    if (type == RECORDOID || type_is_rowtype(type)) {
        return false;
    }
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    Oid found;
    return !IsMutable(output, &found);
}

// Functions that are stable only because they call the output functions of whatever types they are
// given.
constexpr Oid kWritesItsArguments[] = {
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

bool WritesItsArguments(Oid function) {
    return std::find(std::begin(kWritesItsArguments), std::end(kWritesItsArguments), function) !=
           std::end(kWritesItsArguments);
}

bool OutputsAreImmutable(const List* arguments) {
    ListCell* cell;
    foreach (cell, arguments) {
        auto* argument = static_cast<Node*>(lfirst(cell));
        if (IsA(argument, TargetEntry)) {
            argument = reinterpret_cast<Node*>(reinterpret_cast<TargetEntry*>(argument)->expr);
        }
        if (exprType(argument) != UNKNOWNOID && !OutputIsImmutable(exprType(argument))) {
            return false;
        }
    }
    return true;
}

bool OnlyWritesImmutably(Node* node) {
    if (IsA(node, FuncExpr)) {
        const auto* call = reinterpret_cast<FuncExpr*>(node);
        return WritesItsArguments(call->funcid) && OutputsAreImmutable(call->args);
    }
    if (IsA(node, OpExpr)) {
        const auto* op = reinterpret_cast<OpExpr*>(node);
        return WritesItsArguments(get_opcode(op->opno)) && OutputsAreImmutable(op->args);
    }
    if (IsA(node, Aggref)) {
        const auto* aggregate = reinterpret_cast<Aggref*>(node);
        return WritesItsArguments(aggregate->aggfnoid) && OutputsAreImmutable(aggregate->args);
    }
    return false;
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
                    errdetail("%s", reason),
                    errhint("Rewrite the view so that every table is linked to the key by equality "
                            "of columns.")));
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
                         : query->groupingSets != NIL ? "GROUPING SETS"
                         : query->rowMarks != NIL     ? "FOR UPDATE or FOR SHARE"
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
    return "It is not in GROUP BY, DISTINCT ON or every PARTITION BY of the view.";
}

}  // namespace freshcrm::projection
