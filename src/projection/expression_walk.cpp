#include "projection/expression_walk.hpp"

#include "pg/tree_walker.hpp"
#include "projection/equalities.hpp"
#include "projection/generated.hpp"
#include "projection/immutable.hpp"
#include "projection/ordering.hpp"
#include "projection/traceable.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
}

namespace freshcrm::projection {

namespace {

// Where an expression being walked stands, and whether NULL is as good as false for its value: that
// is so in a condition, below AND and OR.
struct Walk {
    Place place;
    bool condition;
};

bool WalkExpressionNode(Node* node, void* context);

// Marks the column of a base table that a Var reads.
void Watch(Walk* walk, const Var* var) {
    WalkedView* view = walk->place.view;
    Level* level = LevelUp(walk->place.level, var->varlevelsup);
    const RangeTblEntry* rte = rt_fetch(var->varno, level->query->rtable);
    if (rte->rtekind == RTE_JOIN) {
        if (var->varattno == InvalidAttrNumber) {
            Refuse("a whole-row reference to a join", "Its columns are not named.");
        }
        // A merged column of USING may be an expression over both sides.
        WalkExpression({view, level, walk->place.scope},
                       list_nth(rte->joinaliasvars, var->varattno - 1));
        return;
    }
    if (level->occurrence[var->varno] < 0) {
        return;
    }
    auto* occurrence =
        static_cast<WalkedOccurrence*>(list_nth(view->occurrences, level->occurrence[var->varno]));
    if (var->varattno < 0) {
        RefuseTable(
            occurrence->relid,
            "The view reads a system column of it, which changes without a change of data.");
    }
    if (var->varattno > 0) {
        occurrence->watched = AddWithOrigin(occurrence->watched, occurrence->relid, var->varattno);
        return;
    }
    // A whole-row reference: every column, also those added since the view was made.
    occurrence->whole_row = true;
    Relation relation = table_open(occurrence->relid, AccessShareLock);
    occurrence->watched =
        bms_add_range(occurrence->watched, 1, RelationGetNumberOfAttributes(relation));
    table_close(relation, NoLock);
}

bool WalkSubLink(const Walk* walk, SubLink* sublink) {
    const Place& place = walk->place;
    auto* query = reinterpret_cast<Query*>(sublink->subselect);
    if (sublink->subLinkType != EXISTS_SUBLINK) {
        CheckOrdered(query, place.level->name);
    }
    Level* inner = WalkSublinkQuery(place, query);
    if (sublink->subLinkType == ANY_SUBLINK && walk->condition) {
        CollectInEquality(place, inner, sublink->testexpr);
    }
    WalkExpression(place, sublink->testexpr);
    return false;
}

void WalkAs(const Walk* walk, bool condition, void* node) {
    Walk below{walk->place, condition};
    (void)WalkExpressionNode(static_cast<Node*>(node), &below);
}

bool IsFalse(const Node* node) {
    const auto* constant = reinterpret_cast<const Const*>(node);
    return IsA(node, Const) && constant->consttype == BOOLOID && !constant->constisnull &&
           !DatumGetBool(constant->constvalue);
}

// The parts of a node for which NULL is as good as false: the conditions of CASE and FILTER, what
// is asked whether it is true, what coalesce() makes false. These are walked, and taken out of the
// node, which may be a copy.
Node* WalkConditions(const Walk* walk, Node* node) {
    if (IsA(node, CaseExpr) && reinterpret_cast<CaseExpr*>(node)->arg == nullptr) {
        ListCell* cell;
        foreach (cell, reinterpret_cast<CaseExpr*>(node)->args) {
            WalkAs(walk, true, static_cast<CaseWhen*>(lfirst(cell))->expr);
            WalkAs(walk, walk->condition, static_cast<CaseWhen*>(lfirst(cell))->result);
        }
        WalkAs(walk, walk->condition, reinterpret_cast<CaseExpr*>(node)->defresult);
        return nullptr;
    }
    if (IsA(node, Aggref)) {
        auto* copy = Make(*reinterpret_cast<Aggref*>(node));
        WalkAs(walk, true, copy->aggfilter);
        copy->aggfilter = nullptr;
        return reinterpret_cast<Node*>(copy);
    }
    if (IsA(node, WindowFunc)) {
        auto* copy = Make(*reinterpret_cast<WindowFunc*>(node));
        WalkAs(walk, true, copy->aggfilter);
        copy->aggfilter = nullptr;
        return reinterpret_cast<Node*>(copy);
    }
    if (IsA(node, BooleanTest)) {
        const auto* test = reinterpret_cast<BooleanTest*>(node);
        WalkAs(walk, test->booltesttype == IS_TRUE || test->booltesttype == IS_NOT_TRUE, test->arg);
        return nullptr;
    }
    if (IsA(node, CoalesceExpr) && list_length(reinterpret_cast<CoalesceExpr*>(node)->args) == 2 &&
        IsFalse(static_cast<Node*>(lsecond(reinterpret_cast<CoalesceExpr*>(node)->args)))) {
        WalkAs(walk, true, linitial(reinterpret_cast<CoalesceExpr*>(node)->args));
        return nullptr;
    }
    return node;
}

bool WalkExpressionNode(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    auto* walk = static_cast<Walk*>(context);
    CheckImmutable(node, walk->place.level->name);
    if (IsA(node, Var)) {
        Watch(walk, reinterpret_cast<Var*>(node));
        return false;
    }
    if (IsA(node, SubLink)) {
        return WalkSubLink(walk, reinterpret_cast<SubLink*>(node));
    }
    node = WalkConditions(walk, node);
    if (node == nullptr) {
        return false;
    }
    Walk below{walk->place, walk->condition && (is_andclause(node) || is_orclause(node))};
    return pg::WalkExpressionTree(node, WalkExpressionNode, &below);
}

}  // namespace

void WalkExpression(const Place& place, void* expression) {
    Walk walk{place, false};
    (void)WalkExpressionNode(static_cast<Node*>(expression), &walk);
}

void CollectQuals(const Place& place, Node* quals) {
    ListCell* cell;
    foreach (cell, make_ands_implicit(reinterpret_cast<Expr*>(quals))) {
        auto* conjunct = static_cast<Node*>(lfirst(cell));
        if (is_andclause(conjunct)) {
            CollectQuals(place, conjunct);
            continue;
        }
        Walk walk{place, true};
        (void)WalkExpressionNode(conjunct, &walk);
        CollectRestriction(place, conjunct);
        if (IsA(conjunct, OpExpr)) {
            CollectEquality(place, reinterpret_cast<OpExpr*>(conjunct));
        } else if (IsA(conjunct, ScalarArrayOpExpr)) {
            CollectArrayEquality(place, reinterpret_cast<ScalarArrayOpExpr*>(conjunct));
        }
    }
}

}  // namespace freshcrm::projection
