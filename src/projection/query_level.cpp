#include "projection/query_level.hpp"

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

Node* StripRelabel(Node* node) {
    while (IsA(node, RelabelType)) {
        node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
    }
    return node;
}

Resolved* MakeResolved(const WalkedColumn& column, List* branches, bool element) {
    auto* resolved = static_cast<Resolved*>(palloc(sizeof(Resolved)));
    *resolved = {column, branches, element};
    return resolved;
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
        return list_make1(MakeResolved({level->occurrence[var->varno], var->varattno}, NIL, false));
    }
    if (Node* array = level->element_of[var->varno]; array != nullptr && var->varattno == 1) {
        List* resolved = Resolve({place.view, level, place.scope}, array);
        if (list_length(resolved) == 1 && !static_cast<Resolved*>(linitial(resolved))->element) {
            static_cast<Resolved*>(linitial(resolved))->element = true;
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
        if (column == nullptr || column->element || column->branches != NIL ||
            (rewriting->occurrence >= 0 && rewriting->occurrence != column->column.occurrence)) {
            rewriting->failed = true;
            return node;
        }
        rewriting->occurrence = column->column.occurrence;
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
    Rewriting rewriting{place, -1, false};
    Node* rewritten = RewriteNode(node, &rewriting);
    if (rewriting.failed || rewriting.occurrence < 0 || expression_returns_set(rewritten) ||
        !IsUnambiguous(rewritten)) {
        return NIL;
    }
    // An expression that is not strict has a value also where there is no row to compute it from.
    if (contain_nonstrict_functions(rewritten) && MayBeMissing(place, rewriting.occurrence)) {
        return NIL;
    }
    auto* occurrence =
        static_cast<WalkedOccurrence*>(list_nth(place.view->occurrences, rewriting.occurrence));
    int index = 0;
    ListCell* cell;
    foreach (cell, occurrence->expressions) {
        if (equal(lfirst(cell), rewritten)) {
            break;
        }
        ++index;
    }
    if (index == list_length(occurrence->expressions)) {
        occurrence->expressions = lappend(occurrence->expressions, rewritten);
    }
    return list_make1(MakeResolved({rewriting.occurrence, -1 - index}, NIL, false));
}

// The target columns of these SortGroupClauses.
Bitmapset* TargetsOf(const Query* query, const List* clauses) {
    Bitmapset* targets = nullptr;
    ListCell* cell;
    foreach (cell, clauses) {
        const auto* clause = static_cast<SortGroupClause*>(lfirst(cell));
        ListCell* target;
        foreach (target, query->targetList) {
            const auto* entry = static_cast<TargetEntry*>(lfirst(target));
            if (entry->ressortgroupref == clause->tleSortGroupRef) {
                targets = bms_add_member(targets, entry->resno);
            }
        }
    }
    return targets;
}

}  // namespace

Level* LevelUp(Level* level, Index levels) {
    for (; levels > 0; --levels) {
        level = level->parent;
    }
    return level;
}

List* ResolveOutput(WalkedView* view, Level* level, AttrNumber resno) {
    if (!bms_is_member(resno, level->passing)) {
        return NIL;
    }
    if (level->branches == NIL) {
        const TargetEntry* entry = get_tle_by_resno(level->query->targetList, resno);
        return Resolve({view, level, level->scope}, reinterpret_cast<Node*>(entry->expr));
    }
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

List* Resolve(const Place& place, Node* node) {
    node = StripRelabel(node);
    if (IsA(node, Var)) {
        return ResolveVar(place, reinterpret_cast<Var*>(node));
    }
    if (IsA(node, Const)) {
        return NIL;
    }
    return ResolveExpression(place, node);
}

void CollectRestriction(const Place& place, Node* conjunct) {
    Rewriting rewriting{place, -1, false};
    Node* rewritten = RewriteNode(conjunct, &rewriting);
    if (!rewriting.failed && rewriting.occurrence >= 0 && IsAround(place, rewriting.occurrence) &&
        !MayBeMissing(place, rewriting.occurrence)) {
        auto* occurrence =
            static_cast<WalkedOccurrence*>(list_nth(place.view->occurrences, rewriting.occurrence));
        occurrence->quals = lappend(occurrence->quals, rewritten);
    }
}

Bitmapset* PassingColumns(const Query* query) {
    if (query->limitCount != nullptr || query->limitOffset != nullptr ||
        query->groupingSets != NIL) {
        return nullptr;
    }
    Bitmapset* passing = bms_add_range(nullptr, 1, list_length(query->targetList));
    if (query->groupClause != NIL || query->hasAggs || query->havingQual != nullptr) {
        passing = bms_int_members(passing, TargetsOf(query, query->groupClause));
    }
    if (query->hasDistinctOn) {
        passing = bms_int_members(passing, TargetsOf(query, query->distinctClause));
    }
    if (query->hasWindowFuncs) {
        ListCell* cell;
        foreach (cell, query->windowClause) {
            passing = bms_int_members(
                passing,
                TargetsOf(query, static_cast<WindowClause*>(lfirst(cell))->partitionClause));
        }
    }
    return passing;
}

}  // namespace freshcrm::projection
