#include "projection/grouped_patch.hpp"

#include "pg/equal_images.hpp"
#include "pg/relabel.hpp"
#include "projection/fed_aggregate.hpp"
#include "projection/plain_from.hpp"
#include "projection/row_patch.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
}

namespace freshcrm::projection {

namespace {

struct Groups {
    const Lineage* lineage;
    const Query* query;
    int rtindex;       // of its table
    List* conditions;  // over the row alone, Vars of relation 1
    List* fed;         // of PatchColumn*
    int rows;          // the column that counts the rows of a group, from 0; -1 for none
};

// One table, grouped, and nothing else.
bool IsGrouped(const Query* query) {
    return query->groupClause != NIL && query->groupingSets == NIL &&
           query->havingQual == nullptr && query->distinctClause == NIL &&
           query->limitCount == nullptr && query->limitOffset == nullptr &&
           query->setOperations == nullptr && !query->hasWindowFuncs && !query->hasTargetSRFs &&
           !query->hasSubLinks && query->cteList == NIL &&
           list_length(query->jointree->fromlist) == 1 &&
           IsA(linitial(query->jointree->fromlist), RangeTblRef);
}

// A key column as the table has it, of a type of which equal values look the same: of others each
// row of the group could be the one whose key the view shows.
bool IsGroupedKey(const Groups& groups, const TargetEntry* entry) {
    const auto* var = reinterpret_cast<const Var*>(entry->expr);
    return !entry->resjunk && IsKey(groups.lineage, entry->resno) && IsA(var, Var) &&
           var->varno == groups.rtindex && var->varattno > 0 && var->varlevelsup == 0 &&
           pg::HasEqualImages(var->vartype, var->varcollid);
}

bool GroupsByKey(const Groups& groups) {
    ListCell* cell;
    foreach (cell, groups.query->groupClause) {
        const auto* clause = static_cast<SortGroupClause*>(lfirst(cell));
        if (!IsGroupedKey(groups, get_sortgroupclause_tle(const_cast<SortGroupClause*>(clause),
                                                          groups.query->targetList))) {
            return false;
        }
    }
    return list_length(groups.query->groupClause) == groups.lineage->key_count;
}

bool ReadConditions(Groups* groups) {
    ListCell* cell;
    foreach (cell, Conjuncts(groups->query->jointree->quals)) {
        groups->conditions = lappend(
            groups->conditions, OfRelationOne(static_cast<Node*>(lfirst(cell)), groups->rtindex));
    }
    return !ReadsWholeRow(reinterpret_cast<Node*>(groups->conditions));
}

bool CountsRows(const Expr* expression) {
    const auto* aggregate = reinterpret_cast<const Aggref*>(expression);
    return aggregate->args == NIL && aggregate->aggfilter == nullptr;
}

bool ReadColumns(Groups* groups) {
    ListCell* cell;
    foreach (cell, groups->query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        if (!entry->resjunk && IsKey(groups->lineage, entry->resno)) {
            continue;
        }
        const auto* expression =
            reinterpret_cast<Expr*>(pg::WithoutRelabel(reinterpret_cast<Node*>(entry->expr)));
        PatchColumn* column =
            ReadAggregate(expression, groups->rtindex, groups->conditions, entry->resno);
        if (entry->resjunk || column == nullptr) {
            return false;
        }
        if (column->feed == Feed::kCount && CountsRows(expression)) {
            groups->rows = column->column;
        }
        groups->fed = lappend(groups->fed, column);
    }
    return groups->fed != NIL;
}

RowPatch* PatchOf(const Groups& groups) {
    RowPatch* patch = NewPatch(groups.fed);
    patch->grouped = true;
    patch->rows = groups.rows;
    // Where there is no row of the target yet, all of it is computed.
    patch->effect.whole = true;
    patch->condition = groups.conditions == NIL ? nullptr : make_ands_explicit(groups.conditions);
    return patch;
}

}  // namespace

void FindGroupedPatch(Lineage* lineage, const WalkedView* view) {
    const Level* top = view->top;
    if (!IsGrouped(top->query) || lineage->source_count != 1) {
        return;
    }
    Source* source = &lineage->sources[0];
    const Path* path = OnlyPath(lineage, source);
    Groups groups{lineage, top->query, 0, NIL, NIL, -1};
    groups.rtindex = static_cast<RangeTblRef*>(linitial(top->query->jointree->fromlist))->rtindex;
    if (path != nullptr && path->direct() && source->linking == nullptr &&
        top->occurrence[groups.rtindex] >= 0 && GroupsByKey(groups) && ReadConditions(&groups) &&
        ReadColumns(&groups)) {
        source->patch = PatchOf(groups);
    }
}

}  // namespace freshcrm::projection
