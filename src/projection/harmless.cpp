#include "projection/harmless.hpp"

#include "pg/relabel.hpp"
#include "pg/tree_walker.hpp"

extern "C" {
#include "access/transam.h"
#include "utils/lsyscache.h"
}

namespace freshcrm::projection {

namespace {

bool IsHarmful(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    switch (nodeTag(node)) {
        case T_Var:
        case T_Const:
            return !IsHarmlessType(exprType(node));
        case T_OpExpr:
        case T_DistinctExpr: {
            auto* op = reinterpret_cast<OpExpr*>(node);
            set_opfuncid(op);
            if (op->opfuncid >= FirstNormalObjectId || op->opresulttype != BOOLOID) {
                return true;
            }
            break;
        }
        case T_ScalarArrayOpExpr: {
            auto* op = reinterpret_cast<ScalarArrayOpExpr*>(node);
            set_sa_opfuncid(op);
            if (op->opfuncid >= FirstNormalObjectId) {
                return true;
            }
            break;
        }
        case T_List:
        case T_BoolExpr:
        case T_NullTest:
        case T_BooleanTest:
        case T_RelabelType:
            break;
        default:
            return true;
    }
    return pg::WalkExpressionTree(node, IsHarmful, context);
}

}  // namespace

bool IsHarmlessType(Oid type) {
    if (type >= FirstNormalObjectId) {
        return get_typtype(type) == TYPTYPE_ENUM;
    }
    const Oid element = get_element_type(type);
    return type != RECORDOID && type != RECORDARRAYOID &&
           (!OidIsValid(element) || IsHarmlessType(element));
}

bool IsHarmless(const Expr* expression) {
    return !IsHarmful(const_cast<Node*>(reinterpret_cast<const Node*>(expression)), nullptr);
}

namespace {

bool IsPlainColumn(const Expr* value) {
    return IsA(value, Var) && IsHarmlessType(reinterpret_cast<const Var*>(value)->vartype);
}

// A constant, a column as it is, or an array of such.
bool IsPlainArgument(const Node* node) {
    if (IsA(node, ArrayExpr)) {
        ListCell* cell;
        foreach (cell, reinterpret_cast<const ArrayExpr*>(node)->elements) {
            if (!IsPlainArgument(static_cast<Node*>(lfirst(cell)))) {
                return false;
            }
        }
        return true;
    }
    node = pg::WithoutRelabel(const_cast<Node*>(node));
    return IsA(node, Const) || IsPlainColumn(reinterpret_cast<const Expr*>(node));
}

// A column, what a sum widens it to, or what this extension makes of columns.
bool IsPlainValue(const PatchColumn& column) {
    const Expr* value = column.value;
    if (column.feed == Feed::kMerge) {
        ListCell* cell;
        foreach (cell, reinterpret_cast<const FuncExpr*>(value)->args) {
            if (!IsPlainArgument(static_cast<Node*>(lfirst(cell)))) {
                return false;
            }
        }
        return true;
    }
    if (column.feed == Feed::kSum && IsA(value, FuncExpr)) {
        value = static_cast<Expr*>(linitial(reinterpret_cast<const FuncExpr*>(value)->args));
    }
    return value == nullptr || IsPlainColumn(value);
}

}  // namespace

bool IsHarmlessPatch(const RowPatch* patch) {
    for (int i = 0; i < patch->column_count; ++i) {
        const PatchColumn& column = patch->columns[i];
        if (!IsPlainValue(column) || !IsHarmless(column.condition)) {
            return false;
        }
    }
    return true;
}

}  // namespace freshcrm::projection
