#include "projection/lineage.hpp"

#include "pg/names.hpp"
#include "projection/query_walk.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "utils/typcache.h"
}

#include "core/lineage.hpp"

namespace freshcrm::projection {

namespace {

const WalkedOccurrence& OccurrenceAt(const WalkedView& view, int index) {
    return *static_cast<WalkedOccurrence*>(list_nth(view.occurrences, index));
}

const WalkedEquality& EqualityAt(const WalkedView& view, int index) {
    return *static_cast<WalkedEquality*>(list_nth(view.equalities, index));
}

core::ColumnRef ToCore(const WalkedColumn& column) {
    return {column.occurrence, column.column};
}

// A core::LineagePath as plain memory, filled by FillPath().
struct FlatPath {
    bool found;
    core::ColumnRef start;
    core::ColumnRef key;
    int join_count;
    core::PathJoin* joins;  // room for one an occurrence
};

// The graph of the walk and the path found in it. Of the server it reads lists only, which cannot
// raise an error: no guard is needed.
void FillPath(const WalkedView& view, int changed, FlatPath* flat) {
    core::LineageGraph graph;
    ListCell* cell;
    foreach (cell, view.scopes) {
        const auto* scope = static_cast<WalkedScope*>(lfirst(cell));
        graph.scopes.push_back({scope->parent, scope->outer_join});
    }
    foreach (cell, view.occurrences) {
        graph.occurrence_scope.push_back(static_cast<WalkedOccurrence*>(lfirst(cell))->scope);
    }
    foreach (cell, view.equalities) {
        const auto* equality = static_cast<WalkedEquality*>(lfirst(cell));
        graph.equalities.push_back({ToCore(equality->left), ToCore(equality->right),
                                    equality->scope, equality->left_type == equality->right_type});
    }
    graph.key = ToCore(view.key);

    const auto path = core::FindPath(graph, changed);
    flat->found = path.has_value();
    if (flat->found) {
        flat->start = path->start;
        flat->key = path->key;
        flat->join_count = static_cast<int>(path->joins.size());
        std::copy(path->joins.begin(), path->joins.end(), flat->joins);
    }
}

// "SELECT DISTINCT <key> FROM <tables of the joins> WHERE <first enter> = $1": the tables are named
// t0, t1, … in the order of the joins.
const char* MappingQuery(const WalkedView& view, const FlatPath& path, bool many,
                         Oid parameter_type) {
    const auto table_of = [&](int occurrence) {
        for (int i = 0; i < path.join_count; ++i) {
            if (path.joins[i].enter.occurrence == occurrence) {
                return i;
            }
        }
        return -1;
    };
    const auto column = [&](const core::ColumnRef& ref) {
        return psprintf("t%d.%s", table_of(ref.occurrence),
                        pg::QuotedColumn(OccurrenceAt(view, ref.occurrence).relid,
                                         static_cast<AttrNumber>(ref.column)));
    };

    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "SELECT DISTINCT %s FROM ", column(path.key));
    for (int i = 0; i < path.join_count; ++i) {
        appendStringInfo(
            &sql, "%sONLY %s AS t%d", i > 0 ? ", " : "",
            pg::QualifiedRelation(OccurrenceAt(view, path.joins[i].enter.occurrence).relid), i);
    }
    for (int i = 0; i < path.join_count; ++i) {
        const core::PathJoin& join = path.joins[i];
        const WalkedEquality& equality = EqualityAt(view, join.equality);
        const Oid opno =
            ToCore(equality.left) == join.enter ? equality.opno : get_commutator(equality.opno);
        appendStringInfo(&sql, "%s%s %s ", i > 0 ? " AND " : " WHERE ", column(join.enter),
                         pg::QualifiedOperator(opno));
        if (i > 0) {
            appendStringInfoString(&sql, column(join.probe));
        } else {
            appendStringInfo(&sql, many ? "ANY ($1::%s[])" : "$1::%s",
                             pg::QualifiedType(parameter_type, -1));
        }
    }
    return sql.data;
}

bool SamePath(const Path& a, const Path& b) {
    return a.start == b.start && a.is_key == b.is_key && a.direct() == b.direct() &&
           (a.direct() || strcmp(a.query_many, b.query_many) == 0);
}

Path MakePath(const WalkedView& view, int occurrence, FlatPath* flat) {
    const Oid relid = OccurrenceAt(view, occurrence).relid;
    FillPath(view, occurrence, flat);
    if (!flat->found) {
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot trace table %s", pg::RelationForMessage(relid)),
                 errdetail("No chain of equalities leads from it to the key of the view, so that a "
                           "changed row does not tell which keys it affects."),
                 errhint("Link it to the other tables of the view by equality of columns.")));
    }
    Path path{};
    path.start = static_cast<AttrNumber>(flat->start.column);
    path.is_key = flat->start == ToCore(view.key);
    if (flat->join_count > 0) {
        // The operator stands between the value of `start`, whose type it takes on the other side
        // of an equality that is not interchangeable, and the column entered.
        const core::PathJoin& first = flat->joins[0];
        const WalkedEquality& equality = EqualityAt(view, first.equality);
        const bool enters_left = ToCore(equality.left) == first.enter;
        path.parameter_type = enters_left ? equality.right_type : equality.left_type;
        path.query_one = MappingQuery(view, *flat, false, path.parameter_type);
        path.query_many = MappingQuery(view, *flat, true, path.parameter_type);
    }
    return path;
}

void AddPath(Source* source, const Path& path) {
    for (int i = 0; i < source->path_count; ++i) {
        if (SamePath(source->paths[i], path)) {
            return;
        }
    }
    source->paths[source->path_count++] = path;
}

}  // namespace

Lineage* TraceLineage(Oid source, const char* key) {
    if (get_rel_relkind(source) != RELKIND_VIEW) {
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a view", pg::RelationForMessage(source)),
                        errdetail("A projection keeps a table equal to a view."),
                        errhint("Create a view over it, and project the view.")));
    }
    auto* lineage = static_cast<Lineage*>(palloc0(sizeof(Lineage)));
    lineage->key = get_attnum(source, key);
    if (lineage->key == InvalidAttrNumber) {
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_COLUMN),
                 errmsg("key column \"%s\" does not exist in view %s", key,
                        pg::RelationForMessage(source)),
                 errhint("Name a column of the view that is different in each of its rows.")));
    }
    int32 typmod;
    get_atttypetypmodcoll(source, lineage->key, &lineage->key_type, &typmod,
                          &lineage->key_collation);
    if (!OidIsValid(lookup_type_cache(lineage->key_type, TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC)
                        ->cmp_proc)) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("key column \"%s\" has type %s, which cannot be sorted", key,
                               format_type_be(lineage->key_type)),
                        errdetail("A key needs an equality with a btree operator class."),
                        errhint("Choose another key, or cast it in the view.")));
    }

    const WalkedView view = WalkView(source, lineage->key);
    const int occurrences = list_length(view.occurrences);
    lineage->sources = static_cast<Source*>(palloc0(sizeof(Source) * occurrences));
    FlatPath flat{};
    flat.joins = static_cast<core::PathJoin*>(palloc(sizeof(core::PathJoin) * occurrences));

    for (int i = 0; i < occurrences; ++i) {
        const WalkedOccurrence& occurrence = OccurrenceAt(view, i);
        Source* found = nullptr;
        for (int j = 0; j < lineage->source_count; ++j) {
            if (lineage->sources[j].relid == occurrence.relid) {
                found = &lineage->sources[j];
            }
        }
        if (found == nullptr) {
            found = &lineage->sources[lineage->source_count++];
            found->relid = occurrence.relid;
            found->paths = static_cast<Path*>(palloc(sizeof(Path) * occurrences));
        }
        found->watched = bms_add_members(found->watched, occurrence.watched);
        AddPath(found, MakePath(view, i, &flat));
    }
    lineage->view_count = list_length(view.views);
    lineage->views = static_cast<Oid*>(palloc(sizeof(Oid) * lineage->view_count));
    for (int i = 0; i < lineage->view_count; ++i) {
        lineage->views[i] = list_nth_oid(view.views, i);
    }
    return lineage;
}

}  // namespace freshcrm::projection
