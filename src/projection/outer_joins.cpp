#include "projection/outer_joins.hpp"

#include "pg/strict.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
}

namespace freshcrm::projection {

namespace {

struct Reduction {
    Query* query;
    Bitmapset** not_null;
};

Bitmapset* TablesOf(Node* item) {
    if (IsA(item, RangeTblRef)) {
        return bms_make_singleton(reinterpret_cast<RangeTblRef*>(item)->rtindex);
    }
    if (IsA(item, JoinExpr)) {
        const auto* join = reinterpret_cast<JoinExpr*>(item);
        return bms_join(TablesOf(join->larg), TablesOf(join->rarg));
    }
    Bitmapset* tables = nullptr;
    ListCell* cell;
    foreach (cell, reinterpret_cast<FromExpr*>(item)->fromlist) {
        tables = bms_join(tables, TablesOf(static_cast<Node*>(lfirst(cell))));
    }
    return tables;
}

List* With(const Reduction& reduction, const List* conditions, Node* quals) {
    List* more =
        make_ands_implicit(reinterpret_cast<Expr*>(pg::FlattenJoinColumns(reduction.query, quals)));
    return list_concat(list_copy(conditions), more);
}

JoinType Reduced(const JoinExpr* join, List* conditions) {
    Bitmapset* there = find_nonnullable_rels(reinterpret_cast<Node*>(conditions));
    const bool left = bms_overlap(there, TablesOf(join->larg));
    const bool right = bms_overlap(there, TablesOf(join->rarg));
    switch (join->jointype) {
        case JOIN_LEFT:
            return right ? JOIN_INNER : JOIN_LEFT;
        case JOIN_RIGHT:
            return left ? JOIN_INNER : JOIN_RIGHT;
        case JOIN_FULL:
            return left && right ? JOIN_INNER : left ? JOIN_LEFT : right ? JOIN_RIGHT : JOIN_FULL;
        default:
            return join->jointype;
    }
}

// `conditions` hold in each joined row of the item that matters.
void Reduce(const Reduction& reduction, Node* item, List* conditions) {
    if (IsA(item, RangeTblRef)) {
        const int rtindex = reinterpret_cast<RangeTblRef*>(item)->rtindex;
        reduction.not_null[rtindex] = pg::NotNullColumns(conditions, rtindex);
        return;
    }
    if (IsA(item, FromExpr)) {
        const auto* from = reinterpret_cast<FromExpr*>(item);
        conditions = With(reduction, conditions, from->quals);
        ListCell* cell;
        foreach (cell, from->fromlist) {
            Reduce(reduction, static_cast<Node*>(lfirst(cell)), conditions);
        }
        return;
    }
    auto* join = reinterpret_cast<JoinExpr*>(item);
    join->jointype = Reduced(join, conditions);
    // What an outer join's nullable side lacks is still to be seen above it, and its ON clause
    // leaves out no row of the other side.
    List* both = With(reduction, conditions, join->quals);
    List* on = With(reduction, NIL, join->quals);
    const JoinType type = join->jointype;
    Reduce(reduction, join->larg,
           type == JOIN_INNER   ? both
           : type == JOIN_LEFT  ? conditions
           : type == JOIN_RIGHT ? on
                                : NIL);
    Reduce(reduction, join->rarg,
           type == JOIN_INNER   ? both
           : type == JOIN_LEFT  ? on
           : type == JOIN_RIGHT ? conditions
                                : NIL);
}

// That the target columns are not NULL.
List* NotNullConditions(Query* query, const Bitmapset* not_null) {
    List* conditions = NIL;
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        if (bms_is_member(entry->resno, not_null)) {
            auto* test = makeNode(NullTest);
            test->arg = reinterpret_cast<Expr*>(
                pg::FlattenJoinColumns(query, reinterpret_cast<Node*>(entry->expr)));
            test->nulltesttype = IS_NOT_NULL;
            test->argisrow = false;
            conditions = lappend(conditions, test);
        }
    }
    return conditions;
}

// Where the types differ the set operation converts, and NULL could become a value.
Bitmapset* OfBranch(const Query* query, const Query* branch, const Bitmapset* not_null) {
    Bitmapset* columns = nullptr;
    for (int i = -1; (i = bms_next_member(not_null, i)) >= 0;) {
        const auto resno = static_cast<AttrNumber>(i);
        const auto* whole = get_tle_by_resno(query->targetList, resno);
        const auto* part = get_tle_by_resno(branch->targetList, resno);
        if (exprType(reinterpret_cast<Node*>(whole->expr)) ==
            exprType(reinterpret_cast<Node*>(part->expr))) {
            columns = bms_add_member(columns, i);
        }
    }
    return columns;
}

}  // namespace

Bitmapset** ReduceOuterJoins(Query* query, const Bitmapset* not_null) {
    const int entries = list_length(query->rtable);
    auto** of_entries =
        static_cast<Bitmapset**>(palloc0(sizeof(Bitmapset*) * static_cast<Size>(entries + 1)));
    if (query->setOperations == nullptr) {
        Reduce({query, of_entries}, reinterpret_cast<Node*>(query->jointree),
               NotNullConditions(query, not_null));
        return of_entries;
    }
    for (int i = 1; i <= entries; ++i) {
        // Before PostgreSQL 16 a view has two entries that stand for itself.
        if (const auto* entry = rt_fetch(i, query->rtable); entry->rtekind == RTE_SUBQUERY) {
            of_entries[i] = OfBranch(query, entry->subquery, not_null);
        }
    }
    return of_entries;
}

}  // namespace freshcrm::projection
