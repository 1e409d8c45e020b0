#include "projection/passing.hpp"

#include "pg/relabel.hpp"
#include "projection/equalities.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
}

namespace freshcrm::projection {

namespace {

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

// A grouped query's columns that are no aggregates: they are made of what GROUP BY has, or follow
// from it.
Bitmapset* GroupedColumns(const Query* query) {
    Bitmapset* grouped = nullptr;
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        if (!contain_agg_clause(reinterpret_cast<Node*>(entry->expr))) {
            grouped = bms_add_member(grouped, entry->resno);
        }
    }
    return grouped;
}

// Conjuncts of WHERE and ON that hold in each joined row: not those of an outer join, nor in its
// nullable side.
List* CertainConjuncts(Node* item) {
    List* conjuncts = NIL;
    if (IsA(item, FromExpr)) {
        const auto* from = reinterpret_cast<FromExpr*>(item);
        ListCell* cell;
        foreach (cell, from->fromlist) {
            conjuncts = list_concat(conjuncts, CertainConjuncts(static_cast<Node*>(lfirst(cell))));
        }
        return list_concat(conjuncts, make_ands_implicit(reinterpret_cast<Expr*>(from->quals)));
    }
    if (!IsA(item, JoinExpr)) {
        return NIL;
    }
    const auto* join = reinterpret_cast<JoinExpr*>(item);
    if (join->jointype == JOIN_INNER || join->jointype == JOIN_LEFT) {
        conjuncts = list_concat(conjuncts, CertainConjuncts(join->larg));
    }
    if (join->jointype == JOIN_INNER || join->jointype == JOIN_RIGHT) {
        conjuncts = list_concat(conjuncts, CertainConjuncts(join->rarg));
    }
    if (join->jointype == JOIN_INNER) {
        conjuncts =
            list_concat(conjuncts, make_ands_implicit(reinterpret_cast<Expr*>(join->quals)));
    }
    return conjuncts;
}

// The other side of an equality with `known` that agrees with the equality `eqop`, or null.
Node* EqualTo(const OpExpr* op, Node* known, Oid eqop) {
    if (!IsA(op, OpExpr) || list_length(op->args) != 2 ||
        !equality_ops_are_compatible(op->opno, eqop)) {
        return nullptr;
    }
    auto* left = pg::WithoutRelabel(static_cast<Node*>(linitial(op->args)));
    auto* right = pg::WithoutRelabel(static_cast<Node*>(lsecond(op->args)));
    Node* other = equal(left, known) ? right : equal(right, known) ? left : nullptr;
    return other != nullptr && exprCollation(other) == exprCollation(known) &&
                   (!OidIsValid(op->inputcollid) || op->inputcollid == exprCollation(known)) &&
                   equality_ops_are_compatible(EqualityOf(exprType(other)), eqop)
               ? other
               : nullptr;
}

// The target columns that are equal, in each row, to the one of PARTITION BY.
Bitmapset* EqualTargets(const Query* query, const SortGroupClause* partition,
                        const List* conjuncts) {
    const auto* entry =
        get_sortgroupclause_tle(const_cast<SortGroupClause*>(partition), query->targetList);
    List* known = list_make1(pg::WithoutRelabel(reinterpret_cast<Node*>(entry->expr)));
    for (int i = 0; i < list_length(known); ++i) {
        ListCell* cell;
        foreach (cell, conjuncts) {
            Node* other = EqualTo(static_cast<OpExpr*>(lfirst(cell)),
                                  static_cast<Node*>(list_nth(known, i)), partition->eqop);
            if (other != nullptr) {
                known = list_append_unique(known, other);
            }
        }
    }
    Bitmapset* targets = nullptr;
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* target = static_cast<TargetEntry*>(lfirst(cell));
        if (list_member(known, pg::WithoutRelabel(reinterpret_cast<Node*>(target->expr)))) {
            targets = bms_add_member(targets, target->resno);
        }
    }
    return targets;
}

// The target columns that have one value in each partition of the window.
Bitmapset* PartitionTargets(const Query* query, const WindowClause* window) {
    Bitmapset* targets = TargetsOf(query, window->partitionClause);
    const List* conjuncts = CertainConjuncts(reinterpret_cast<Node*>(query->jointree));
    ListCell* cell;
    foreach (cell, window->partitionClause) {
        targets = bms_join(
            targets, EqualTargets(query, static_cast<SortGroupClause*>(lfirst(cell)), conjuncts));
    }
    return targets;
}

}  // namespace

Bitmapset* CarriedColumns(const Query* query) {
    if (query->groupingSets != NIL) {
        return nullptr;
    }
    if (query->groupClause == NIL && (query->hasAggs || query->havingQual != nullptr)) {
        return nullptr;
    }
    Bitmapset* carried = bms_add_range(nullptr, 1, list_length(query->targetList));
    if (query->groupClause != NIL) {
        carried = bms_int_members(carried, GroupedColumns(query));
    }
    return carried;
}

Bitmapset* PassingColumns(const Query* query) {
    if (query->limitCount != nullptr || query->limitOffset != nullptr) {
        return nullptr;
    }
    Bitmapset* passing = CarriedColumns(query);
    if (query->hasDistinctOn) {
        passing = bms_int_members(passing, TargetsOf(query, query->distinctClause));
    }
    if (query->hasWindowFuncs) {
        ListCell* cell;
        foreach (cell, query->windowClause) {
            passing = bms_int_members(
                passing, PartitionTargets(query, static_cast<WindowClause*>(lfirst(cell))));
        }
    }
    return passing;
}

}  // namespace freshcrm::projection
