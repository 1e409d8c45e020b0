#include "projection/level_flow.hpp"

#include "pg/tree_walker.hpp"
#include "projection/generated.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace freshcrm::projection {

namespace {

// Where an expression stands, and what has been found in it.
struct Reading {
    Flow* flow;
    Level* level;
    Bitmapset* atoms;
};

// What a part of FROM says of the rows of its level.
struct Part {
    Bitmapset* rows;
    Bitmapset* copies;
    Bitmapset* entries;  // range table indexes
};

bool ReadNode(Node* node, void* context);

Bitmapset* Union(Bitmapset* set, const Bitmapset* more) {
    return bms_add_members(set, more);
}

Bitmapset* AtomsOf(Flow* flow, Level* level, void* expression) {
    Reading reading{flow, level, nullptr};
    (void)ReadNode(static_cast<Node*>(expression), &reading);
    return reading.atoms;
}

Bitmapset* AllOutputs(const Level* level) {
    Bitmapset* atoms = nullptr;
    for (int i = 1; i <= list_length(level->query->targetList); ++i) {
        atoms = Union(atoms, level->flow->outputs[i]);
    }
    return atoms;
}

Bitmapset* Everything(Flow* flow, Level* level) {
    const LevelFlow* inner = FlowOf(flow, level);
    return Union(Union(AllOutputs(level), inner->rows), inner->copies);
}

// A column of a base table. One that is generated may have to be seen by those that it is made of.
Bitmapset* AtomsOfColumn(Flow* flow, int occurrence, AttrNumber attnum) {
    const WalkedOccurrence& table = OccurrenceAt(*flow->view, occurrence);
    Bitmapset* columns =
        attnum > 0 ? AddWithOrigin(nullptr, table.relid, attnum) : bms_copy(table.watched);
    if (attnum < 0 || !bms_is_subset(columns, table.watched)) {
        flow->unknown = true;
        return nullptr;
    }
    Bitmapset* atoms = nullptr;
    for (int i = -1; (i = bms_next_member(columns, i)) >= 0;) {
        atoms = bms_add_member(atoms, flow->first_atom[occurrence] + i);
    }
    flow->met = Union(flow->met, atoms);
    return atoms;
}

// A column of what the range table entry stands for, as it is before outer joins.
Bitmapset* AtomsOfEntry(Flow* flow, Level* level, int rtindex, AttrNumber attnum) {
    const RangeTblEntry* rte = rt_fetch(rtindex, level->query->rtable);
    if (level->occurrence[rtindex] >= 0) {
        return AtomsOfColumn(flow, level->occurrence[rtindex], attnum);
    }
    if (Level* inner = level->subquery[rtindex]) {
        const LevelFlow* of_inner = FlowOf(flow, inner);
        if (attnum > 0 && attnum <= list_length(inner->query->targetList)) {
            return bms_copy(of_inner->outputs[attnum]);
        }
        return AllOutputs(inner);
    }
    switch (rte->rtekind) {
        case RTE_JOIN:
            if (attnum > 0) {
                return AtomsOf(flow, level, list_nth(rte->joinaliasvars, attnum - 1));
            }
            break;
        case RTE_FUNCTION: {
            Bitmapset* atoms = nullptr;
            ListCell* cell;
            foreach (cell, rte->functions) {
                atoms = Union(
                    atoms,
                    AtomsOf(flow, level, static_cast<RangeTblFunction*>(lfirst(cell))->funcexpr));
            }
            return atoms;
        }
        case RTE_VALUES:
            return AtomsOf(flow, level, rte->values_lists);
        case RTE_CTE:
            // What a recursion reads of itself is made of what the whole of it reads, and that is
            // what each of its columns is made of, seen from outside.
            if (rte->self_reference) {
                return nullptr;
            }
            break;
        default:
            break;
    }
    flow->unknown = true;
    return nullptr;
}

// A sublink's value depends on all that its query reads; that of EXISTS not on what it returns.
Bitmapset* AtomsOfSubLink(Flow* flow, const SubLink* sublink) {
    Bitmapset* atoms = nullptr;
    bool walked = false;
    ListCell* cell;
    foreach (cell, flow->view->sublinks) {
        auto* level = static_cast<Level*>(lfirst(cell));
        if (level->query == reinterpret_cast<Query*>(sublink->subselect)) {
            walked = true;
            atoms = Union(atoms, sublink->subLinkType == EXISTS_SUBLINK ? FlowOf(flow, level)->rows
                                                                        : Everything(flow, level));
        }
    }
    flow->unknown = flow->unknown || !walked;
    return atoms;
}

bool ReadNode(Node* node, void* context) {
    auto* reading = static_cast<Reading*>(context);
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, Var)) {
        const auto* var = reinterpret_cast<Var*>(node);
        Level* level = LevelUp(reading->level, var->varlevelsup);
        reading->atoms =
            Union(reading->atoms, AtomsOfEntry(reading->flow, level, var->varno, var->varattno));
        reading->atoms = Union(reading->atoms, level->flow->replaced[var->varno]);
        return false;
    }
    if (IsA(node, SubLink)) {
        const auto* sublink = reinterpret_cast<SubLink*>(node);
        reading->atoms = Union(reading->atoms, AtomsOfSubLink(reading->flow, sublink));
        return ReadNode(sublink->testexpr, context);
    }
    if (IsA(node, Query)) {
        reading->flow->unknown = true;
        return false;
    }
    return pg::WalkExpressionTree(node, ReadNode, context);
}

Part PartOfEntry(Flow* flow, Level* level, int rtindex) {
    Bitmapset* entries = bms_make_singleton(rtindex);
    const int occurrence = level->occurrence[rtindex];
    if (occurrence >= 0) {
        return {bms_make_singleton(flow->first_atom[occurrence]), nullptr, entries};
    }
    if (Level* inner = level->subquery[rtindex]) {
        const LevelFlow* of_inner = FlowOf(flow, inner);
        return {bms_copy(of_inner->rows), bms_copy(of_inner->copies), entries};
    }
    const RangeTblEntry* rte = rt_fetch(rtindex, level->query->rtable);
    if (rte->rtekind == RTE_VALUES || rte->rtekind == RTE_RESULT) {
        return {nullptr, nullptr, entries};
    }
    // How many rows a function has depends on its arguments.
    return {AtomsOfEntry(flow, level, rtindex, 1), nullptr, entries};
}

// The nullable side of an outer join: its rows, and its ON clause, say whether a row of the other
// side has NULLs in its place, and else only how often that row comes.
void MakeNullable(Level* level, Part* side, const Bitmapset* on) {
    Bitmapset* match = bms_union(side->rows, on);
    for (int i = -1; (i = bms_next_member(side->entries, i)) >= 0;) {
        level->flow->replaced[i] = Union(level->flow->replaced[i], match);
    }
    side->copies = Union(side->copies, match);
    side->rows = nullptr;
}

Part Together(const Part& left, const Part& right) {
    return {bms_union(left.rows, right.rows), bms_union(left.copies, right.copies),
            bms_union(left.entries, right.entries)};
}

Part PartOf(Flow* flow, Level* level, Node* item);

Part PartOfJoin(Flow* flow, Level* level, const JoinExpr* join) {
    Part left = PartOf(flow, level, join->larg);
    Part right = PartOf(flow, level, join->rarg);
    Bitmapset* on = AtomsOf(flow, level, join->quals);
    Part both = Together(left, right);
    switch (join->jointype) {
        case JOIN_INNER:
            both.rows = Union(both.rows, on);
            return both;
        case JOIN_LEFT:
            MakeNullable(level, &right, on);
            return Together(left, right);
        case JOIN_RIGHT:
            MakeNullable(level, &left, on);
            return Together(left, right);
        default:
            // Of a full join either side can be missing, and both say which rows there are.
            both.rows = Union(both.rows, on);
            MakeNullable(level, &left, both.rows);
            MakeNullable(level, &right, both.rows);
            return both;
    }
}

Part PartOf(Flow* flow, Level* level, Node* item) {
    if (IsA(item, RangeTblRef)) {
        return PartOfEntry(flow, level, reinterpret_cast<RangeTblRef*>(item)->rtindex);
    }
    if (IsA(item, JoinExpr)) {
        return PartOfJoin(flow, level, reinterpret_cast<JoinExpr*>(item));
    }
    const auto* from = reinterpret_cast<FromExpr*>(item);
    Part part{};
    ListCell* cell;
    foreach (cell, from->fromlist) {
        part = Together(part, PartOf(flow, level, static_cast<Node*>(lfirst(cell))));
    }
    part.rows = Union(part.rows, AtomsOf(flow, level, from->quals));
    return part;
}

Bitmapset* AtomsOfSortGroup(const Level* level, List* clauses) {
    Bitmapset* atoms = nullptr;
    ListCell* cell;
    foreach (cell, clauses) {
        const auto* entry = get_sortgroupclause_tle(static_cast<SortGroupClause*>(lfirst(cell)),
                                                    level->query->targetList);
        atoms = Union(atoms, level->flow->outputs[entry->resno]);
    }
    return atoms;
}

// A group's row is there, and its aggregates are what they are, because of the rows that are put
// together. Without GROUP BY there is always one row, but for HAVING.
void Aggregate(const Level* level, const Bitmapset* having) {
    const Query* query = level->query;
    LevelFlow* of_level = level->flow;
    Bitmapset* input = Union(AtomsOfSortGroup(level, query->groupClause), of_level->rows);
    input = Union(input, of_level->copies);
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        if (contain_aggs_of_level(reinterpret_cast<Node*>(entry->expr), 0)) {
            of_level->outputs[entry->resno] = Union(of_level->outputs[entry->resno], input);
        }
    }
    of_level->rows =
        query->groupClause == NIL && query->havingQual == nullptr ? nullptr : Union(input, having);
    of_level->copies = nullptr;
}

// Whether the level chooses or numbers rows, or makes them of each other, so that all that it
// returns depends on all that it reads.
bool Mixes(const Query* query) {
    return query->setOperations != nullptr || query->distinctClause != NIL ||
           query->groupingSets != NIL || query->limitCount != nullptr ||
           query->limitOffset != nullptr || query->hasWindowFuncs || query->windowClause != NIL ||
           query->hasTargetSRFs;
}

void Mix(Flow* flow, Level* level, const Bitmapset* having) {
    const Query* query = level->query;
    Bitmapset* all = Union(Everything(flow, level), having);
    all = Union(all, AtomsOf(flow, level, query->limitCount));
    all = Union(all, AtomsOf(flow, level, query->limitOffset));
    ListCell* cell;
    foreach (cell, query->windowClause) {
        const auto* window = static_cast<WindowClause*>(lfirst(cell));
        all = Union(all, AtomsOf(flow, level, window->startOffset));
        all = Union(all, AtomsOf(flow, level, window->endOffset));
    }
    foreach (cell, level->branches) {
        all = Union(all, Everything(flow, static_cast<Level*>(lfirst(cell))));
    }
    level->flow->rows = all;
    level->flow->copies = all;
    for (int i = 1; i <= list_length(query->targetList); ++i) {
        level->flow->outputs[i] = all;
    }
}

void SetFlow(Flow* flow, Level* level) {
    const Query* query = level->query;
    LevelFlow* of_level = level->flow;
    if (query->setOperations == nullptr) {
        const Part from = PartOf(flow, level, reinterpret_cast<Node*>(query->jointree));
        of_level->rows = from.rows;
        of_level->copies = from.copies;
        ListCell* cell;
        foreach (cell, query->targetList) {
            const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
            of_level->outputs[entry->resno] = AtomsOf(flow, level, entry->expr);
        }
    }
    Bitmapset* having = AtomsOf(flow, level, query->havingQual);
    if (query->hasAggs || query->groupClause != NIL || query->havingQual != nullptr) {
        Aggregate(level, having);
    }
    of_level->copies = Union(of_level->copies, AtomsOfSortGroup(level, query->sortClause));
    if (Mixes(query)) {
        Mix(flow, level, having);
    }
}

}  // namespace

LevelFlow* FlowOf(Flow* flow, Level* level) {
    if (level->flow == nullptr) {
        check_stack_depth();
        const Query* query = level->query;
        const Size sets = sizeof(Bitmapset*);
        level->flow = static_cast<LevelFlow*>(palloc0(sizeof(LevelFlow)));
        level->flow->outputs = static_cast<Bitmapset**>(
            palloc0(sets * static_cast<Size>(list_length(query->targetList) + 1)));
        level->flow->replaced = static_cast<Bitmapset**>(
            palloc0(sets * static_cast<Size>(list_length(query->rtable) + 1)));
        SetFlow(flow, level);
    }
    return level->flow;
}

}  // namespace freshcrm::projection
