#include "refresh/likely_key.hpp"

#include "pg/relabel.hpp"
#include "refresh/unique_columns.hpp"
#include "refresh/view_query.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
}

namespace freshcrm::refresh {

namespace {

// Columns that are different in each row; known and without columns: there is one row at most.
struct Key {
    bool known;
    List* columns;
};
constexpr Key kUnknown{false, NIL};
constexpr Key kOneRow{true, NIL};

struct Column {
    Index entry;
    AttrNumber attnum;
};

// A row of what `to` belongs to is found by what `from` is; without an entry, by a constant.
struct Equality {
    Column to;
    Column from;
};

struct From {
    Query* query;
    Bitmapset* entries;
    Key* keys;  // by entry
    List* equalities;
};

Key KeyOfQuery(Query* query);

Key KeyOfTable(Relation table) {
    List* columns = UniqueColumns(table);
    return columns == NIL ? kUnknown : Key{true, columns};
}

Key KeyOfRelation(const RangeTblEntry* entry) {
    check_stack_depth();
    Relation relation = relation_open(entry->relid, AccessShareLock);
    const char kind = relation->rd_rel->relkind;
    const Key key = kind == RELKIND_VIEW ? KeyOfQuery(QueryOf(entry->relid))
                    : kind == RELKIND_RELATION && entry->inh && has_subclass(entry->relid)
                        ? kUnknown
                        : KeyOfTable(relation);
    relation_close(relation, NoLock);
    return key;
}

Key KeyOfEntry(const Query* query, const RangeTblEntry* entry) {
    switch (entry->rtekind) {
        case RTE_RELATION:
            return KeyOfRelation(entry);
        case RTE_SUBQUERY:
            return KeyOfQuery(entry->subquery);
        case RTE_RESULT:
            return kOneRow;
        case RTE_CTE:
            break;
        default:
            return kUnknown;
    }
    ListCell* cell;
    foreach (cell, entry->ctelevelsup == 0 ? query->cteList : NIL) {
        const auto* with = static_cast<CommonTableExpr*>(lfirst(cell));
        if (strcmp(with->ctename, entry->ctename) == 0 && !with->cterecursive) {
            return KeyOfQuery(reinterpret_cast<Query*>(with->ctequery));
        }
    }
    return kUnknown;
}

// The column that the expression is, beneath joins that give it another name; without an entry when
// it is something else.
Column ColumnOf(const Query* query, Node* expression) {
    expression = pg::WithoutRelabel(expression);
    if (expression == nullptr || !IsA(expression, Var)) {
        return {};
    }
    const auto* var = reinterpret_cast<Var*>(expression);
    if (var->varlevelsup > 0 || var->varattno <= 0) {
        return {};
    }
    const auto* entry = rt_fetch(var->varno, query->rtable);
    if (entry->rtekind == RTE_JOIN) {
        return ColumnOf(query,
                        static_cast<Node*>(list_nth(entry->joinaliasvars, var->varattno - 1)));
    }
    return {static_cast<Index>(var->varno), var->varattno};
}

void AddEquality(From* from, const Column& to, const Column& by, const Bitmapset* targets) {
    if (to.entry != 0 && to.entry != by.entry &&
        bms_is_member(static_cast<int>(to.entry), targets)) {
        auto* equality = static_cast<Equality*>(palloc(sizeof(Equality)));
        *equality = {to, by};
        from->equalities = lappend(from->equalities, equality);
    }
}

bool IsConstant(Node* node) {
    node = pg::WithoutRelabel(node);
    return node != nullptr && IsA(node, Const);
}

// The conjuncts by which rows of the entries `targets` are found.
void AddQuals(From* from, Node* quals, const Bitmapset* targets) {
    if (quals == nullptr) {
        return;
    }
    if (IsA(quals, List)) {
        ListCell* cell;
        foreach (cell, reinterpret_cast<List*>(quals)) {
            AddQuals(from, static_cast<Node*>(lfirst(cell)), targets);
        }
    } else if (IsA(quals, BoolExpr) && reinterpret_cast<BoolExpr*>(quals)->boolop == AND_EXPR) {
        AddQuals(from, reinterpret_cast<Node*>(reinterpret_cast<BoolExpr*>(quals)->args), targets);
    } else if (IsA(quals, OpExpr) && list_length(reinterpret_cast<OpExpr*>(quals)->args) == 2) {
        const auto* op = reinterpret_cast<OpExpr*>(quals);
        auto* left = static_cast<Node*>(linitial(op->args));
        auto* right = static_cast<Node*>(lsecond(op->args));
        if (op_mergejoinable(op->opno, exprType(left))) {
            const Column a = ColumnOf(from->query, left);
            const Column b = ColumnOf(from->query, right);
            if (b.entry != 0 || IsConstant(right)) {
                AddEquality(from, a, b, targets);
            }
            if (a.entry != 0 || IsConstant(left)) {
                AddEquality(from, b, a, targets);
            }
        }
    }
}

// Returns the entries that the node joins. The nullable side of an outer join is found by the
// other.
Bitmapset* AddJoins(From* from, Node* node) {
    if (IsA(node, RangeTblRef)) {
        const int entry = reinterpret_cast<RangeTblRef*>(node)->rtindex;
        from->keys[entry] = KeyOfEntry(from->query, rt_fetch(entry, from->query->rtable));
        from->entries = bms_add_member(from->entries, entry);
        return bms_make_singleton(entry);
    }
    if (IsA(node, FromExpr)) {
        const auto* list = reinterpret_cast<FromExpr*>(node);
        Bitmapset* entries = nullptr;
        ListCell* cell;
        foreach (cell, list->fromlist) {
            entries = bms_join(entries, AddJoins(from, static_cast<Node*>(lfirst(cell))));
        }
        AddQuals(from, list->quals, entries);
        return entries;
    }
    const auto* join = reinterpret_cast<JoinExpr*>(node);
    Bitmapset* left = AddJoins(from, join->larg);
    Bitmapset* right = AddJoins(from, join->rarg);
    Bitmapset* both = bms_union(left, right);
    AddQuals(from, join->quals,
             join->jointype == JOIN_INNER   ? both
             : join->jointype == JOIN_LEFT  ? right
             : join->jointype == JOIN_RIGHT ? left
                                            : nullptr);
    return both;
}

bool IsFound(const From& from, const Column& column, Bitmapset* known) {
    ListCell* cell;
    foreach (cell, from.equalities) {
        const auto& equality = *static_cast<Equality*>(lfirst(cell));
        if (equality.to.entry == column.entry && equality.to.attnum == column.attnum &&
            (equality.from.entry == 0 ||
             bms_is_member(static_cast<int>(equality.from.entry), known))) {
            return true;
        }
    }
    return false;
}

bool IsFoundByKey(const From& from, int entry, Bitmapset* known) {
    if (!from.keys[entry].known) {
        return false;
    }
    ListCell* cell;
    foreach (cell, from.keys[entry].columns) {
        const Column column{static_cast<Index>(entry), static_cast<AttrNumber>(lfirst_int(cell))};
        if (!IsFound(from, column, known)) {
            return false;
        }
    }
    return true;
}

// The entries of which there is one row at most for rows of `known`, with these.
Bitmapset* Closure(const From& from, Bitmapset* known) {
    known = bms_copy(known);
    for (bool more = true; more;) {
        more = false;
        for (int entry = -1; (entry = bms_next_member(from.entries, entry)) >= 0;) {
            if (!bms_is_member(entry, known) && IsFoundByKey(from, entry, known)) {
                known = bms_add_member(known, entry);
                more = true;
            }
        }
    }
    return known;
}

// The fewest entries, those that come first preferred, that all others are found by.
Bitmapset* Leading(const From& from) {
    Bitmapset* leading = bms_copy(from.entries);
    for (int entry = bms_prev_member(from.entries, -1); entry >= 0;
         entry = bms_prev_member(from.entries, entry)) {
        Bitmapset* fewer = bms_del_member(bms_copy(leading), entry);
        if (bms_equal(Closure(from, fewer), from.entries)) {
            leading = fewer;
        }
    }
    return leading;
}

// The number of the query's column that is the column, or 0.
AttrNumber OutputAs(const From& from, const Column& column) {
    ListCell* cell;
    foreach (cell, from.query->targetList) {
        const auto* output = static_cast<TargetEntry*>(lfirst(cell));
        const Column is = ColumnOf(from.query, reinterpret_cast<Node*>(output->expr));
        if (!output->resjunk && is.entry == column.entry && is.attnum == column.attnum) {
            return output->resno;
        }
    }
    return 0;
}

// Or of one by which the rows of the column's table are found, and which is the same where there
// are any.
AttrNumber OutputOf(const From& from, const Column& column) {
    AttrNumber output = OutputAs(from, column);
    ListCell* cell;
    foreach (cell, from.equalities) {
        const auto& equality = *static_cast<Equality*>(lfirst(cell));
        if (output == 0 && equality.from.entry != 0 && equality.to.entry == column.entry &&
            equality.to.attnum == column.attnum) {
            output = OutputAs(from, equality.from);
        }
    }
    return output;
}

From FromOf(Query* query) {
    From from{};
    from.query = query;
    from.keys =
        static_cast<Key*>(palloc0(sizeof(Key) * static_cast<Size>(list_length(query->rtable) + 1)));
    (void)AddJoins(&from, reinterpret_cast<Node*>(query->jointree));
    return from;
}

Key KeyOfFrom(const From& from) {
    Bitmapset* leading = Leading(from);
    Key key = kOneRow;
    for (int entry = -1; (entry = bms_next_member(leading, entry)) >= 0;) {
        if (!from.keys[entry].known) {
            return kUnknown;
        }
        ListCell* cell;
        foreach (cell, from.keys[entry].columns) {
            const AttrNumber output = OutputOf(
                from, {static_cast<Index>(entry), static_cast<AttrNumber>(lfirst_int(cell))});
            if (output == 0) {
                return kUnknown;
            }
            key.columns = list_append_unique_int(key.columns, output);
        }
    }
    return key;
}

// Whether the list groups by the whole key of the entry.
bool GroupsByKey(const From& from, int entry, const List* clause) {
    ListCell* cell;
    foreach (cell, from.keys[entry].columns) {
        bool found = false;
        ListCell* group;
        foreach (group, clause) {
            const auto* output = get_sortgroupclause_tle(
                static_cast<SortGroupClause*>(lfirst(group)), from.query->targetList);
            const Column column = ColumnOf(from.query, reinterpret_cast<Node*>(output->expr));
            found = found || (column.entry == static_cast<Index>(entry) &&
                              column.attnum == lfirst_int(cell));
        }
        if (!found) {
            return false;
        }
    }
    return from.keys[entry].known;
}

// The columns of GROUP BY or DISTINCT, without those that follow from keys among them.
Key KeyOfClause(const From& from, const List* clause) {
    Bitmapset* whole = nullptr;
    for (int entry = -1; (entry = bms_next_member(from.entries, entry)) >= 0;) {
        if (GroupsByKey(from, entry, clause)) {
            whole = bms_add_member(whole, entry);
        }
    }
    Bitmapset* follow = Closure(from, whole);
    Key key = kOneRow;
    ListCell* cell;
    foreach (cell, clause) {
        const auto* output = get_sortgroupclause_tle(static_cast<SortGroupClause*>(lfirst(cell)),
                                                     from.query->targetList);
        const Column column = ColumnOf(from.query, reinterpret_cast<Node*>(output->expr));
        const int entry = static_cast<int>(column.entry);
        if (bms_is_member(entry, follow) &&
            !(bms_is_member(entry, whole) &&
              list_member_int(from.keys[entry].columns, column.attnum))) {
            continue;
        }
        if (output->resjunk) {
            return kUnknown;
        }
        key.columns = lappend_int(key.columns, output->resno);
    }
    return key;
}

Key AllColumns(const Query* query) {
    Key key = kOneRow;
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* output = static_cast<TargetEntry*>(lfirst(cell));
        if (!output->resjunk) {
            key.columns = lappend_int(key.columns, output->resno);
        }
    }
    return key;
}

// LIMIT 0 or 1, which is read as a bigint.
bool IsOne(Node* limit) {
    if (limit != nullptr && IsA(limit, FuncExpr) &&
        reinterpret_cast<FuncExpr*>(limit)->funcid == F_INT8_INT4) {
        limit = static_cast<Node*>(linitial(reinterpret_cast<FuncExpr*>(limit)->args));
    }
    if (limit == nullptr || !IsA(limit, Const)) {
        return false;
    }
    const auto* constant = reinterpret_cast<Const*>(limit);
    return !constant->constisnull &&
           (constant->consttype == INT4OID ? DatumGetInt32(constant->constvalue) <= 1
                                           : DatumGetInt64(constant->constvalue) <= 1);
}

Key KeyOfQuery(Query* query) {
    check_stack_depth();
    if (query->setOperations != nullptr) {
        return reinterpret_cast<SetOperationStmt*>(query->setOperations)->all ? kUnknown
                                                                              : AllColumns(query);
    }
    if (IsOne(query->limitCount)) {
        return kOneRow;
    }
    if (query->hasTargetSRFs || query->groupingSets != NIL) {
        return query->distinctClause != NIL ? AllColumns(query) : kUnknown;
    }
    const From from = FromOf(query);
    if (query->distinctClause != NIL && query->groupClause == NIL && !query->hasAggs) {
        return KeyOfClause(from, query->distinctClause);
    }
    if (query->groupClause != NIL) {
        return KeyOfClause(from, query->groupClause);
    }
    return query->hasAggs || query->havingQual != nullptr ? kOneRow : KeyOfFrom(from);
}

}  // namespace

List* LikelyKey(Oid matview) {
    Query* query = QueryOf(matview);
    const Key key = KeyOfQuery(query);
    if (key.known && key.columns == NIL && query->targetList != NIL) {
        return list_make1_int(1);
    }
    return key.columns;
}

}  // namespace freshcrm::refresh
