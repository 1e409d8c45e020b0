#include "projection/mapping.hpp"

#include "projection/array_rows.hpp"
#include "projection/link_query.hpp"
#include "projection/path_sql.hpp"
#include "projection/wanted_index.hpp"

namespace freshcrm::projection {

namespace {

using core::ColumnRef;
using core::PathCondition;

const char* Query(const PathWriter& writer) {
    // Conditions and key first: they say which starts there are.
    StringInfoData where;
    initStringInfo(&where);
    ListCell* cell;
    foreach (cell, writer.flat.conditions) {
        appendStringInfo(&where, "%s%s", foreach_current_index(cell) > 0 ? " AND " : " WHERE ",
                         Condition(writer, *static_cast<PathCondition*>(lfirst(cell))));
    }
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "SELECT DISTINCT ");
    foreach (cell, writer.flat.key) {
        appendStringInfo(
            &sql, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
            Operand(writer, *static_cast<ColumnRef*>(lfirst(cell)), false, InvalidOid));
    }
    appendStringInfoString(&sql, " FROM ");
    if (writer.form == Form::kShown) {
        appendStringInfoString(&sql, "changed AS c, ");
    }
    if (writer.form == Form::kMany) {
        appendStringInfo(&sql, "%s, ", StartRows(*writer.path));
    }
    AppendTables(writer, &sql);
    appendStringInfoString(&sql, where.data);
    return sql.data;
}

void SetKnownKeys(const WalkedView& view, int changed, const FlatPath& flat, Path* path) {
    const Size count = static_cast<Size>(list_length(flat.key));
    auto* known = static_cast<int*>(palloc(sizeof(int) * count));
    bool any = false;
    ListCell* cell;
    foreach (cell, flat.key) {
        const auto& column = *static_cast<ColumnRef*>(lfirst(cell));
        const bool of_row = column.occurrence == changed;
        known[foreach_current_index(cell)] = of_row ? StartNumber(view, path, column, false) : -1;
        any = any || of_row;
    }
    path->known_keys = any ? known : nullptr;
}

bool IsKeyColumn(const WalkedView& view, int number, const ColumnRef& column) {
    ListCell* cell;
    foreach (cell, view.keys) {
        const auto* key = static_cast<WalkedKey*>(lfirst(cell));
        if (*static_cast<ColumnRef*>(list_nth(key->columns, number)) == column) {
            return true;
        }
    }
    return false;
}

bool IsLinked(const FlatPath& flat, const ColumnRef& column) {
    ListCell* cell;
    foreach (cell, flat.conditions) {
        const auto* condition = static_cast<PathCondition*>(lfirst(cell));
        if (condition->probe == column || condition->enter == column) {
            return true;
        }
    }
    return false;
}

// A column that only equals the key's is not NULL where there is a row of the view.
void MarkKeyStarts(const WalkedView& view, int changed, const FlatPath& flat, Path* path) {
    ListCell* cell;
    foreach (cell, flat.key) {
        const auto& column = *static_cast<ColumnRef*>(lfirst(cell));
        if (column.occurrence == changed && !IsLinked(flat, column) &&
            IsKeyColumn(view, foreach_current_index(cell), column)) {
            path->starts[StartNumber(view, path, column, false)].of_key = true;
        }
    }
}

}  // namespace

Path MakePath(const WalkedView& view, int changed, const FlatPath& flat, const KeyColumn* keys) {
    const Size most_starts =
        static_cast<Size>(list_length(flat.conditions)) + static_cast<Size>(list_length(flat.key));
    Path path{};
    path.starts = static_cast<Start*>(palloc0(sizeof(Start) * most_starts));
    if (flat.tables == NIL) {
        path.key_starts =
            static_cast<int*>(palloc(sizeof(int) * static_cast<Size>(list_length(flat.key))));
        ListCell* cell;
        foreach (cell, flat.key) {
            path.key_starts[foreach_current_index(cell)] =
                StartNumber(view, &path, *static_cast<ColumnRef*>(lfirst(cell)), false);
        }
        MarkKeyStarts(view, changed, flat, &path);
        return path;
    }
    path.query_one = Query({view, flat, changed, &path, Form::kOne});
    path.query_many = Query({view, flat, changed, &path, Form::kMany});
    path.query_shown = Query({view, flat, changed, &path, Form::kShown});
    path.indexes = HopIndexes(view, flat);
    SetKnownKeys(view, changed, flat, &path);
    MarkKeyStarts(view, changed, flat, &path);
    SetLinks({view, flat, changed, &path, Form::kLinks}, keys);
    return path;
}

const char* StartRows(const Path& path) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path.start_count)));
    for (int i = 0; i < path.start_count; ++i) {
        types[i] = path.starts[i].type;
    }
    return ArrayRows(path.start_count, types, "c", "s");
}

bool SamePath(const Path& a, const Path& b, int key_count) {
    if (a.start_count != b.start_count || a.direct() != b.direct()) {
        return false;
    }
    for (int i = 0; i < a.start_count; ++i) {
        if (a.starts[i].column != b.starts[i].column ||
            a.starts[i].element != b.starts[i].element ||
            a.starts[i].of_key != b.starts[i].of_key ||
            !equal(a.starts[i].expression, b.starts[i].expression)) {
            return false;
        }
    }
    return a.direct()
               ? memcmp(a.key_starts, b.key_starts, sizeof(int) * static_cast<Size>(key_count)) == 0
               : strcmp(a.query_many, b.query_many) == 0;
}

}  // namespace freshcrm::projection
