#include "projection/unambiguous.hpp"

#include "pg/tree_walker.hpp"

extern "C" {
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "utils/syscache.h"
}

namespace freshcrm::projection {

namespace {

bool FunctionIsExact(Oid function, const List* arguments) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) {
        elog(ERROR, "cache lookup failed for function %u", function);
    }
    const auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    bool exact = form->pronamespace == PG_CATALOG_NAMESPACE;
    if (!exact && form->pronargs == list_length(arguments) && !OidIsValid(form->provariadic)) {
        exact = true;
        ListCell* cell;
        foreach (cell, arguments) {
            exact = exact && form->proargtypes.values[foreach_current_index(cell)] ==
                                 exprType(static_cast<Node*>(lfirst(cell)));
        }
    }
    ReleaseSysCache(tuple);
    return exact;
}

bool IsOfServer(Oid opno) {
    HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
    if (!HeapTupleIsValid(tuple)) {
        elog(ERROR, "cache lookup failed for operator %u", opno);
    }
    const bool of_server =
        reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple))->oprnamespace == PG_CATALOG_NAMESPACE;
    ReleaseSysCache(tuple);
    return of_server;
}

bool OperatorIsExact(Oid opno, const List* arguments, bool right_is_array) {
    if (IsOfServer(opno)) {
        return true;
    }
    Oid left;
    Oid right;
    op_input_types(opno, &left, &right);
    const Oid last = exprType(static_cast<Node*>(llast(arguments)));
    return (list_length(arguments) == 1 ||
            left == exprType(static_cast<Node*>(linitial(arguments)))) &&
           right == (right_is_array ? get_base_element_type(last) : last);
}

// Whether the node itself is ambiguous, or anything below it.
bool IsAmbiguous(Node* node, void*) {
    if (node == nullptr) {
        return false;
    }
    bool exact = true;
    if (IsA(node, FuncExpr)) {
        const auto* call = reinterpret_cast<FuncExpr*>(node);
        // A cast is written as one.
        exact = call->funcformat == COERCE_EXPLICIT_CAST ||
                call->funcformat == COERCE_IMPLICIT_CAST ||
                FunctionIsExact(call->funcid, call->args);
    } else if (IsA(node, OpExpr)) {
        const auto* op = reinterpret_cast<OpExpr*>(node);
        exact = OperatorIsExact(op->opno, op->args, false);
    } else if (IsA(node, ScalarArrayOpExpr)) {
        const auto* op = reinterpret_cast<ScalarArrayOpExpr*>(node);
        exact = OperatorIsExact(op->opno, op->args, true);
    } else if (IsA(node, DistinctExpr) || IsA(node, NullIfExpr)) {
        exact = IsOfServer(reinterpret_cast<OpExpr*>(node)->opno);
    }
    return !exact || pg::WalkExpressionTree(node, IsAmbiguous, nullptr);
}

}  // namespace

bool IsUnambiguous(Node* expression) {
    return !IsAmbiguous(expression, nullptr);
}

}  // namespace freshcrm::projection
