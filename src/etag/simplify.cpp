#include "etag/simplify.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "nodes/makefuncs.h"
#include "nodes/pathnodes.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
}

namespace freshcrm::etag {

namespace {

// An outer join or another grouping set.
bool CanLoseRows(const Query* query) {
    if (query->groupingSets != NIL) {
        return true;
    }
    ListCell* cell;
    foreach (cell, query->rtable) {
        const RangeTblEntry* entry = lfirst_node(RangeTblEntry, cell);
        if (entry->rtekind == RTE_JOIN && IS_OUTER_JOIN(entry->jointype)) {
            return true;
        }
    }
    return false;
}

// Null for a table with more columns than a function can have arguments.
List* ColumnsOf(Oid table, const Var* row) {
    Relation relation = table_open(table, NoLock);  // the planner's caller has locked it
    List* columns = NIL;
    for (int i = 0; i < RelationGetDescr(relation)->natts; i++) {
        const FormData_pg_attribute* column = TupleDescAttr(RelationGetDescr(relation), i);
        if (!column->attisdropped) {
            columns = lappend(columns, makeVar(row->varno, column->attnum, column->atttypid,
                                               column->atttypmod, column->attcollation, 0));
        }
    }
    table_close(relation, NoLock);
    return columns;
}

// The columns of the row, or null where they are not known to stand for it.
List* ColumnsOfRow(const PlannerInfo* root, Node* row) {
    if (IsA(row, RowExpr)) {
        // One of a named type has NULL for each dropped column, too.
        const auto* written = castNode(RowExpr, row);
        return written->row_typeid == RECORDOID ? written->args : NIL;
    }
    if (!IsA(row, Var) || root == nullptr || CanLoseRows(root->parse)) {
        return NIL;
    }
    const Var* var = castNode(Var, row);
    if (var->varattno != InvalidAttrNumber || var->varlevelsup != 0 ||
        IS_SPECIAL_VARNO(var->varno)) {
        return NIL;
    }
    const RangeTblEntry* entry = rt_fetch(var->varno, root->parse->rtable);
    return entry->rtekind == RTE_RELATION ? ColumnsOf(entry->relid, var) : NIL;
}

// freshcrm.etag("any"), in the schema that row_etag() is in.
Oid EtagFunction(Oid row_etag) {
    const char* schema = get_namespace_name(get_func_namespace(row_etag));
    const Oid any = ANYOID;
    List* name = list_make2(makeString(pstrdup(schema)), makeString(pstrdup("etag")));
    return LookupFuncName(name, 1, &any, true);
}

}  // namespace

Node* SimplifyRowEtag(const SupportRequestSimplify* request) {
    const FuncExpr* call = request->fcall;
    List* columns = ColumnsOfRow(request->root, static_cast<Node*>(linitial(call->args)));
    if (columns == NIL || list_length(columns) > FUNC_MAX_ARGS) {
        return nullptr;
    }
    const Oid etag = EtagFunction(call->funcid);
    if (!OidIsValid(etag)) {
        return nullptr;
    }
    return reinterpret_cast<Node*>(makeFuncExpr(etag, TEXTOID, columns, call->funccollid,
                                                call->inputcollid, COERCE_EXPLICIT_CALL));
}

}  // namespace freshcrm::etag
