#include "projection/equalities.hpp"

#include "pg/relabel.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

// The type that values of a column have for an operator: what the operator takes, or the column's
// own where that is polymorphic (enums, arrays).
Oid OperandType(const WalkedView& view, Oid operator_type, const WalkedColumn& column) {
    if (!IsPolymorphicType(operator_type)) {
        return operator_type;
    }
    Oid collation;
    return getBaseType(ColumnType(view, column, &collation));
}

// Values of one column can stand for those of the other when the operator is the equality of both
// types: text that is compared as char(n) or citext must not pass for itself.
bool Interchangeable(const WalkedView& view, Oid opno, const Resolved& left,
                     const Resolved& right) {
    Oid collation;
    return !right.element && EqualityOf(ColumnType(view, left.column, &collation)) == opno &&
           EqualityOf(ColumnType(view, right.column, &collation)) == opno;
}

List* EqualityScopes(const Place& place, const Resolved& left, const Resolved& right) {
    return list_concat_unique_int(
        list_concat_unique_int(list_make1_int(place.scope), left.branches), right.branches);
}

// Adds the equality of two columns. It must be the columns' own: another collation could hold equal
// what an index and a lock on the column do not.
void AddEquality(const Place& place, const OpExpr* op, const Resolved& left, const Resolved& right,
                 bool element) {
    if (left.constant != nullptr || right.constant != nullptr || left.element ||
        (right.element && element) || left.column.occurrence == right.column.occurrence) {
        return;
    }
    WalkedView* view = place.view;
    Oid left_collation;
    Oid right_collation;
    (void)ColumnType(*view, left.column, &left_collation);
    (void)ColumnType(*view, right.column, &right_collation);
    if (OidIsValid(op->inputcollid) &&
        (left_collation != op->inputcollid || right_collation != op->inputcollid)) {
        return;
    }
    Oid left_type;
    Oid right_type;
    op_input_types(op->opno, &left_type, &right_type);
    left_type = OperandType(*view, left_type, left.column);
    const bool is_element = element || right.element;
    if (is_element && (IsPolymorphicType(right_type) || right_type == RECORDOID)) {
        return;
    }
    if (!is_element) {
        right_type = OperandType(*view, right_type, right.column);
    }
    // The values of many rows are handed to a query as arrays.
    if (!OidIsValid(get_array_type(left_type)) || !OidIsValid(get_array_type(right_type))) {
        return;
    }
    view->equalities =
        lappend(view->equalities,
                Make(WalkedEquality{
                    left.column, right.column, EqualityScopes(place, left, right), is_element,
                    !is_element && Interchangeable(*view, op->opno, left, right), op->opno,
                    left_type, right_type, bms_union(left.not_from, right.not_from)}));
}

// An equality that can be sorted or hashed, and written with its sides exchanged.
bool IsEquality(Oid opno, Oid type) {
    return (op_mergejoinable(opno, type) || op_hashjoinable(opno, type)) &&
           OidIsValid(get_commutator(opno));
}

void CollectResolved(const Place& place, const OpExpr* op, List* left, List* right, bool element) {
    ListCell* l;
    foreach (l, left) {
        ListCell* r;
        foreach (r, right) {
            const auto& a = *static_cast<Resolved*>(lfirst(l));
            const auto& b = *static_cast<Resolved*>(lfirst(r));
            // The element of an array stands on the right.
            if (a.element && !element && !b.element) {
                auto* exchanged = static_cast<OpExpr*>(copyObjectImpl(op));
                exchanged->opno = get_commutator(op->opno);
                AddEquality(place, exchanged, b, a, false);
            } else {
                AddEquality(place, op, a, b, element);
            }
        }
    }
}

}  // namespace

Oid EqualityOf(Oid type) {
    return lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
}

void CollectEquality(const Place& place, const OpExpr* op) {
    if (list_length(op->args) != 2) {
        return;
    }
    auto* left = static_cast<Node*>(linitial(op->args));
    auto* right = static_cast<Node*>(lsecond(op->args));
    if (IsEquality(op->opno, exprType(left))) {
        CollectResolved(place, op, Resolve(place, left), Resolve(place, right), false);
    }
}

void CollectArrayEquality(const Place& place, const ScalarArrayOpExpr* any) {
    auto* left = static_cast<Node*>(linitial(any->args));
    auto* right = static_cast<Node*>(lsecond(any->args));
    if (any->useOr && IsEquality(any->opno, exprType(left))) {
        OpExpr op{};
        op.xpr.type = T_OpExpr;
        op.opno = any->opno;
        op.inputcollid = any->inputcollid;
        CollectResolved(place, &op, Resolve(place, left), Resolve(place, right), true);
    }
}

void CollectInEquality(const Place& outer, Level* inner, Node* test) {
    if (is_andclause(test)) {
        ListCell* cell;
        foreach (cell, reinterpret_cast<BoolExpr*>(test)->args) {
            CollectInEquality(outer, inner, static_cast<Node*>(lfirst(cell)));
        }
        return;
    }
    const auto* op = reinterpret_cast<OpExpr*>(test);
    if (!IsA(test, OpExpr) || list_length(op->args) != 2) {
        return;
    }
    auto* left = static_cast<Node*>(linitial(op->args));
    auto* right = pg::WithoutRelabel(static_cast<Node*>(lsecond(op->args)));
    if (!IsA(right, Param) || reinterpret_cast<Param*>(right)->paramkind != PARAM_SUBLINK ||
        !IsEquality(op->opno, exprType(left))) {
        return;
    }
    const auto resno = static_cast<AttrNumber>(reinterpret_cast<Param*>(right)->paramid);
    const Place place{outer.view, outer.level, inner->scope};
    CollectResolved(place, op, Resolve(outer, left), ResolveOutput(outer.view, inner, resno),
                    false);
}

}  // namespace freshcrm::projection
