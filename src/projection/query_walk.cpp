#include "projection/query_walk.hpp"

#include "pg/names.hpp"
#include "pg/tree_walker.hpp"
#include "projection/equalities.hpp"
#include "projection/query_level.hpp"
#include "projection/traceable.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_class.h"
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

using core::ScopeKind;

// Where an expression being walked stands, and whether NULL is as good as false for its value: that
// is so in a condition, below AND and OR.
struct Walk {
    Place place;
    bool condition;
};

int AddScope(WalkedView* view, int parent, ScopeKind kind, int set_operation = -1,
             bool produces = false) {
    view->scopes = lappend(view->scopes, Make(WalkedScope{parent, kind, set_operation, produces}));
    return list_length(view->scopes) - 1;
}

WalkedOccurrence* Occurrence(WalkedView* view, int index) {
    return static_cast<WalkedOccurrence*>(list_nth(view->occurrences, index));
}

void WalkLevel(WalkedView* view, Level* level);
bool WalkExpressionNode(Node* node, void* context);

Level* MakeLevel(Query* query, Level* parent, int scope, const char* name) {
    CheckTraceable(query, name);
    const Size entries = static_cast<Size>(list_length(query->rtable)) + 1;
    auto* level = static_cast<Level*>(palloc0(sizeof(Level)));
    level->query = query;
    level->parent = parent;
    level->scope = scope;
    level->name = name;
    level->passing = PassingColumns(query);
    level->occurrence = static_cast<int*>(palloc(sizeof(int) * entries));
    for (Size i = 0; i < entries; ++i) {
        level->occurrence[i] = -1;
    }
    level->subquery = static_cast<Level**>(palloc0(sizeof(Level*) * entries));
    level->element_of = static_cast<Node**>(palloc0(sizeof(Node*) * entries));
    level->branch_scope = -1;
    return level;
}

void WalkExpression(const Place& place, void* expression) {
    Walk walk{place, false};
    (void)WalkExpressionNode(static_cast<Node*>(expression), &walk);
}

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
    WalkedOccurrence* occurrence = Occurrence(view, level->occurrence[var->varno]);
    if (var->varattno < 0) {
        RefuseTable(
            occurrence->relid,
            "The view reads a system column of it, which changes without a change of data.");
    }
    if (var->varattno > 0) {
        occurrence->watched = bms_add_member(occurrence->watched, var->varattno);
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
    Level* inner =
        MakeLevel(query, place.level, AddScope(place.view, place.scope, ScopeKind::kSublink),
                  place.level->name);
    WalkLevel(place.view, inner);
    if (sublink->subLinkType == ANY_SUBLINK && walk->condition) {
        CollectInEquality(place, inner, sublink->testexpr);
    }
    WalkExpression(place, sublink->testexpr);
    return false;
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
    Walk below{walk->place, walk->condition && (is_andclause(node) || is_orclause(node))};
    return pg::WalkExpressionTree(node, WalkExpressionNode, &below);
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

// Refuses a clause through which no row can be followed, where an occurrence below it (the first
// number and those after it) has no fallback.
void RequireFallbacks(const WalkedView& view, int first, const char* what, const char* reason) {
    for (int i = first; i < list_length(view.occurrences); ++i) {
        if (FindFallback(view.fallbacks, OccurrenceAt(view, i).relid) == nullptr) {
            RefuseClause(what, reason);
        }
    }
}

// A level that stands in FROM. What holds inside of one that always has a row is certain only from
// inside.
Level* WalkSubquery(WalkedView* view, Query* query, Level* parent, int scope, const char* name) {
    Level* level =
        MakeLevel(query, parent,
                  AlwaysHasRow(query) ? AddScope(view, scope, ScopeKind::kSublink) : scope, name);
    CheckOrdered(query, name);
    WalkLevel(view, level);
    return level;
}

// A common table expression is walked anew at each place that reads it.
Level* WalkCte(WalkedView* view, Level* level, int scope, const RangeTblEntry* rte) {
    Level* owner = LevelUp(level, rte->ctelevelsup);
    ListCell* cell;
    foreach (cell, owner->query->cteList) {
        auto* cte = static_cast<CommonTableExpr*>(lfirst(cell));
        if (strcmp(cte->ctename, rte->ctename) == 0) {
            auto* query = static_cast<Query*>(copyObjectImpl(cte->ctequery));
            const int first = list_length(view->occurrences);
            Level* inner =
                WalkSubquery(view, query, owner, scope, psprintf("WITH \"%s\"", cte->ctename));
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
                    psprintf("view %s", pg::RelationForMessage(rte->relid)));
            } else {
                AddTable(place, rte, rtindex);
            }
            break;
        case RTE_SUBQUERY:
            level->subquery[rtindex] =
                WalkSubquery(place.view, rte->subquery, level, place.scope,
                             psprintf("subquery \"%s\"", rte->eref->aliasname));
            break;
        case RTE_CTE:
            // What a recursion reads of itself stands for no table.
            if (!rte->self_reference) {
                level->subquery[rtindex] = WalkCte(place.view, level, place.scope, rte);
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
                                 scope, level->name);
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
    if (query->groupingSets != NIL) {
        RequireFallbacks(*view, first, psprintf("GROUPING SETS in %s", level->name),
                         "A row cannot be followed through it.");
    }
}

bool InsideOuterJoin(const WalkedView& view, int scope) {
    for (; scope >= 0; scope = static_cast<WalkedScope*>(list_nth(view.scopes, scope))->parent) {
        if (static_cast<WalkedScope*>(list_nth(view.scopes, scope))->kind ==
            ScopeKind::kOuterJoin) {
            return true;
        }
    }
    return false;
}

// Why the column cannot be one of the key, or null.
const char* ColumnReason(const WalkedView& view, const Resolved& resolved, Oid type) {
    const WalkedOccurrence& occurrence = OccurrenceAt(view, resolved.column.occurrence);
    if (resolved.element) {
        return "It is an element of an array.";
    }
    Oid collation;
    const Oid found = ColumnType(view, resolved.column, &collation);
    if (EqualityOf(found) != EqualityOf(type)) {
        return psprintf(
            "It has type %s and stands for a value of type %s, which has another equality.",
            format_type_be(type), format_type_be(found));
    }
    if (InsideOuterJoin(view, occurrence.scope)) {
        return psprintf(
            "Table %s stands on the nullable side of an outer join, so that the key can be NULL.",
            pg::RelationForMessage(occurrence.relid));
    }
    return nullptr;
}

// One key for each branch of the set operations that it comes from; `done` has the columns before
// those from `next` on. False when one cannot be resolved and no table needs it.
bool AddKeys(WalkedView* view, Level* top, const WalkedKey& done, const List* keys, int next) {
    if (next == list_length(keys)) {
        view->keys = lappend(view->keys, Make(done));
        return true;
    }
    const auto resno = static_cast<AttrNumber>(list_nth_int(keys, next));
    const char* what =
        psprintf("key column \"%s\" of %s",
                 get_tle_by_resno(top->query->targetList, resno)->resname, top->name);
    const Oid type =
        exprType(reinterpret_cast<Node*>(get_tle_by_resno(top->query->targetList, resno)->expr));
    List* resolved = ResolveOutput(view, top, resno);
    const char* reason = resolved == NIL ? KeyReason(top->query, resno) : nullptr;
    ListCell* cell;
    foreach (cell, resolved) {
        if (reason == nullptr) {
            reason = ColumnReason(*view, *static_cast<Resolved*>(lfirst(cell)), type);
        }
    }
    if (reason != nullptr) {
        RequireFallbacks(*view, 0, what, reason);
        return false;
    }
    foreach (cell, resolved) {
        const auto& column = *static_cast<Resolved*>(lfirst(cell));
        WalkedKey more{lappend(list_copy(done.columns), Make(column.column)),
                       list_concat_unique_int(list_copy(done.scopes), column.branches)};
        if (!AddKeys(view, top, more, keys, next + 1)) {
            return false;
        }
    }
    return true;
}

}  // namespace

WalkedView* WalkView(Oid view_oid, const List* keys, const List* fallbacks) {
    auto* view = static_cast<WalkedView*>(palloc0(sizeof(WalkedView)));
    view->fallbacks = fallbacks;
    Query* query = ViewQuery(view, view_oid);
    view->owner = pg::OwnerOfRelation(view_oid);
    (void)AddScope(view, -1, ScopeKind::kSublink);
    view->top = WalkSubquery(view, query, nullptr, 0,
                             psprintf("view %s", pg::RelationForMessage(view_oid)));
    if (!AddKeys(view, view->top, WalkedKey{NIL, NIL}, keys, 0)) {
        view->keys = NIL;
    }
    return view;
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
