#include "projection/query_walk.hpp"

#include "pg/names.hpp"
#include "projection/expression_walk.hpp"
#include "projection/key_columns.hpp"
#include "projection/ordering.hpp"
#include "projection/outer_joins.hpp"
#include "projection/traceable.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/fmgroids.h"
}

namespace freshcrm::projection {

namespace {

using core::ScopeKind;

int AddScope(WalkedView* view, int parent, ScopeKind kind, int set_operation = -1,
             bool produces = false) {
    view->scopes = lappend(view->scopes, Make(WalkedScope{parent, kind, set_operation, produces}));
    return list_length(view->scopes) - 1;
}

void WalkLevel(WalkedView* view, Level* level);

// `not_null`: target columns whose NULL leads to no row of the level above.
Level* MakeLevel(Query* query, Level* parent, int scope, const char* name,
                 const Bitmapset* not_null) {
    CheckTraceable(query, name);
    const Size entries = static_cast<Size>(list_length(query->rtable)) + 1;
    auto* level = static_cast<Level*>(palloc0(sizeof(Level)));
    level->query = query;
    level->parent = parent;
    level->scope = scope;
    level->name = name;
    level->not_null = ReduceOuterJoins(query, bms_intersect(not_null, PassingColumns(query)));
    level->passing = PassingColumns(query);
    level->carried = CarriedColumns(query);
    level->occurrence = static_cast<int*>(palloc(sizeof(int) * entries));
    for (Size i = 0; i < entries; ++i) {
        level->occurrence[i] = -1;
    }
    level->subquery = static_cast<Level**>(palloc0(sizeof(Level*) * entries));
    level->element_of = static_cast<Node**>(palloc0(sizeof(Node*) * entries));
    level->branch_scope = -1;
    return level;
}

Query* ViewQuery(WalkedView* view, Oid relid) {
    view->views = list_append_unique_oid(view->views, relid);
    Relation relation = table_open(relid, AccessShareLock);
    auto* query = static_cast<Query*>(copyObjectImpl(get_view_query(relation)));
    table_close(relation, NoLock);
    return query;
}

// An aggregate over all rows has a row even when nothing takes part in it.
bool AlwaysHasRow(const Query* query) {
    return query->groupingSets != NIL ||
           ((query->hasAggs || query->havingQual != nullptr) && query->groupClause == NIL);
}

// A level that stands in FROM. What holds inside of one that always has a row is certain only from
// inside.
Level* WalkSubquery(WalkedView* view, Query* query, Level* parent, int scope, const char* name,
                    const Bitmapset* not_null) {
    Level* level = MakeLevel(
        query, parent, AlwaysHasRow(query) ? AddScope(view, scope, ScopeKind::kSublink) : scope,
        name, not_null);
    CheckOrdered(query, name);
    WalkLevel(view, level);
    return level;
}

// A common table expression is walked anew at each place that reads it.
Level* WalkCte(WalkedView* view, Level* level, int scope, const RangeTblEntry* rte,
               const Bitmapset* not_null) {
    Level* owner = LevelUp(level, rte->ctelevelsup);
    ListCell* cell;
    foreach (cell, owner->query->cteList) {
        auto* cte = static_cast<CommonTableExpr*>(lfirst(cell));
        if (strcmp(cte->ctename, rte->ctename) == 0) {
            auto* query = static_cast<Query*>(copyObjectImpl(cte->ctequery));
            const int first = list_length(view->occurrences);
            Level* inner =
                WalkSubquery(view, query, owner, scope, psprintf("WITH \"%s\"", cte->ctename),
                             cte->cterecursive ? nullptr : not_null);
            if (cte->cterecursive) {
                RequireFallbacks(*view, first,
                                 psprintf("WITH RECURSIVE \"%s\" in %s", cte->ctename, level->name),
                                 "A row can affect any number of others through the recursion.");
            }
            return inner;
        }
    }
    elog(ERROR, "could not find CTE \"%s\"", rte->ctename);
    return nullptr;
}

// A function in FROM reads no table. unnest() of one array has the array's elements as its rows.
void WalkFunction(const Place& place, const RangeTblEntry* rte, int rtindex) {
    ListCell* cell;
    foreach (cell, rte->functions) {
        WalkExpression(place, static_cast<RangeTblFunction*>(lfirst(cell))->funcexpr);
    }
    Node* function = static_cast<RangeTblFunction*>(linitial(rte->functions))->funcexpr;
    if (list_length(rte->functions) == 1 && IsA(function, FuncExpr) &&
        reinterpret_cast<FuncExpr*>(function)->funcid == F_UNNEST_ANYARRAY) {
        place.level->element_of[rtindex] =
            static_cast<Node*>(linitial(reinterpret_cast<FuncExpr*>(function)->args));
    }
}

void AddTable(const Place& place, const RangeTblEntry* rte, int rtindex) {
    CheckTraceableTable(rte, place.view->owner);
    place.view->occurrences =
        lappend(place.view->occurrences,
                Make(WalkedOccurrence{rte->relid, place.scope, nullptr, NIL, false, NIL}));
    place.level->occurrence[rtindex] = list_length(place.view->occurrences) - 1;
}

void AddRangeTableEntry(const Place& place, int rtindex) {
    Level* level = place.level;
    RangeTblEntry* rte = rt_fetch(rtindex, level->query->rtable);
    switch (rte->rtekind) {
        case RTE_RELATION:
            if (rte->relkind == RELKIND_VIEW) {
                level->subquery[rtindex] = WalkSubquery(
                    place.view, ViewQuery(place.view, rte->relid), nullptr, place.scope,
                    psprintf("view %s", pg::RelationForMessage(rte->relid)),
                    level->not_null[rtindex]);
            } else {
                AddTable(place, rte, rtindex);
            }
            break;
        case RTE_SUBQUERY:
            level->subquery[rtindex] = WalkSubquery(
                place.view, rte->subquery, level, place.scope,
                psprintf("subquery \"%s\"", rte->eref->aliasname), level->not_null[rtindex]);
            break;
        case RTE_CTE:
            // What a recursion reads of itself stands for no table.
            if (!rte->self_reference) {
                level->subquery[rtindex] =
                    WalkCte(place.view, level, place.scope, rte, level->not_null[rtindex]);
            }
            break;
        case RTE_FUNCTION:
            WalkFunction(place, rte, rtindex);
            break;
        case RTE_VALUES:
            WalkExpression(place, rte->values_lists);
            break;
        case RTE_RESULT:
            break;
        default:
            Refuse(psprintf("\"%s\" in %s", rte->eref->aliasname, level->name),
                   "It is not a table, a view, a subquery or a function.");
    }
}

// Walks one item of FROM; what stands in an outer join's nullable side gets a scope of its own, and
// the ON clause belongs to it. The ON clause of a full join belongs to both sides.
void WalkFrom(const Place& place, Node* node) {
    WalkedView* view = place.view;
    if (IsA(node, RangeTblRef)) {
        AddRangeTableEntry(place, reinterpret_cast<RangeTblRef*>(node)->rtindex);
    } else if (IsA(node, FromExpr)) {
        auto* from = reinterpret_cast<FromExpr*>(node);
        ListCell* cell;
        foreach (cell, from->fromlist) {
            WalkFrom(place, static_cast<Node*>(lfirst(cell)));
        }
        CollectQuals(place, from->quals);
    } else {
        auto* join = reinterpret_cast<JoinExpr*>(node);
        Place left = place;
        Place right = place;
        if (join->jointype == JOIN_RIGHT || join->jointype == JOIN_FULL) {
            left.scope = AddScope(view, place.scope, ScopeKind::kOuterJoin);
        }
        if (join->jointype == JOIN_LEFT || join->jointype == JOIN_FULL) {
            right.scope = AddScope(view, place.scope, ScopeKind::kOuterJoin);
        }
        WalkFrom(left, join->larg);
        WalkFrom(right, join->rarg);
        Place on = join->jointype == JOIN_RIGHT ? left : right;
        const int first = list_length(view->equalities);
        CollectQuals(on, join->quals);
        if (join->jointype == JOIN_FULL) {
            for (int i = first; i < list_length(view->equalities); ++i) {
                auto* equality = static_cast<WalkedEquality*>(list_nth(view->equalities, i));
                equality->scopes = list_append_unique_int(equality->scopes, left.scope);
            }
        }
    }
}

// The branches of a set operation. `produces` says whether rows of the result come from this part.
void WalkSetOperation(WalkedView* view, Level* level, Node* node, int set_operation,
                      bool produces) {
    if (IsA(node, SetOperationStmt)) {
        auto* operation = reinterpret_cast<SetOperationStmt*>(node);
        WalkSetOperation(view, level, operation->larg, set_operation, produces);
        WalkSetOperation(view, level, operation->rarg, set_operation,
                         produces && operation->op == SETOP_UNION);
        return;
    }
    const int rtindex = reinterpret_cast<RangeTblRef*>(node)->rtindex;
    const int scope = AddScope(view, level->scope, ScopeKind::kBranch, set_operation, produces);
    Level* branch = WalkSubquery(view, rt_fetch(rtindex, level->query->rtable)->subquery, level,
                                 scope, level->name, level->not_null[rtindex]);
    branch->branch_scope = scope;
    level->branches = lappend(level->branches, branch);
}

void WalkLevel(WalkedView* view, Level* level) {
    check_stack_depth();
    Query* query = level->query;
    const Place place{view, level, level->scope};
    const int first = list_length(view->occurrences);
    if (query->setOperations != nullptr) {
        WalkSetOperation(view, level, query->setOperations, view->set_operations++, true);
    } else {
        WalkFrom(place, reinterpret_cast<Node*>(query->jointree));
    }
    // What is computed of an aggregate over all rows is there even when nothing takes part.
    Place result = place;
    if (AlwaysHasRow(query)) {
        result.scope = static_cast<WalkedScope*>(list_nth(view->scopes, level->scope))->parent;
    }
    WalkExpression(result, query->targetList);
    WalkExpression(result, query->limitCount);
    WalkExpression(result, query->limitOffset);
    CollectQuals(result, query->havingQual);
    ListCell* cell;
    foreach (cell, query->windowClause) {
        auto* window = static_cast<WindowClause*>(lfirst(cell));
        WalkExpression(result, window->startOffset);
        WalkExpression(result, window->endOffset);
    }
    if (list_length(view->occurrences) > first) {
        level->occurrences = bms_add_range(nullptr, first, list_length(view->occurrences) - 1);
    }
}

}  // namespace

WalkedView* WalkView(Oid view_oid, const List* keys, const List* fallbacks) {
    auto* view = static_cast<WalkedView*>(palloc0(sizeof(WalkedView)));
    view->fallbacks = fallbacks;
    Query* query = ViewQuery(view, view_oid);
    view->owner = pg::OwnerOfRelation(view_oid);
    (void)AddScope(view, -1, ScopeKind::kSublink);
    view->top = WalkSubquery(view, query, nullptr, 0,
                             psprintf("view %s", pg::RelationForMessage(view_oid)), nullptr);
    SetKeys(view, view->top, keys);
    return view;
}

Level* WalkSublinkQuery(const Place& place, Query* query) {
    Level* level =
        MakeLevel(query, place.level, AddScope(place.view, place.scope, ScopeKind::kSublink),
                  place.level->name, nullptr);
    place.view->sublinks = lappend(place.view->sublinks, level);
    WalkLevel(place.view, level);
    place.view->sublinks = lappend(place.view->sublinks, level);
    return level;
}

void RequireFallbacks(const WalkedView& view, int first, const char* what, const char* reason) {
    for (int i = first; i < list_length(view.occurrences); ++i) {
        if (FindFallback(view.fallbacks, OccurrenceAt(view, i).relid) == nullptr) {
            RefuseClause(what, reason);
        }
    }
}

const WalkedOccurrence& OccurrenceAt(const WalkedView& view, int index) {
    return *static_cast<WalkedOccurrence*>(list_nth(view.occurrences, index));
}

Expr* ExpressionOf(const WalkedView& view, const WalkedColumn& column) {
    return column.column > 0
               ? nullptr
               : static_cast<Expr*>(list_nth(OccurrenceAt(view, column.occurrence).expressions,
                                             -1 - column.column));
}

Oid ColumnType(const WalkedView& view, const WalkedColumn& column, Oid* collation) {
    if (Expr* expression = ExpressionOf(view, column)) {
        *collation = exprCollation(reinterpret_cast<Node*>(expression));
        return exprType(reinterpret_cast<Node*>(expression));
    }
    Oid type;
    int32 typmod;
    get_atttypetypmodcoll(OccurrenceAt(view, column.occurrence).relid,
                          static_cast<AttrNumber>(column.column), &type, &typmod, collation);
    return type;
}

}  // namespace freshcrm::projection
