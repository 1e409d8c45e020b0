#include "projection/lineage.hpp"

#include "pg/guard.hpp"
#include "pg/names.hpp"
#include "pg/owner_scope.hpp"
#include "projection/column_flow.hpp"
#include "projection/link_query.hpp"
#include "projection/mapping.hpp"
#include "projection/patchable.hpp"
#include "projection/query_walk.hpp"
#include "projection/traceable.hpp"
#include "projection/wanted_index.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

std::vector<int> ToVector(const List* integers) {
    std::vector<int> values;
    ListCell* cell;
    foreach (cell, integers) {
        values.push_back(lfirst_int(cell));
    }
    return values;
}

std::vector<int> ToVector(const Bitmapset* set) {
    std::vector<int> values;
    for (int i = -1; (i = bms_next_member(set, i)) >= 0;) {
        values.push_back(i);
    }
    return values;
}

// Of the server this reads lists and sets only, which cannot raise an error.
core::LineageGraph ToGraph(const WalkedView& view) {
    core::LineageGraph graph;
    ListCell* cell;
    foreach (cell, view.scopes) {
        const auto* scope = static_cast<WalkedScope*>(lfirst(cell));
        graph.scopes.push_back({scope->parent, scope->kind, scope->set_operation, scope->produces});
    }
    foreach (cell, view.occurrences) {
        graph.occurrence_scope.push_back(static_cast<WalkedOccurrence*>(lfirst(cell))->scope);
    }
    foreach (cell, view.equalities) {
        const auto* equality = static_cast<WalkedEquality*>(lfirst(cell));
        graph.equalities.push_back({equality->left, equality->right, ToVector(equality->scopes),
                                    equality->interchangeable, equality->element,
                                    ToVector(equality->not_from)});
    }
    foreach (cell, view.keys) {
        const auto* walked = static_cast<WalkedKey*>(lfirst(cell));
        core::Key key{{}, ToVector(walked->scopes)};
        ListCell* column;
        foreach (column, walked->columns) {
            key.columns.push_back(*static_cast<WalkedColumn*>(lfirst(column)));
        }
        graph.keys.push_back(std::move(key));
    }
    return graph;
}

template <typename T>
List* ToList(const std::vector<T>& values) {
    List* list = NIL;
    for (const T& value : values) {
        auto* copy = static_cast<T*>(palloc(sizeof(T)));
        *copy = value;
        list = lappend(list, copy);
    }
    return list;
}

FlatPath* Flatten(int changed, const core::LineagePath& path) {
    auto* flat = static_cast<FlatPath*>(palloc0(sizeof(FlatPath)));
    flat->changed = changed;
    for (const int table : path.tables) {
        flat->tables = lappend_int(flat->tables, table);
    }
    flat->conditions = ToList(path.conditions);
    flat->key = ToList(path.key);
    return flat;
}

// The paths from a changed row of the occurrence, as FlatPath*.
List* FindFlatPaths(const WalkedView& view, int changed) {
    const std::vector<core::LineagePath> paths = core::FindPaths(ToGraph(view), changed);
    return pg::Call([&] {
        List* flat = NIL;
        for (const core::LineagePath& path : paths) {
            flat = lappend(flat, Flatten(changed, path));
        }
        return flat;
    });
}

Source* SourceOf(Lineage* lineage, Oid relid) {
    for (int i = 0; i < lineage->source_count; ++i) {
        if (lineage->sources[i].relid == relid) {
            return &lineage->sources[i];
        }
    }
    Source* source = &lineage->sources[lineage->source_count++];
    source->relid = relid;
    return source;
}

void AddPath(Source* source, const Path& path, int key_count) {
    for (int i = 0; i < source->path_count; ++i) {
        if (SamePath(source->paths[i], path, key_count)) {
            return;
        }
    }
    const Size size = sizeof(Path) * static_cast<Size>(source->path_count + 1);
    source->paths =
        static_cast<Path*>(source->paths == nullptr ? palloc(size) : repalloc(source->paths, size));
    source->paths[source->path_count++] = path;
}

void AddLinking(Lineage* lineage, const WalkedView& view, const FlatPath& flat) {
    ListCell* cell;
    foreach (cell, flat.tables) {
        Source* read = SourceOf(lineage, OccurrenceAt(view, lfirst_int(cell)).relid);
        read->linking = bms_join(read->linking, LinkingColumns(view, lfirst_int(cell), flat));
    }
}

// Adds its paths to `flats`, or its table to `unlinked` when there are none.
void AddOccurrence(Lineage* lineage, const WalkedView& view, int changed, List** flats,
                   List** unlinked) {
    const WalkedOccurrence& occurrence = OccurrenceAt(view, changed);
    Source* source = SourceOf(lineage, occurrence.relid);
    source->watched = bms_add_members(source->watched, occurrence.watched);
    source->whole_row = source->whole_row || occurrence.whole_row;
    source->fallback = FindFallback(view.fallbacks, occurrence.relid);
    if (source->fallback != nullptr) {
        return;
    }
    List* paths = FindFlatPaths(view, changed);
    if (paths == NIL) {
        *unlinked = list_append_unique_oid(*unlinked, occurrence.relid);
    }
    ListCell* cell;
    foreach (cell, paths) {
        const auto& flat = *static_cast<FlatPath*>(lfirst(cell));
        AddPath(source, MakePath(view, changed, flat, lineage->keys), lineage->key_count);
        *flats = lappend(*flats, lfirst(cell));
    }
}

KeyColumn FindKey(Oid source, const char* name) {
    KeyColumn key{};
    key.attnum = get_attnum(source, name);
    if (key.attnum == InvalidAttrNumber) {
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_COLUMN),
                 errmsg("key column \"%s\" does not exist in view %s", name,
                        pg::RelationForMessage(source)),
                 errhint("Name columns of the view that together differ in each of its rows.")));
    }
    int32 typmod;
    get_atttypetypmodcoll(source, key.attnum, &key.type, &typmod, &key.collation);
    if (!OidIsValid(lookup_type_cache(key.type, TYPECACHE_CMP_PROC)->cmp_proc) ||
        !OidIsValid(get_array_type(key.type))) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("key column \"%s\" has type %s, which cannot be a key", name,
                               format_type_be(key.type)),
                        errdetail("A key needs an equality with a btree operator class, and a type "
                                  "of arrays of it."),
                        errhint("Choose another key, or cast it in the view.")));
    }
    return key;
}

void FindKeys(Lineage* lineage, Oid source, const List* names) {
    lineage->keys =
        static_cast<KeyColumn*>(palloc(sizeof(KeyColumn) * static_cast<Size>(list_length(names))));
    ListCell* cell;
    foreach (cell, names) {
        const auto* name = static_cast<char*>(lfirst(cell));
        const KeyColumn key = FindKey(source, name);
        if (IsKey(lineage, key.attnum)) {
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
                            errmsg("key column \"%s\" is named twice", name),
                            errhint("Name each column of the key once.")));
        }
        lineage->keys[lineage->key_count++] = key;
    }
}

[[noreturn]] void RefuseSource(Oid source) {
    const bool materialized = get_rel_relkind(source) == RELKIND_MATVIEW;
    ereport(ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE),
             errmsg("\"%s\" is not a view", pg::RelationForMessage(source)),
             materialized ? errdetail("It is a materialized view, whose rows are a table already.")
                          : errdetail("A projection keeps a table equal to a view."),
             errhint("Create a view over it, and project the view.")));
    pg_unreachable();
}

}  // namespace

bool IsKey(const Lineage* lineage, int attnum) {
    for (int i = 0; i < lineage->key_count; ++i) {
        if (lineage->keys[i].attnum == attnum) {
            return true;
        }
    }
    return false;
}

Lineage* TraceLineage(Oid source, const List* keys, const List* fallbacks) {
    if (get_rel_relkind(source) != RELKIND_VIEW) {
        RefuseSource(source);
    }
    if (get_rel_persistence(source) == RELPERSISTENCE_TEMP) {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("view %s is temporary", pg::RelationForMessage(source)),
                        errdetail("Other sessions write to its tables and cannot see it."),
                        errhint("Create the view in a schema.")));
    }
    // Expressions are written as SQL by the server, which qualifies what search_path does not show.
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    auto* lineage = static_cast<Lineage*>(palloc0(sizeof(Lineage)));
    FindKeys(lineage, source, keys);

    List* attnums = NIL;
    for (int i = 0; i < lineage->key_count; ++i) {
        attnums = lappend_int(attnums, lineage->keys[i].attnum);
    }
    WalkedView* walked = WalkView(source, attnums, fallbacks);
    const WalkedView& view = *walked;
    const int occurrences = list_length(view.occurrences);
    lineage->sources =
        static_cast<Source*>(palloc0(sizeof(Source) * static_cast<Size>(occurrences)));
    List* flats = NIL;
    List* unlinked = NIL;
    for (int i = 0; i < occurrences; ++i) {
        AddOccurrence(lineage, view, i, &flats, &unlinked);
    }
    if (unlinked != NIL) {
        RefuseLinks(unlinked,
                    list_length(unlinked) == 1
                        ? "No chain of equalities leads from it to the key of the view, so that a "
                          "changed row does not tell which keys it affects."
                        : "No chain of equalities leads from them to the key of the view, so that "
                          "a changed row does not tell which keys it affects.");
    }
    ListCell* cell;
    foreach (cell, flats) {
        AddLinking(lineage, view, *static_cast<FlatPath*>(lfirst(cell)));
    }
    FindPatches(lineage, walked, flats);
    foreach (cell, ReadIndexes(view)) {
        auto* index = static_cast<WantedIndex*>(lfirst(cell));
        Source* read = SourceOf(lineage, index->relid);
        read->reads = lappend(read->reads, index);
    }
    TraceEffects(walked, lineage);
    lineage->view_count = list_length(view.views);
    lineage->views =
        static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(lineage->view_count)));
    for (int i = 0; i < lineage->view_count; ++i) {
        lineage->views[i] = list_nth_oid(view.views, i);
    }
    pg::EndAsOwner(scope);
    return lineage;
}

}  // namespace freshcrm::projection
