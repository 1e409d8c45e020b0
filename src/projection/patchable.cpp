#include "projection/patchable.hpp"

#include "pg/relabel.hpp"
#include "projection/equalities.hpp"
#include "projection/fed_aggregate.hpp"
#include "projection/feed.hpp"
#include "projection/grouped_patch.hpp"
#include "projection/harmless.hpp"
#include "projection/plain_from.hpp"
#include "projection/row_patch.hpp"
#include "projection/unique_path.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
}

namespace freshcrm::projection {

namespace {

struct Finder {
    WalkedView* view;
    Lineage* lineage;
    PlainFrom* from;
    List** fed;           // of each occurrence: PatchColumn*
    Level** aggregate;    // the level of the aggregate that it feeds, or null
    AttrNumber** joined;  // then: for each key column the attribute that equals it
};

// The expression as one over the columns of an occurrence alone, as Vars of relation 1; or null.
Expr* OverRow(const Finder& finder, const WalkedColumn& column) {
    if (Expr* expression = ExpressionOf(*finder.view, column)) {
        return expression;
    }
    Oid collation;
    const Oid type = ColumnType(*finder.view, column, &collation);
    return reinterpret_cast<Expr*>(
        makeVar(1, static_cast<AttrNumber>(column.column), type, -1, collation, 0));
}

// A target entry of the view that shows a column of a row, or what is computed from it alone.
bool AddCopy(const Finder& finder, const PlainPlace& place, AttrNumber resno) {
    List* resolved = Resolve({finder.view, place.level, place.level->scope}, place.node);
    if (list_length(resolved) != 1) {
        return false;
    }
    const auto* only = static_cast<Resolved*>(linitial(resolved));
    if (only->element || only->constant != nullptr || only->branches != NIL ||
        only->not_from != nullptr || !finder.from->tables[only->column.occurrence].plain) {
        return false;
    }
    List** fed = &finder.fed[only->column.occurrence];
    *fed = lappend(*fed, NewColumn(Feed::kCopy, resno, OverRow(finder, only->column)));
    return true;
}

bool IsVarOf(const Node* node, Index levels) {
    return IsA(node, Var) && reinterpret_cast<const Var*>(node)->varlevelsup == levels &&
           reinterpret_cast<const Var*>(node)->varattno > 0;
}

// The number of the key column that the outer column is, or -1.
int KeyOf(const Finder& finder, const PlainPlace& outer) {
    List* resolved = Resolve({finder.view, outer.level, outer.level->scope}, outer.node);
    if (list_length(resolved) != 1) {
        return -1;
    }
    const WalkedColumn& column = static_cast<Resolved*>(linitial(resolved))->column;
    const auto* key = static_cast<WalkedKey*>(linitial(finder.view->keys));
    ListCell* cell;
    foreach (cell, key->columns) {
        if (*static_cast<WalkedColumn*>(lfirst(cell)) == column) {
            return foreach_current_index(cell);
        }
    }
    return -1;
}

// The query of an aggregate while it is looked at.
struct AggregateQuery {
    Level* level;  // of the query
    Level* outer;  // in which it stands
    int rtindex;   // of its table
    int occurrence;
    AttrNumber* joined;  // for each key column the table's column that equals it, or 0
    List* conditions;    // over the row alone, Vars of relation 1
};

// `table.column = key`
bool AddCorrelation(const Finder& finder, AggregateQuery* query, const OpExpr* op) {
    if (!IsA(op, OpExpr) || list_length(op->args) != 2) {
        return false;
    }
    auto* inner = pg::WithoutRelabel(static_cast<Node*>(linitial(op->args)));
    auto* outer = pg::WithoutRelabel(static_cast<Node*>(lsecond(op->args)));
    if (IsVarOf(outer, 0)) {
        std::swap(inner, outer);
    }
    if (!IsVarOf(inner, 0) || !IsVarOf(outer, 1)) {
        return false;
    }
    auto* var = static_cast<Var*>(copyObjectImpl(outer));
    var->varlevelsup = 0;
    const int key = KeyOf(finder, {query->outer, reinterpret_cast<Node*>(var)});
    if (key < 0 || query->joined[key] != 0 || exprType(inner) != finder.lineage->keys[key].type ||
        EqualityOf(exprType(inner)) != op->opno ||
        exprCollation(inner) != finder.lineage->keys[key].collation) {
        return false;
    }
    query->joined[key] = reinterpret_cast<Var*>(inner)->varattno;
    return true;
}

bool ReadConditions(const Finder& finder, AggregateQuery* query) {
    ListCell* cell;
    foreach (cell, Conjuncts(query->level->query->jointree->quals)) {
        auto* conjunct = static_cast<Node*>(lfirst(cell));
        if (!HasOuterVar(conjunct)) {
            query->conditions = lappend(query->conditions, OfRelationOne(conjunct, query->rtindex));
        } else if (!AddCorrelation(finder, query, reinterpret_cast<OpExpr*>(conjunct))) {
            return false;
        }
    }
    for (int i = 0; i < finder.lineage->key_count; ++i) {
        if (query->joined[i] == 0) {
            return false;
        }
    }
    return !ReadsWholeRow(reinterpret_cast<Node*>(query->conditions));
}

// An aggregate over all rows of one table, and nothing else.
bool IsSimple(const Query* query) {
    return query->hasAggs && KeepsRows(query) && !query->hasSubLinks && query->sortClause == NIL &&
           list_length(query->jointree->fromlist) == 1 &&
           IsA(linitial(query->jointree->fromlist), RangeTblRef);
}

bool ReadQuery(const Finder& finder, AggregateQuery* query) {
    if (!IsSimple(query->level->query)) {
        return false;
    }
    query->rtindex =
        static_cast<RangeTblRef*>(linitial(query->level->query->jointree->fromlist))->rtindex;
    query->occurrence = query->level->occurrence[query->rtindex];
    query->joined = static_cast<AttrNumber*>(
        palloc0(sizeof(AttrNumber) * static_cast<Size>(finder.lineage->key_count)));
    return query->occurrence >= 0 && ReadConditions(finder, query);
}

// A target entry that is an aggregate of a query, which stands there or in FROM.
bool AddAggregate(const Finder& finder, const PlainPlace& place, AttrNumber resno) {
    AttrNumber output = 1;
    AggregateQuery query{};
    query.outer = place.level;
    query.level = QueryOfOutput(finder.from, place, &output);
    if (query.level == nullptr || !ReadQuery(finder, &query)) {
        return false;
    }
    const TargetEntry* entry = get_tle_by_resno(query.level->query->targetList, output);
    PatchColumn* column = ReadAggregate(
        reinterpret_cast<Expr*>(pg::WithoutRelabel(reinterpret_cast<Node*>(entry->expr))),
        query.rtindex, query.conditions, resno);
    if (column == nullptr) {
        return false;
    }
    List** fed = &finder.fed[query.occurrence];
    *fed = lappend(*fed, column);
    finder.aggregate[query.occurrence] = query.level;
    finder.joined[query.occurrence] = query.joined;
    return true;
}

void FindFed(const Finder& finder) {
    Level* top = finder.view->top;
    ListCell* cell;
    foreach (cell, top->query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        const PlainPlace place = Descend(finder.from, {top, reinterpret_cast<Node*>(entry->expr)});
        if (entry->resjunk || IsKey(finder.lineage, entry->resno) ||
            (!AddCopy(finder, place, entry->resno) && !AddAggregate(finder, place, entry->resno))) {
            MarkElsewhere(finder.from, {top, reinterpret_cast<Node*>(entry->expr)});
        }
    }
}

const FlatPath* PathOf(const List* flats, int occurrence) {
    ListCell* cell;
    foreach (cell, flats) {
        const auto* flat = static_cast<FlatPath*>(lfirst(cell));
        if (flat->changed == occurrence) {
            return flat;
        }
    }
    return nullptr;
}

RowPatch* CopiesOf(const Finder& finder, const Source* source, const Path* path, const List* flats,
                   int occurrence) {
    const PlainTable& table = finder.from->tables[occurrence];
    const FlatPath* flat = PathOf(flats, occurrence);
    if (!table.plain || flat == nullptr || !DeterminesRow(finder.from, *flat)) {
        return nullptr;
    }
    RowPatch* patch = NewPatch(finder.fed[occurrence]);
    patch->copies = true;
    patch->fixed = bms_union(bms_intersect(source->watched, table.elsewhere), source->linking);
    for (int i = 0; i < path->start_count; ++i) {
        patch->fixed = bms_add_member(patch->fixed, path->starts[i].column);
    }
    patch->condition = table.conditions == NIL ? nullptr : make_ands_explicit(table.conditions);
    patch->harmless = patch->harmless && IsHarmless(patch->condition);
    patch->infallible = patch->infallible && patch->harmless;
    return bms_is_subset(source->watched, patch->fixed) ? nullptr : patch;
}

// Every occurrence of the table is an aggregate whose rows have the key themselves.
RowPatch* AggregatesOf(const Finder& finder, const Source* source, const Path* path,
                       const List* occurrences) {
    List* fed = NIL;
    ListCell* cell;
    foreach (cell, occurrences) {
        const int occurrence = lfirst_int(cell);
        Level* level = finder.aggregate[occurrence];
        if (level == nullptr || list_member_ptr(finder.from->used, level)) {
            return nullptr;
        }
        for (int i = 0; i < finder.lineage->key_count; ++i) {
            if (path->starts[path->key_starts[i]].column != finder.joined[occurrence][i]) {
                return nullptr;
            }
        }
        fed = list_concat(fed, finder.fed[occurrence]);
    }
    return source->linking != nullptr ? nullptr : NewPatch(fed);
}

RowPatch* PatchOf(const Finder& finder, const Source* source, const List* flats) {
    const Path* path = OnlyPath(finder.lineage, source);
    if (path == nullptr) {
        return nullptr;
    }
    List* occurrences = NIL;
    ListCell* cell;
    foreach (cell, finder.view->occurrences) {
        if (static_cast<WalkedOccurrence*>(lfirst(cell))->relid == source->relid) {
            occurrences = lappend_int(occurrences, foreach_current_index(cell));
        }
    }
    if (list_length(occurrences) == 1 && finder.aggregate[linitial_int(occurrences)] == nullptr) {
        return CopiesOf(finder, source, path, flats, linitial_int(occurrences));
    }
    return path->direct() ? AggregatesOf(finder, source, path, occurrences) : nullptr;
}

}  // namespace

void FindPatches(Lineage* lineage, WalkedView* view, const List* flats) {
    if (list_length(view->keys) != 1) {
        return;
    }
    PlainFrom* from = ReadPlainFrom(view);
    if (from == nullptr) {
        FindGroupedPatch(lineage, view);
        return;
    }
    const auto count = static_cast<Size>(list_length(view->occurrences));
    const Finder finder{view,
                        lineage,
                        from,
                        static_cast<List**>(palloc0(sizeof(List*) * count)),
                        static_cast<Level**>(palloc0(sizeof(Level*) * count)),
                        static_cast<AttrNumber**>(palloc0(sizeof(AttrNumber*) * count))};
    FindFed(finder);
    for (int i = 0; i < lineage->source_count; ++i) {
        lineage->sources[i].patch = PatchOf(finder, &lineage->sources[i], flats);
    }
}

}  // namespace freshcrm::projection
