#include "projection/query_walk.hpp"

#include "pg/names.hpp"
#include "pg/tree_walker.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/regproc.h"
}

namespace freshcrm::projection {

namespace {

// One query level while it is walked: what each of its range table entries stands for.
struct Level {
    Query* query;
    Level* parent;  // where its outer references point to; null at the top
    int scope;
    const char* name;  // for messages
    int* occurrence;   // by range table index: the base table's occurrence, or -1
    Level** subquery;  // by range table index: the level of a subquery or nested view, or null
};

struct Walk {
    WalkedView* view;
    Level* level;
    int scope;  // of the expression being walked
};

template <typename T>
T* Make(const T& value) {
    auto* copy = static_cast<T*>(palloc(sizeof(T)));
    *copy = value;
    return copy;
}

[[noreturn]] void Refuse(const char* what, const char* reason) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot trace %s", what),
                    errdetail("%s", reason),
                    errhint("Rewrite the view with inner and left joins and correlated scalar "
                            "subqueries that are linked by equality.")));
    pg_unreachable();
}

[[noreturn]] void RefuseTable(Oid relid, const char* reason) {
    Refuse(psprintf("table %s", pg::RelationForMessage(relid)), reason);
}

int AddScope(Walk* walk, int parent, bool outer_join) {
    walk->view->scopes = lappend(walk->view->scopes, Make(WalkedScope{parent, outer_join}));
    return list_length(walk->view->scopes) - 1;
}

WalkedOccurrence* Occurrence(const Walk* walk, int index) {
    return static_cast<WalkedOccurrence*>(list_nth(walk->view->occurrences, index));
}

Node* StripRelabel(Node* node) {
    while (IsA(node, RelabelType)) {
        node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
    }
    return node;
}

Level* LevelUp(Level* level, Index levels) {
    for (; levels > 0; --levels) {
        level = level->parent;
    }
    return level;
}

// What base column an expression stands for, through relabeling, join aliases and the output of
// subqueries. Not found: it is no plain column.
WalkedColumn Resolve(Node* node, Level* level) {
    constexpr WalkedColumn kNotFound{-1, InvalidAttrNumber};
    node = StripRelabel(node);
    if (!IsA(node, Var)) {
        return kNotFound;
    }
    const Var* var = reinterpret_cast<Var*>(node);
    level = LevelUp(level, var->varlevelsup);
    if (var->varattno <= 0) {
        return kNotFound;
    }
    const RangeTblEntry* rte = rt_fetch(var->varno, level->query->rtable);
    if (rte->rtekind == RTE_JOIN) {
        return Resolve(static_cast<Node*>(list_nth(rte->joinaliasvars, var->varattno - 1)), level);
    }
    if (Level* inner = level->subquery[var->varno]; inner != nullptr) {
        const TargetEntry* entry = get_tle_by_resno(inner->query->targetList, var->varattno);
        return Resolve(reinterpret_cast<Node*>(entry->expr), inner);
    }
    if (level->occurrence[var->varno] >= 0) {
        return {level->occurrence[var->varno], var->varattno};
    }
    return kNotFound;
}

bool WalkExpressionNode(Node* node, void* context);

// Marks the column of a base table that a Var reads.
void Watch(Walk* walk, const Var* var) {
    Level* level = LevelUp(walk->level, var->varlevelsup);
    const RangeTblEntry* rte = rt_fetch(var->varno, level->query->rtable);
    if (rte->rtekind == RTE_JOIN) {
        if (var->varattno == InvalidAttrNumber) {
            Refuse("a whole-row reference to a join", "Name the columns instead.");
        }
        // A merged column of USING may be an expression over both sides.
        Walk alias{walk->view, level, walk->scope};
        (void)WalkExpressionNode(
            static_cast<Node*>(list_nth(rte->joinaliasvars, var->varattno - 1)), &alias);
        return;
    }
    if (level->occurrence[var->varno] < 0) {
        return;
    }
    WalkedOccurrence* occurrence = Occurrence(walk, level->occurrence[var->varno]);
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
    Relation relation = table_open(occurrence->relid, AccessShareLock);
    occurrence->watched =
        bms_add_range(occurrence->watched, 1, RelationGetNumberOfAttributes(relation));
    table_close(relation, NoLock);
}

bool IsMutable(Oid function, void*) {
    return func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

// Refuses what does not depend on the rows of the base tables alone.
void CheckImmutable(const Walk* walk, Node* node) {
    const char* what = nullptr;
    if (IsA(node, SQLValueFunction) || IsA(node, NextValueExpr)) {
        what = IsA(node, NextValueExpr) ? "nextval()" : "a function such as CURRENT_DATE";
    } else if (check_functions_in_node(node, IsMutable, nullptr)) {
        Oid function = InvalidOid;
        check_functions_in_node(
            node,
            [](Oid candidate, void* found) {
                *static_cast<Oid*>(found) = candidate;
                return IsMutable(candidate, nullptr);
            },
            &function);
        what = psprintf("the %s function %s",
                        func_volatile(function) == PROVOLATILE_VOLATILE ? "volatile" : "stable",
                        format_procedure(function));
    }
    if (what != nullptr) {
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot trace view %s", walk->level->name),
                 errdetail("It calls %s, whose result can change while no row changes.", what),
                 errhint("Use immutable functions only in the view, and apply the others where "
                         "the projection is read.")));
    }
}

void WalkQuery(WalkedView* view, Level* level);

Level* MakeLevel(Query* query, Level* parent, int scope, const char* name) {
    const int entries = list_length(query->rtable) + 1;
    auto* level = static_cast<Level*>(palloc0(sizeof(Level)));
    *level = {query, parent, scope, name, nullptr, nullptr};
    level->occurrence = static_cast<int*>(palloc(sizeof(int) * entries));
    for (int i = 0; i < entries; ++i) {
        level->occurrence[i] = -1;
    }
    level->subquery = static_cast<Level**>(palloc0(sizeof(Level*) * entries));
    return level;
}

// A level whose rows are joined rows that pass its WHERE, one for one.
void CheckOnlyJoins(const Query* query, const char* name) {
    const char* clause =
        query->hasAggs || query->groupClause || query->groupingSets || query->havingQual
            ? "aggregates or GROUP BY"
        : query->distinctClause || query->hasDistinctOn ? "DISTINCT"
        : query->hasWindowFuncs                         ? "window functions"
        : query->limitCount || query->limitOffset       ? "LIMIT or OFFSET"
                                                        : nullptr;
    if (clause != nullptr) {
        Refuse(psprintf("%s in %s", clause, name),
               "Outside a scalar subquery this version does not follow a row through it.");
    }
}

void CheckCommon(const Query* query, const char* name) {
    const char* clause = query->setOperations   ? "UNION, INTERSECT or EXCEPT"
                         : query->cteList       ? "WITH"
                         : query->hasTargetSRFs ? "a set-returning function"
                         : query->groupingSets  ? "GROUPING SETS"
                         : query->rowMarks      ? "FOR UPDATE or FOR SHARE"
                                                : nullptr;
    if (query->commandType != CMD_SELECT || clause != nullptr) {
        Refuse(psprintf("%s in %s", clause != nullptr ? clause : "the command", name),
               "This version does not follow a row through it.");
    }
}

void WalkSubLink(Walk* walk, SubLink* sublink) {
    if (sublink->subLinkType != EXPR_SUBLINK && sublink->subLinkType != EXISTS_SUBLINK &&
        sublink->subLinkType != ARRAY_SUBLINK) {
        Refuse(psprintf("a subquery with IN, ANY or ALL in %s", walk->level->name),
               "This version follows scalar, EXISTS and ARRAY subqueries.");
    }
    auto* query = reinterpret_cast<Query*>(sublink->subselect);
    CheckCommon(query, "a subquery");
    if (query->hasWindowFuncs) {
        Refuse("window functions in a subquery",
               "This version does not follow a row through them.");
    }
    WalkQuery(walk->view,
              MakeLevel(query, walk->level, AddScope(walk, walk->scope, false), walk->level->name));
}

bool WalkExpressionNode(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    auto* walk = static_cast<Walk*>(context);
    CheckImmutable(walk, node);
    if (IsA(node, Var)) {
        Watch(walk, reinterpret_cast<Var*>(node));
        return false;
    }
    if (IsA(node, SubLink)) {
        auto* sublink = reinterpret_cast<SubLink*>(node);
        WalkSubLink(walk, sublink);
        return WalkExpressionNode(sublink->testexpr, context);
    }
    if (IsA(node, CurrentOfExpr) || IsA(node, Param)) {
        Refuse(psprintf("a parameter in %s", walk->level->name), "A view cannot have one.");
    }
    return pg::WalkExpressionTree(node, WalkExpressionNode, context);
}

void WalkExpression(WalkedView* view, Level* level, int scope, void* expression) {
    Walk walk{view, level, scope};
    (void)WalkExpressionNode(static_cast<Node*>(expression), &walk);
}

// The type that values of a column have for an operator: what the operator takes, or the column's
// own where that is polymorphic (enums, arrays).
Oid OperandType(Oid operator_type, Node* operand) {
    if (!IsPolymorphicType(operator_type)) {
        return operator_type;
    }
    return getBaseType(exprType(StripRelabel(operand)));
}

Oid ColumnCollation(const Walk* walk, const WalkedColumn& column) {
    Oid type;
    int32 typmod;
    Oid collation;
    get_atttypetypmodcoll(Occurrence(walk, column.occurrence)->relid, column.column, &type, &typmod,
                          &collation);
    return collation;
}

// Collects `a.x = b.y`. The equality must be the columns' own: another collation could hold equal
// what an index and a lock on the column do not.
void CollectEquality(Walk* walk, const OpExpr* op) {
    if (list_length(op->args) != 2) {
        return;
    }
    auto* left = static_cast<Node*>(linitial(op->args));
    auto* right = static_cast<Node*>(lsecond(op->args));
    if (!op_mergejoinable(op->opno, exprType(left)) && !op_hashjoinable(op->opno, exprType(left))) {
        return;
    }
    // A mapping query needs it with the sides exchanged.
    if (!OidIsValid(get_commutator(op->opno))) {
        return;
    }
    const WalkedColumn left_column = Resolve(left, walk->level);
    const WalkedColumn right_column = Resolve(right, walk->level);
    if (!left_column.found() || !right_column.found() ||
        left_column.occurrence == right_column.occurrence) {
        return;
    }
    if (OidIsValid(op->inputcollid) && (ColumnCollation(walk, left_column) != op->inputcollid ||
                                        ColumnCollation(walk, right_column) != op->inputcollid)) {
        return;
    }
    Oid left_type;
    Oid right_type;
    op_input_types(op->opno, &left_type, &right_type);
    walk->view->equalities =
        lappend(walk->view->equalities,
                Make(WalkedEquality{left_column, right_column, walk->scope, op->opno,
                                    OperandType(left_type, left), OperandType(right_type, right)}));
}

void CollectQuals(WalkedView* view, Level* level, int scope, Node* quals) {
    if (quals == nullptr) {
        return;
    }
    WalkExpression(view, level, scope, quals);
    Walk walk{view, level, scope};
    ListCell* cell;
    foreach (cell, make_ands_implicit(reinterpret_cast<Expr*>(quals))) {
        auto* conjunct = static_cast<Node*>(lfirst(cell));
        if (is_andclause(conjunct)) {
            CollectQuals(view, level, scope, conjunct);
        } else if (IsA(conjunct, OpExpr)) {
            CollectEquality(&walk, reinterpret_cast<OpExpr*>(conjunct));
        }
    }
}

void AddTable(WalkedView* view, Level* level, int scope, const RangeTblEntry* rte, int rtindex) {
    const char* reason = nullptr;
    switch (rte->relkind) {
        case RELKIND_RELATION:
            break;
        case RELKIND_PARTITIONED_TABLE:
            reason = "It is partitioned, which this version does not follow.";
            break;
        case RELKIND_MATVIEW:
            reason = "It is a materialized view: it changes by REFRESH, which fires no trigger.";
            break;
        case RELKIND_FOREIGN_TABLE:
            reason = "It is a foreign table, whose changes made elsewhere fire no trigger here.";
            break;
        default:
            reason = "It is not an ordinary table.";
    }
    if (reason == nullptr && IsCatalogRelationOid(rte->relid)) {
        reason = "It is a system catalog, on which there can be no triggers.";
    } else if (reason == nullptr && get_rel_relispartition(rte->relid)) {
        reason = "It is a partition: rows written through its root fire no trigger of its own.";
    } else if (reason == nullptr && (has_subclass(rte->relid) || has_superclass(rte->relid))) {
        reason = "It takes part in inheritance, which this version does not follow.";
    } else if (reason == nullptr && rte->tablesample != nullptr) {
        reason = "It is read with TABLESAMPLE.";
    } else if (reason == nullptr && get_rel_persistence(rte->relid) == RELPERSISTENCE_TEMP) {
        reason = "It is a temporary table.";
    }
    if (reason != nullptr) {
        RefuseTable(rte->relid, reason);
    }
    view->occurrences =
        lappend(view->occurrences, Make(WalkedOccurrence{rte->relid, scope, nullptr}));
    level->occurrence[rtindex] = list_length(view->occurrences) - 1;
}

Query* ViewQuery(WalkedView* view, Oid relid) {
    view->views = list_append_unique_oid(view->views, relid);
    Relation relation = table_open(relid, AccessShareLock);
    auto* query = static_cast<Query*>(copyObjectImpl(get_view_query(relation)));
    table_close(relation, NoLock);
    return query;
}

void AddRangeTableEntry(WalkedView* view, Level* level, int scope, int rtindex) {
    const RangeTblEntry* rte = rt_fetch(rtindex, level->query->rtable);
    Query* query = nullptr;
    const char* name = "a subquery in FROM";
    if (rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_VIEW) {
        name = pg::RelationForMessage(rte->relid);
        query = ViewQuery(view, rte->relid);
    } else if (rte->rtekind == RTE_RELATION) {
        AddTable(view, level, scope, rte, rtindex);
        return;
    } else if (rte->rtekind == RTE_SUBQUERY && !rte->lateral) {
        query = rte->subquery;
    } else {
        Refuse(psprintf("\"%s\" in %s", rte->eref->aliasname, level->name),
               rte->lateral ? "This version does not follow LATERAL subqueries."
                            : "It is not a table, a view or a subquery.");
    }
    CheckCommon(query, name);
    CheckOnlyJoins(query, name);
    Level* inner = MakeLevel(query, level, scope, name);
    level->subquery[rtindex] = inner;
    WalkQuery(view, inner);
}

// Walks one item of FROM; what stands in an outer join's nullable side gets a scope of its own, and
// the ON clause belongs to it.
void WalkFrom(WalkedView* view, Level* level, int scope, Node* node) {
    if (IsA(node, RangeTblRef)) {
        AddRangeTableEntry(view, level, scope, reinterpret_cast<RangeTblRef*>(node)->rtindex);
    } else if (IsA(node, FromExpr)) {
        auto* from = reinterpret_cast<FromExpr*>(node);
        ListCell* cell;
        foreach (cell, from->fromlist) {
            WalkFrom(view, level, scope, static_cast<Node*>(lfirst(cell)));
        }
        CollectQuals(view, level, scope, from->quals);
    } else {
        auto* join = reinterpret_cast<JoinExpr*>(node);
        if (join->jointype == JOIN_FULL) {
            Refuse(psprintf("FULL JOIN in %s", level->name),
                   "A row of either side can be missing, and with it the key.");
        }
        Walk walk{view, level, scope};
        const int nullable = join->jointype == JOIN_INNER ? scope : AddScope(&walk, scope, true);
        WalkFrom(view, level, join->jointype == JOIN_RIGHT ? nullable : scope, join->larg);
        WalkFrom(view, level, join->jointype == JOIN_LEFT ? nullable : scope, join->rarg);
        CollectQuals(view, level, nullable, join->quals);
    }
}

void WalkQuery(WalkedView* view, Level* level) {
    check_stack_depth();
    Query* query = level->query;
    WalkFrom(view, level, level->scope, reinterpret_cast<Node*>(query->jointree));
    WalkExpression(view, level, level->scope, query->targetList);
    WalkExpression(view, level, level->scope, query->havingQual);
    WalkExpression(view, level, level->scope, query->limitCount);
    WalkExpression(view, level, level->scope, query->limitOffset);
}

bool InsideOuterJoin(const WalkedView& view, int scope) {
    for (; scope >= 0; scope = static_cast<WalkedScope*>(list_nth(view.scopes, scope))->parent) {
        if (static_cast<WalkedScope*>(list_nth(view.scopes, scope))->outer_join) {
            return true;
        }
    }
    return false;
}

}  // namespace

WalkedView WalkView(Oid view_oid, AttrNumber key) {
    WalkedView view{};
    const char* name = psprintf("view %s", pg::RelationForMessage(view_oid));
    Query* query = ViewQuery(&view, view_oid);
    CheckCommon(query, name);
    CheckOnlyJoins(query, name);

    view.scopes = lappend(view.scopes, Make(WalkedScope{-1, false}));
    Level* top = MakeLevel(query, nullptr, 0, pg::RelationForMessage(view_oid));
    WalkQuery(&view, top);

    const TargetEntry* entry = get_tle_by_resno(query->targetList, key);
    view.key = Resolve(reinterpret_cast<Node*>(entry->expr), top);
    if (!view.key.found()) {
        Refuse(psprintf("key column \"%s\" of %s", entry->resname, name),
               "It is not a plain column of a base table.");
    }
    const auto* occurrence =
        static_cast<WalkedOccurrence*>(list_nth(view.occurrences, view.key.occurrence));
    if (InsideOuterJoin(view, occurrence->scope)) {
        Refuse(
            psprintf("key column \"%s\" of %s", entry->resname, name),
            psprintf("Table %s stands on the nullable side of an outer join, so that the key can "
                     "be NULL.",
                     pg::RelationForMessage(occurrence->relid)));
    }
    return view;
}

}  // namespace freshcrm::projection
