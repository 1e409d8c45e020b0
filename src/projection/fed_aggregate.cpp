#include "projection/fed_aggregate.hpp"

#include "pg/own_functions.hpp"
#include "pg/relabel.hpp"
#include "pg/tree_walker.hpp"
#include "projection/feed.hpp"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
}

namespace freshcrm::projection {

namespace {

bool IsWholeRow(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    return (IsA(node, Var) && reinterpret_cast<Var*>(node)->varattno <= 0) ||
           pg::WalkExpressionTree(node, IsWholeRow, context);
}

bool IsOverRow(Node* node) {
    return !HasOuterVar(node) && !ReadsWholeRow(node);
}

bool IsOrdinary(const Aggref* aggregate) {
    return aggregate->aggdistinct == NIL && aggregate->aggorder == NIL &&
           aggregate->aggkind == AGGKIND_NORMAL && aggregate->agglevelsup == 0 &&
           IsOverRow(reinterpret_cast<Node*>(aggregate->args)) &&
           IsOverRow(reinterpret_cast<Node*>(aggregate->aggfilter));
}

// The arguments, as Vars of relation 1.
List* ArgumentsOf(const Aggref* aggregate, int rtindex) {
    List* arguments = NIL;
    ListCell* cell;
    foreach (cell, aggregate->args) {
        auto* argument = reinterpret_cast<Node*>(static_cast<TargetEntry*>(lfirst(cell))->expr);
        arguments = lappend(arguments, OfRelationOne(argument, rtindex));
    }
    return arguments;
}

// A function of this extension that goes with the aggregate, or none.
Oid Companion(const Aggref* aggregate, const char* suffix, int count, const Oid* types) {
    const Oid function = pg::OwnFunction(
        psprintf("%s_%s", get_func_name(aggregate->aggfnoid), suffix), count, types, true);
    return OidIsValid(function) && pg::IsOwnFunction(function) ? function : InvalidOid;
}

// An aggregate of this extension that comes with functions to bring a result forward:
// NAME_add(result, arguments…), the result with one row more, and NAME_merge(result, result).
PatchColumn* ReadMerged(const Aggref* aggregate, List* arguments, AttrNumber resno) {
    if (!pg::IsOwnFunction(aggregate->aggfnoid)) {
        return nullptr;
    }
    Oid* declared;
    int count;
    (void)get_func_signature(aggregate->aggfnoid, &declared, &count);
    const Oid result = aggregate->aggtype;
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(count + 1)));
    types[0] = result;
    memcpy(types + 1, declared, sizeof(Oid) * static_cast<Size>(count));
    const Oid pair[] = {result, result};
    const Oid add = Companion(aggregate, "add", count + 1, types);
    const Oid merge = Companion(aggregate, "merge", 2, pair);
    if (!OidIsValid(add) || !OidIsValid(merge)) {
        return nullptr;
    }
    FuncExpr* value =
        makeFuncExpr(add, result, lcons(makeNullConst(result, -1, InvalidOid), arguments),
                     InvalidOid, aggregate->inputcollid, COERCE_EXPLICIT_CALL);
    value->funcvariadic = aggregate->aggvariadic;
    PatchColumn* column = NewColumn(Feed::kMerge, resno, reinterpret_cast<Expr*>(value));
    fmgr_info_cxt(merge, &column->function, CurrentMemoryContext);
    return column;
}

PatchColumn* ReadValues(const Aggref* aggregate, List* arguments, AttrNumber resno) {
    if (PatchColumn* merged = ReadMerged(aggregate, list_copy(arguments), resno)) {
        return merged;
    }
    if (list_length(arguments) > 1) {
        return nullptr;
    }
    Node* value = arguments == NIL ? nullptr : static_cast<Node*>(linitial(arguments));
    PatchColumn* column =
        NewColumn(Feed::kCount, resno,
                  value == nullptr ? nullptr : reinterpret_cast<Expr*>(pg::WithoutRelabel(value)));
    return ReadFeed(aggregate, column) ? column : nullptr;
}

}  // namespace

Node* OfRelationOne(Node* node, int rtindex) {
    auto* copy = static_cast<Node*>(copyObjectImpl(node));
    ChangeVarNodes(copy, rtindex, 1, 0);
    return copy;
}

bool HasOuterVar(Node* node) {
    return contain_vars_of_level(node, 1);
}

bool ReadsWholeRow(Node* node) {
    return IsWholeRow(node, nullptr);
}

PatchColumn* ReadAggregate(const Expr* expression, int rtindex, List* conditions,
                           AttrNumber resno) {
    const auto* aggregate = reinterpret_cast<const Aggref*>(expression);
    if (!IsA(expression, Aggref) || !IsOrdinary(aggregate)) {
        return nullptr;
    }
    PatchColumn* column = ReadValues(aggregate, ArgumentsOf(aggregate, rtindex), resno);
    if (column == nullptr) {
        return nullptr;
    }
    if (aggregate->aggfilter != nullptr) {
        conditions = lappend(list_copy(conditions),
                             OfRelationOne(reinterpret_cast<Node*>(aggregate->aggfilter), rtindex));
    }
    column->condition = conditions == NIL ? nullptr : make_ands_explicit(conditions);
    return column;
}

}  // namespace freshcrm::projection
