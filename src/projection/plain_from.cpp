#include "projection/plain_from.hpp"

#include "pg/relabel.hpp"
#include "pg/tree_walker.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
}

namespace freshcrm::projection {

namespace {

bool IsPlain(const Query* query) {
    return !query->hasAggs && KeepsRows(query);
}

// What an outer join does to an item of FROM.
struct Side {
    bool nullable;
    List* on;
    bool alone;
};

struct Marking {
    PlainFrom* from;
    Level* level;
    Index depth;  // of queries within the level's
};

bool MarkNode(Node* node, void* context);

void MarkAll(PlainFrom* from, Level* level, void* node) {
    Marking marking{from, level, 0};
    (void)MarkNode(static_cast<Node*>(node), &marking);
}

void MarkOutput(PlainFrom* from, Level* level, AttrNumber resno) {
    if (!list_member_ptr(from->levels, level)) {
        from->used = list_append_unique_ptr(from->used, level);
        return;
    }
    ListCell* cell;
    foreach (cell, level->query->targetList) {
        auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        if (resno == InvalidAttrNumber || entry->resno == resno) {
            MarkAll(from, level, entry->expr);
        }
    }
}

void MarkColumn(PlainFrom* from, int occurrence, AttrNumber attnum) {
    PlainTable* table = &from->tables[occurrence];
    if (attnum > 0) {
        table->elsewhere = bms_add_member(table->elsewhere, attnum);
    } else {
        table->elsewhere =
            bms_add_members(table->elsewhere, OccurrenceAt(*from->view, occurrence).watched);
    }
}

void MarkVar(PlainFrom* from, Level* level, const Var* var) {
    const RangeTblEntry* rte = rt_fetch(var->varno, level->query->rtable);
    if (rte->rtekind == RTE_JOIN) {
        MarkAll(from, level,
                var->varattno == InvalidAttrNumber
                    ? static_cast<void*>(rte->joinaliasvars)
                    : list_nth(rte->joinaliasvars, var->varattno - 1));
    } else if (level->occurrence[var->varno] >= 0) {
        MarkColumn(from, level->occurrence[var->varno], var->varattno);
    } else if (level->subquery[var->varno] != nullptr) {
        MarkOutput(from, level->subquery[var->varno], var->varattno);
    }
}

// The levels that a sublink's query was walked as.
List* LevelsOf(const WalkedView* view, const Node* query) {
    List* levels = NIL;
    ListCell* cell;
    foreach (cell, view->sublinks) {
        auto* level = static_cast<Level*>(lfirst(cell));
        if (reinterpret_cast<Node*>(level->query) == query) {
            levels = lappend(levels, level);
        }
    }
    return levels;
}

bool MarkNode(Node* node, void* context) {
    auto* marking = static_cast<Marking*>(context);
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, Var)) {
        const auto* var = reinterpret_cast<Var*>(node);
        if (var->varlevelsup >= marking->depth) {
            MarkVar(marking->from, LevelUp(marking->level, var->varlevelsup - marking->depth), var);
        }
        return false;
    }
    if (IsA(node, SubLink)) {
        marking->from->used = list_concat_unique_ptr(
            marking->from->used,
            LevelsOf(marking->from->view, reinterpret_cast<SubLink*>(node)->subselect));
    }
    if (IsA(node, Query)) {
        Marking within = *marking;
        ++within.depth;
        return pg::WalkQueryTree(reinterpret_cast<Query*>(node), MarkNode, &within);
    }
    return pg::WalkExpressionTree(node, MarkNode, context);
}

void ReadConditions(PlainFrom* from, Level* level, Node* quals) {
    ListCell* cell;
    foreach (cell, Conjuncts(quals)) {
        auto* conjunct = static_cast<Node*>(lfirst(cell));
        Node* rewritten;
        const int occurrence = OverOneRow({from->view, level, level->scope}, conjunct, &rewritten);
        if (occurrence >= 0 && from->tables[occurrence].plain &&
            !from->tables[occurrence].nullable) {
            PlainTable* table = &from->tables[occurrence];
            table->conditions = lappend(table->conditions, rewritten);
        } else {
            MarkAll(from, level, conjunct);
        }
    }
}

void ReadLevel(PlainFrom* from, Level* level);

void ReadEntry(PlainFrom* from, Level* level, int rtindex, const Side& side) {
    const RangeTblEntry* rte = rt_fetch(rtindex, level->query->rtable);
    if (level->occurrence[rtindex] >= 0) {
        PlainTable* table = &from->tables[level->occurrence[rtindex]];
        table->plain = true;
        table->nullable = side.nullable;
        table->on = side.on;
        table->alone = side.alone;
        return;
    }
    Level* subquery = level->subquery[rtindex];
    if (subquery != nullptr && IsPlain(subquery->query) && !side.nullable) {
        ReadLevel(from, subquery);
        return;
    }
    if (subquery != nullptr && (!side.nullable || (side.alone && side.on == NIL))) {
        from->single = lappend(from->single, subquery);
    }
    // What it reads of the levels around it.
    Marking within{from, level, 0};
    (void)MarkNode(reinterpret_cast<Node*>(rte->subquery), &within);
    MarkAll(from, level, rte->functions);
    MarkAll(from, level, rte->values_lists);
}

bool IsNullable(const JoinExpr* join, bool left) {
    return join->jointype == JOIN_FULL || join->jointype == (left ? JOIN_RIGHT : JOIN_LEFT);
}

Side Within(Side side, const Node* part) {
    side.alone = side.alone && IsA(part, RangeTblRef);
    return side;
}

void ReadItem(PlainFrom* from, Level* level, Node* item, const Side& side) {
    if (IsA(item, RangeTblRef)) {
        ReadEntry(from, level, reinterpret_cast<RangeTblRef*>(item)->rtindex, side);
        return;
    }
    if (IsA(item, FromExpr)) {
        ListCell* cell;
        foreach (cell, reinterpret_cast<FromExpr*>(item)->fromlist) {
            ReadItem(from, level, static_cast<Node*>(lfirst(cell)), side);
        }
        return;
    }
    const auto* join = reinterpret_cast<JoinExpr*>(item);
    const Side same{side.nullable, NIL, false};
    Side missing{true, NIL, false};
    if (!side.nullable && join->jointype != JOIN_FULL) {
        missing.on = Conjuncts(join->quals);
        missing.alone = true;
    }
    ReadItem(from, level, join->larg, IsNullable(join, true) ? Within(missing, join->larg) : same);
    ReadItem(from, level, join->rarg, IsNullable(join, false) ? Within(missing, join->rarg) : same);
}

// Once all tables of the level are known.
void ReadJoinConditions(PlainFrom* from, Level* level, Node* item, bool nullable) {
    if (IsA(item, FromExpr)) {
        const auto* list = reinterpret_cast<FromExpr*>(item);
        ListCell* cell;
        foreach (cell, list->fromlist) {
            ReadJoinConditions(from, level, static_cast<Node*>(lfirst(cell)), nullable);
        }
        ReadConditions(from, level, list->quals);
    } else if (IsA(item, JoinExpr)) {
        const auto* join = reinterpret_cast<JoinExpr*>(item);
        ReadJoinConditions(from, level, join->larg, nullable || IsNullable(join, true));
        ReadJoinConditions(from, level, join->rarg, nullable || IsNullable(join, false));
        if (nullable || join->jointype != JOIN_INNER) {
            MarkAll(from, level, join->quals);
        } else {
            ReadConditions(from, level, join->quals);
        }
    }
}

void ReadLevel(PlainFrom* from, Level* level) {
    from->levels = lappend(from->levels, level);
    auto* jointree = reinterpret_cast<Node*>(level->query->jointree);
    ReadItem(from, level, jointree, {false, NIL, false});
    ReadJoinConditions(from, level, jointree, false);
}

}  // namespace

PlainFrom* ReadPlainFrom(WalkedView* view) {
    if (!IsPlain(view->top->query)) {
        return nullptr;
    }
    auto* from = static_cast<PlainFrom*>(palloc0(sizeof(PlainFrom)));
    from->view = view;
    from->tables = static_cast<PlainTable*>(
        palloc0(sizeof(PlainTable) * static_cast<Size>(list_length(view->occurrences))));
    ReadLevel(from, view->top);
    return from;
}

PlainPlace Descend(const PlainFrom* from, PlainPlace place) {
    for (;;) {
        place.node = pg::WithoutRelabel(place.node);
        if (!IsA(place.node, Var)) {
            return place;
        }
        const auto* var = reinterpret_cast<Var*>(place.node);
        if (var->varlevelsup > 0 || var->varattno <= 0) {
            return place;
        }
        const RangeTblEntry* rte = rt_fetch(var->varno, place.level->query->rtable);
        Level* subquery = place.level->subquery[var->varno];
        if (rte->rtekind == RTE_JOIN) {
            place.node = static_cast<Node*>(list_nth(rte->joinaliasvars, var->varattno - 1));
        } else if (subquery != nullptr && list_member_ptr(from->levels, subquery)) {
            const auto* entry = get_tle_by_resno(subquery->query->targetList, var->varattno);
            place = {subquery, reinterpret_cast<Node*>(entry->expr)};
        } else {
            return place;
        }
    }
}

Level* QueryOfOutput(const PlainFrom* from, const PlainPlace& place, AttrNumber* output) {
    if (IsA(place.node, Var) && reinterpret_cast<Var*>(place.node)->varlevelsup == 0) {
        const auto* var = reinterpret_cast<Var*>(place.node);
        Level* subquery = place.level->subquery[var->varno];
        *output = var->varattno;
        return list_member_ptr(from->single, subquery) && subquery->parent == place.level ? subquery
                                                                                          : nullptr;
    }
    if (!IsA(place.node, SubLink) ||
        reinterpret_cast<SubLink*>(place.node)->subLinkType != EXPR_SUBLINK) {
        return nullptr;
    }
    List* levels = LevelsOf(from->view, reinterpret_cast<SubLink*>(place.node)->subselect);
    *output = 1;
    return list_length(levels) == 1 ? static_cast<Level*>(linitial(levels)) : nullptr;
}

bool KeepsRows(const Query* query) {
    return query->groupClause == NIL && query->groupingSets == NIL &&
           query->havingQual == nullptr && query->distinctClause == NIL &&
           query->limitCount == nullptr && query->limitOffset == nullptr &&
           query->setOperations == nullptr && !query->hasWindowFuncs && !query->hasTargetSRFs &&
           query->cteList == NIL;
}

void MarkElsewhere(PlainFrom* from, const PlainPlace& place) {
    MarkAll(from, place.level, place.node);
}

List* Conjuncts(Node* quals) {
    List* conjuncts = NIL;
    ListCell* cell;
    foreach (cell, make_ands_implicit(reinterpret_cast<Expr*>(quals))) {
        auto* conjunct = static_cast<Node*>(lfirst(cell));
        conjuncts = is_andclause(conjunct) ? list_concat(conjuncts, Conjuncts(conjunct))
                                           : lappend(conjuncts, conjunct);
    }
    return conjuncts;
}

}  // namespace freshcrm::projection
