#include "projection/patchable.hpp"

#include "pg/relabel.hpp"
#include "pg/tree_walker.hpp"
#include "projection/equalities.hpp"
#include "projection/feed.hpp"
#include "projection/halves.hpp"
#include "projection/harmless.hpp"
#include "projection/patch.hpp"
#include "projection/plain_from.hpp"
#include "projection/unique_path.hpp"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "catalog/pg_class.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/typcache.h"
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

// As Vars of relation 1.
Node* OfRelationOne(Node* node, int rtindex) {
    auto* copy = static_cast<Node*>(copyObjectImpl(node));
    ChangeVarNodes(copy, rtindex, 1, 0);
    return copy;
}

bool IsVarOf(const Node* node, Index levels) {
    return IsA(node, Var) && reinterpret_cast<const Var*>(node)->varlevelsup == levels &&
           reinterpret_cast<const Var*>(node)->varattno > 0;
}

bool HasOuterVar(Node* node) {
    return contain_vars_of_level(node, 1);
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

bool ReadsWholeRow(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    return (IsA(node, Var) && reinterpret_cast<Var*>(node)->varattno <= 0) ||
           pg::WalkExpressionTree(node, ReadsWholeRow, context);
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
    return !ReadsWholeRow(reinterpret_cast<Node*>(query->conditions), nullptr);
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

// The column that the aggregate is, or null.
PatchColumn* ReadAggregate(const AggregateQuery& query, const Aggref* aggregate, AttrNumber resno) {
    if (!IsA(aggregate, Aggref) || aggregate->aggdistinct != NIL || aggregate->aggorder != NIL ||
        aggregate->aggkind != AGGKIND_NORMAL || aggregate->agglevelsup != 0 ||
        list_length(aggregate->args) > 1) {
        return nullptr;
    }
    Expr* value = nullptr;
    if (aggregate->args != NIL) {
        auto* argument =
            reinterpret_cast<Node*>(static_cast<TargetEntry*>(linitial(aggregate->args))->expr);
        if (HasOuterVar(argument) || ReadsWholeRow(argument, nullptr)) {
            return nullptr;
        }
        value = reinterpret_cast<Expr*>(pg::WithoutRelabel(OfRelationOne(argument, query.rtindex)));
    }
    PatchColumn* column = NewColumn(Feed::kCount, resno, value);
    if (!ReadFeed(aggregate, column)) {
        return nullptr;
    }
    List* conditions = query.conditions;
    if (aggregate->aggfilter != nullptr) {
        auto* filter = reinterpret_cast<Node*>(aggregate->aggfilter);
        if (HasOuterVar(filter) || ReadsWholeRow(filter, nullptr)) {
            return nullptr;
        }
        conditions = lappend(list_copy(conditions), OfRelationOne(filter, query.rtindex));
    }
    column->condition = conditions == NIL ? nullptr : make_ands_explicit(conditions);
    return column;
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
    auto* aggregate =
        reinterpret_cast<Aggref*>(pg::WithoutRelabel(reinterpret_cast<Node*>(entry->expr)));
    PatchColumn* column = ReadAggregate(query, aggregate, resno);
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

// The one path of the source, when it sets out from columns alone; or null.
const Path* OnlyPath(const Lineage* lineage, const Source* source) {
    if (source->path_count != 1 || source->fallback != nullptr || source->whole_row ||
        get_rel_relkind(source->relid) != RELKIND_RELATION ||
        get_rel_relispartition(source->relid) || source->paths[0].start_count > INDEX_MAX_KEYS) {
        return nullptr;
    }
    const Path* path = &source->paths[0];
    for (int i = 0; i < path->start_count; ++i) {
        const Start& start = path->starts[i];
        if (start.column == 0 || start.element ||
            !OidIsValid(lookup_type_cache(start.type, TYPECACHE_CMP_PROC)->cmp_proc)) {
            return nullptr;
        }
    }
    return path->known_keys != nullptr || MakesHalves(lineage, source, path) ? nullptr : path;
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

RowPatch* NewPatch(const List* fed) {
    auto* patch = static_cast<RowPatch*>(palloc0(sizeof(RowPatch)));
    patch->columns = static_cast<PatchColumn*>(
        palloc(sizeof(PatchColumn) * static_cast<Size>(list_length(fed))));
    bool sums = false;
    ListCell* cell;
    foreach (cell, fed) {
        const auto* column = static_cast<PatchColumn*>(lfirst(cell));
        sums = sums || column->feed == Feed::kSum;
        patch->effect.columns = bms_add_member(patch->effect.columns, column->column + 1);
        patch->columns[patch->column_count++] = *column;
    }
    patch->harmless = IsHarmlessPatch(patch);
    patch->infallible = patch->harmless && !sums;
    return patch;
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
    PlainFrom* from = ReadPlainFrom(view);
    if (from == nullptr || list_length(view->keys) != 1) {
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
