#include "projection/query_level.hpp"

#include "pg/relabel.hpp"
#include "pg/tree_walker.hpp"
#include "projection/unambiguous.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace freshcrm::projection {

namespace {

Resolved* MakeResolved(const WalkedColumn& column, Bitmapset* not_from) {
    return Make(Resolved{column, NIL, false, not_from, nullptr});
}

List* ResolveVar(const Place& place, const Var* var) {
    Level* level = LevelUp(place.level, var->varlevelsup);
    if (var->varattno <= 0) {
        return NIL;
    }
    const RangeTblEntry* rte = rt_fetch(var->varno, level->query->rtable);
    if (rte->rtekind == RTE_JOIN) {
        return Resolve({place.view, level, place.scope},
                       static_cast<Node*>(list_nth(rte->joinaliasvars, var->varattno - 1)));
    }
    if (level->subquery[var->varno] != nullptr) {
        return ResolveOutput(place.view, level->subquery[var->varno], var->varattno);
    }
    if (level->occurrence[var->varno] >= 0) {
        return list_make1(MakeResolved({level->occurrence[var->varno], var->varattno}, nullptr));
    }
    if (Node* array = level->element_of[var->varno]; array != nullptr && var->varattno == 1) {
        List* resolved = Resolve({place.view, level, place.scope}, array);
        auto* only =
            list_length(resolved) == 1 ? static_cast<Resolved*>(linitial(resolved)) : nullptr;
        if (only != nullptr && !only->element && only->constant == nullptr) {
            only->element = true;
            return resolved;
        }
    }
    return NIL;
}

// Rewrites an expression of a level into one over the columns of a single base table.
struct Rewriting {
    Place place;
    int occurrence;  // -1: none met yet
    bool failed;
    Bitmapset* not_from;  // as of Resolved
    bool grouping_sets;   // a column may be NULL in its place
};

Node* RewriteNode(Node* node, void* context) {
    auto* rewriting = static_cast<Rewriting*>(context);
    if (node == nullptr || rewriting->failed) {
        return node;
    }
    if (IsA(node, Var)) {
        List* resolved = ResolveVar(rewriting->place, reinterpret_cast<Var*>(node));
        const auto* column =
            list_length(resolved) == 1 ? static_cast<Resolved*>(linitial(resolved)) : nullptr;
        if (column == nullptr || column->element || column->constant != nullptr ||
            column->branches != NIL ||
            (rewriting->occurrence >= 0 && rewriting->occurrence != column->column.occurrence)) {
            rewriting->failed = true;
            return node;
        }
        rewriting->occurrence = column->column.occurrence;
        const Level* level =
            LevelUp(rewriting->place.level, reinterpret_cast<Var*>(node)->varlevelsup);
        rewriting->grouping_sets = rewriting->grouping_sets || level->query->groupingSets != NIL;
        rewriting->not_from = bms_union(rewriting->not_from, column->not_from);
        if (Expr* expression = ExpressionOf(*rewriting->place.view, column->column)) {
            return static_cast<Node*>(copyObjectImpl(expression));
        }
        Var* var = static_cast<Var*>(copyObjectImpl(node));
        var->varno = 1;
        var->varattno = static_cast<AttrNumber>(column->column.column);
        var->varlevelsup = 0;
        var->varnosyn = 0;
        var->varattnosyn = 0;
        return reinterpret_cast<Node*>(var);
    }
    if (IsA(node, SubLink) || IsA(node, Aggref) || IsA(node, WindowFunc) ||
        IsA(node, GroupingFunc) || IsA(node, Param) || IsA(node, CaseTestExpr)) {
        rewriting->failed = true;
        return node;
    }
    return pg::MutateExpressionTree(node, RewriteNode, context);
}

// Whether the place is in the scope of the occurrence or in one around it.
bool IsAround(const Place& place, int occurrence) {
    int scope = OccurrenceAt(*place.view, occurrence).scope;
    while (scope >= 0 && scope != place.scope) {
        scope = static_cast<WalkedScope*>(list_nth(place.view->scopes, scope))->parent;
    }
    return scope == place.scope;
}

// The outer joins between the occurrence and the place: where there are any, a joined row of the
// place may lack the occurrence.
bool MayBeMissing(const Place& place, int occurrence) {
    int scope = OccurrenceAt(*place.view, occurrence).scope;
    for (; scope >= 0 && scope != place.scope;
         scope = static_cast<WalkedScope*>(list_nth(place.view->scopes, scope))->parent) {
        if (static_cast<WalkedScope*>(list_nth(place.view->scopes, scope))->kind ==
            core::ScopeKind::kOuterJoin) {
            return true;
        }
    }
    return false;
}

List* ResolveExpression(const Place& place, Node* node) {
    Rewriting rewriting{place, -1, false, nullptr, false};
    Node* rewritten = RewriteNode(node, &rewriting);
    if (rewriting.failed || expression_returns_set(rewritten) || !IsUnambiguous(rewritten)) {
        return NIL;
    }
    if (rewriting.occurrence < 0) {
        return list_make1(
            Make(Resolved{{-1, 0}, NIL, false, nullptr, reinterpret_cast<Expr*>(rewritten)}));
    }
    // An expression that is not strict has a value also where there is no row to compute it from.
    if (contain_nonstrict_functions(rewritten) &&
        (rewriting.grouping_sets || MayBeMissing(place, rewriting.occurrence))) {
        return NIL;
    }
    return list_make1(MakeResolved(
        ExpressionColumn(place.view, rewriting.occurrence, reinterpret_cast<Expr*>(rewritten)),
        rewriting.not_from));
}

}  // namespace

Level* LevelUp(Level* level, Index levels) {
    for (; levels > 0; --levels) {
        level = level->parent;
    }
    return level;
}

namespace {

// A target column of a set operation: one of each branch.
List* ResolveBranches(WalkedView* view, Level* level, AttrNumber resno) {
    List* found = NIL;
    const TargetEntry* entry = get_tle_by_resno(level->query->targetList, resno);
    ListCell* cell;
    foreach (cell, level->branches) {
        auto* branch = static_cast<Level*>(lfirst(cell));
        const TargetEntry* part = get_tle_by_resno(branch->query->targetList, resno);
        // Where the types differ the set operation converts.
        if (exprType(reinterpret_cast<Node*>(part->expr)) !=
            exprType(reinterpret_cast<Node*>(entry->expr))) {
            continue;
        }
        ListCell* inner;
        foreach (inner, ResolveOutput(view, branch, resno)) {
            auto* resolved = static_cast<Resolved*>(lfirst(inner));
            resolved->branches = lappend_int(resolved->branches, branch->branch_scope);
            found = lappend(found, resolved);
        }
    }
    return found;
}

}  // namespace

List* ResolveOutput(WalkedView* view, Level* level, AttrNumber resno) {
    if (!bms_is_member(resno, level->carried)) {
        return NIL;
    }
    List* found;
    if (level->branches != NIL) {
        found = ResolveBranches(view, level, resno);
    } else {
        const TargetEntry* entry = get_tle_by_resno(level->query->targetList, resno);
        found = Resolve({view, level, level->scope}, reinterpret_cast<Node*>(entry->expr));
    }
    if (!bms_is_member(resno, level->passing)) {
        ListCell* cell;
        foreach (cell, found) {
            auto* resolved = static_cast<Resolved*>(lfirst(cell));
            resolved->not_from = bms_union(resolved->not_from, level->occurrences);
        }
    }
    return found;
}

WalkedColumn ExpressionColumn(WalkedView* view, int occurrence, Expr* expression) {
    auto* table = static_cast<WalkedOccurrence*>(list_nth(view->occurrences, occurrence));
    int index = 0;
    ListCell* cell;
    foreach (cell, table->expressions) {
        if (equal(lfirst(cell), expression)) {
            break;
        }
        ++index;
    }
    if (index == list_length(table->expressions)) {
        table->expressions = lappend(table->expressions, expression);
    }
    return {occurrence, -1 - index};
}

List* Resolve(const Place& place, Node* node) {
    node = pg::WithoutRelabel(node);
    if (IsA(node, Var)) {
        return ResolveVar(place, reinterpret_cast<Var*>(node));
    }
    return ResolveExpression(place, node);
}

int OverOneRow(const Place& place, Node* condition, Node** rewritten) {
    Rewriting rewriting{place, -1, false, nullptr, false};
    *rewritten = RewriteNode(condition, &rewriting);
    return rewriting.failed || rewriting.not_from != nullptr || rewriting.grouping_sets
               ? -1
               : rewriting.occurrence;
}

void CollectRestriction(const Place& place, Node* conjunct) {
    Node* rewritten;
    const int occurrence = OverOneRow(place, conjunct, &rewritten);
    if (occurrence >= 0 && IsAround(place, occurrence) && !MayBeMissing(place, occurrence)) {
        auto* table = static_cast<WalkedOccurrence*>(list_nth(place.view->occurrences, occurrence));
        table->quals = lappend(table->quals, rewritten);
    }
}

}  // namespace freshcrm::projection
