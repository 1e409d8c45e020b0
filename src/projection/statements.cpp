#include "projection/statements.hpp"

#include "pg/join.hpp"
#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "pg/tree_walker.hpp"
#include "projection/array_rows.hpp"
#include "projection/collection.hpp"

extern "C" {
#include "access/table.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"
}

namespace freshcrm::projection {

namespace {

// Which of the two names of a column: they are the same until one is renamed.
enum class In { kView, kTarget };

const char* ColumnName(const Projection* projection, In where, int index) {
    return quote_identifier(where == In::kView
                                ? NameStr(TupleDescAttr(projection->columns, index)->attname)
                                : projection->stored_names[index]);
}

const char* KeyName(const Projection* projection, In where, int index) {
    return ColumnName(projection, where, projection->keys[index].attnum - 1);
}

// "a", "b": the columns in the view's order, each after `prefix`.
const char* Columns(const Projection* projection, In where, const char* prefix) {
    return pg::Join(ColumnCount(projection), ", ", [&](int i) {
        return psprintf("%s%s", prefix, ColumnName(projection, where, i));
    });
}

const char* ColumnsOf(const Projection* projection, const Bitmapset* set, In where,
                      const char* prefix) {
    StringInfoData list;
    initStringInfo(&list);
    for (int i = -1; (i = bms_next_member(set, i)) >= 0;) {
        appendStringInfo(&list, ", %s%s", prefix, ColumnName(projection, where, i - 1));
    }
    return list.data;
}

const char* KeyColumns(const Projection* projection, In where, const char* prefix) {
    return pg::Join(projection->key_count, ", ",
                    [&](int i) { return psprintf("%s%s", prefix, KeyName(projection, where, i)); });
}

// left.key = right AND …, with `right(i)` for each key column.
template <typename Right>
const char* KeyEquals(const Projection* projection, In where, const char* left, Right right) {
    return pg::Join(projection->key_count, " AND ", [&](int i) {
        const Key& key = projection->keys[i];
        return psprintf("%s.%s%s %s %s%s", left, KeyName(projection, where, i), key.cast,
                        key.equals, right(i), key.cast);
    });
}

const char* KeyIsParameter(const Projection* projection, In where, const char* left) {
    return KeyEquals(projection, where, left, [](int i) { return psprintf("$%d", i + 1); });
}

// Whether the key is among those of the parameters, arrays of the key's columns.
const char* KeyIsInArrays(const Projection* projection, In where) {
    if (projection->key_count == 1) {
        const Key& key = projection->keys[0];
        return psprintf("x.%s%s %s ANY ($1%s)", KeyName(projection, where, 0), key.cast, key.equals,
                        key.array_cast);
    }
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(projection->key_count)));
    for (int i = 0; i < projection->key_count; ++i) {
        types[i] = projection->keys[i].type;
    }
    return psprintf("EXISTS (SELECT FROM %s WHERE %s)",
                    ArrayRows(projection->key_count, types, "k", "k"),
                    KeyEquals(projection, where, "x", [](int i) { return psprintf("k.k%d", i); }));
}

// Whether an expression is cast to a domain somewhere in it.
bool CastsToDomain(Node* node, void* context) {
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, CoerceToDomain)) {
        return true;
    }
    if (IsA(node, Query)) {
        return pg::WalkQueryTree(castNode(Query, node), CastsToDomain, context);
    }
    return pg::WalkExpressionTree(node, CastsToDomain, context);
}

// What keeps expressions of the view below a join with it. The planner takes a cast to a domain for
// one that may be evaluated above, where it would refuse the NULLs of a row that is missing.
const char* BelowJoin(const Projection* projection) {
    const Lineage* lineage = projection->lineage;
    for (int i = 0; i < lineage->view_count; ++i) {
        Relation view = table_open(lineage->views[i], AccessShareLock);
        const bool casts = CastsToDomain(reinterpret_cast<Node*>(get_view_query(view)), nullptr);
        table_close(view, NoLock);
        if (casts) {
            return " OFFSET 0";
        }
    }
    return "";
}

// What a diff reads of the view, and what it returns.
struct DiffColumns {
    const char* read;
    const char* returned;
    const char* more;  // after the tag: ", t.a, …"
};

DiffColumns AllColumns(const Projection* projection) {
    const Collections* collections = projection->collections;
    return {"*", Columns(projection, In::kView, "v."),
            ColumnsOf(projection, collections != nullptr ? collections->columns : nullptr,
                      In::kTarget, "t.")};
}

DiffColumns NarrowColumns(const Projection* projection, const NarrowDiff* narrow) {
    const auto column = [&](int i) {
        const bool of_view =
            bms_is_member(i + 1, narrow->columns) || IsKey(projection->lineage, i + 1);
        return of_view ? psprintf("v.%s", ColumnName(projection, In::kView, i))
                       : psprintf("t.%s", ColumnName(projection, In::kTarget, i));
    };
    return {psprintf("%s%s", KeyColumns(projection, In::kView, "x."),
                     ColumnsOf(projection, narrow->columns, In::kView, "x.")),
            pg::Join(ColumnCount(projection), ", ", column),
            ColumnsOf(projection, narrow->columns, In::kTarget, "t.")};
}

// FULL JOIN of the view and the target, each restricted.
const char* FullDiff(const Projection* projection, const DiffColumns& columns, const char* of_view,
                     const char* of_target) {
    return psprintf(
        "SELECT %s, %s, t.%s%s FROM (SELECT %s FROM %s AS x%s%s) AS v "
        "FULL JOIN (SELECT * FROM ONLY %s AS x%s) AS t ON %s ORDER BY %s",
        columns.returned, KeyColumns(projection, In::kTarget, "t."), kVersionEtag, columns.more,
        columns.read, pg::QualifiedRelation(projection->source), of_view, BelowJoin(projection),
        pg::QualifiedRelation(projection->target), of_target,
        KeyEquals(projection, In::kView, "v",
                  [&](int i) { return psprintf("t.%s", KeyName(projection, In::kTarget, i)); }),
        KeyColumns(projection, In::kView, "v."));
}

const char* OneDiff(const Projection* projection, const DiffColumns& columns) {
    return psprintf(
        "SELECT %s, %s, t.%s%s FROM (VALUES (1)) AS one "
        "LEFT JOIN (SELECT %s FROM %s AS x WHERE %s%s) AS v ON true "
        "LEFT JOIN ONLY %s AS t ON %s",
        columns.returned, KeyColumns(projection, In::kTarget, "t."), kVersionEtag, columns.more,
        columns.read, pg::QualifiedRelation(projection->source),
        KeyIsParameter(projection, In::kView, "x"), BelowJoin(projection),
        pg::QualifiedRelation(projection->target), KeyIsParameter(projection, In::kTarget, "t"));
}

const char* ManyDiff(const Projection* projection, const DiffColumns& columns) {
    return FullDiff(projection, columns,
                    psprintf(" WHERE %s", KeyIsInArrays(projection, In::kView)),
                    psprintf(" WHERE %s", KeyIsInArrays(projection, In::kTarget)));
}

Oid* KeyTypes(const Projection* projection, bool arrays) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(projection->key_count)));
    for (int i = 0; i < projection->key_count; ++i) {
        const Oid type = projection->keys[i].type;
        types[i] = arrays ? get_array_type(type) : type;
    }
    return types;
}

Oid* ColumnTypesAndTag(const Projection* projection) {
    const int count = ColumnCount(projection);
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; ++i) {
        types[i] = TupleDescAttr(projection->columns, i)->atttypid;
    }
    types[count] = TEXTOID;
    return types;
}

// The plan in `plan`, prepared when it is not there yet from what `types()` and `sql()` return.
template <typename Types, typename Sql>
SPIPlanPtr Kept(const Projection* projection, SPIPlanPtr* plan, int nargs, Types types, Sql sql) {
    if (*plan == nullptr) {
        *plan = pg::PrepareKept(sql(), nargs, types(), projection->context);
    }
    return *plan;
}

Oid* NoTypes() {
    return nullptr;
}

}  // namespace

SPIPlanPtr DiffOne(Projection* projection) {
    return Kept(
        projection, &projection->statements.diff_one, projection->key_count,
        [&] { return KeyTypes(projection, false); },
        [&] { return OneDiff(projection, AllColumns(projection)); });
}

SPIPlanPtr DiffMany(Projection* projection) {
    return Kept(
        projection, &projection->statements.diff_many, projection->key_count,
        [&] { return KeyTypes(projection, true); },
        [&] { return ManyDiff(projection, AllColumns(projection)); });
}

SPIPlanPtr DiffOne(Projection* projection, NarrowDiff* narrow) {
    return Kept(
        projection, &narrow->one, projection->key_count,
        [&] { return KeyTypes(projection, false); },
        [&] { return OneDiff(projection, NarrowColumns(projection, narrow)); });
}

SPIPlanPtr DiffMany(Projection* projection, NarrowDiff* narrow) {
    return Kept(
        projection, &narrow->many, projection->key_count,
        [&] { return KeyTypes(projection, true); },
        [&] { return ManyDiff(projection, NarrowColumns(projection, narrow)); });
}

SPIPlanPtr DiffAll(Projection* projection) {
    return Kept(projection, &projection->statements.diff_all, 0, NoTypes,
                [&] { return FullDiff(projection, AllColumns(projection), "", ""); });
}

SPIPlanPtr VerifyAll(Projection* projection) {
    return Kept(projection, &projection->statements.verify, 0, NoTypes, [&] {
        DiffColumns columns = AllColumns(projection);
        columns.more = psprintf(", %s", Columns(projection, In::kTarget, "t."));
        return FullDiff(projection, columns, "", "");
    });
}

SPIPlanPtr NullKey(Projection* projection) {
    return Kept(projection, &projection->statements.null_key, 0, NoTypes, [&] {
        const auto is_null = [&](int i) {
            return psprintf("v.%s IS NULL", KeyName(projection, In::kView, i));
        };
        return psprintf("SELECT %s FROM %s AS v WHERE %s LIMIT 1",
                        pg::Join(projection->key_count, ", ", is_null),
                        pg::QualifiedRelation(projection->source),
                        pg::Join(projection->key_count, " OR ", is_null));
    });
}

SPIPlanPtr StoredTag(Projection* projection) {
    return Kept(
        projection, &projection->statements.tag, projection->key_count,
        [&] { return KeyTypes(projection, false); },
        [&] {
            return psprintf("SELECT t.%s FROM ONLY %s AS t WHERE %s", kVersionEtag,
                            pg::QualifiedRelation(projection->target),
                            KeyIsParameter(projection, In::kTarget, "t"));
        });
}

SPIPlanPtr Insert(Projection* projection) {
    const int count = ColumnCount(projection);
    return Kept(
        projection, &projection->statements.insert, count + 1,
        [&] { return ColumnTypesAndTag(projection); },
        [&] {
            return psprintf(
                "INSERT INTO %s (%s, %s, %s) VALUES (%s, pg_catalog.clock_timestamp())",
                pg::QualifiedRelation(projection->target), Columns(projection, In::kTarget, ""),
                kVersionEtag, kUpdatedAt,
                pg::Join(count + 1, ", ", [](int i) { return psprintf("$%d", i + 1); }));
        });
}

SPIPlanPtr Update(Projection* projection) {
    const int count = ColumnCount(projection);
    return Kept(
        projection, &projection->statements.update, count + 1,
        [&] { return ColumnTypesAndTag(projection); },
        [&] {
            return psprintf(
                "UPDATE ONLY %s AS t SET %s, %s = $%d, %s = pg_catalog.clock_timestamp() WHERE %s",
                pg::QualifiedRelation(projection->target),
                pg::Join(count, ", ",
                         [&](int i) {
                             return psprintf("%s = $%d", ColumnName(projection, In::kTarget, i),
                                             i + 1);
                         }),
                kVersionEtag, count + 1, kUpdatedAt,
                KeyEquals(projection, In::kTarget, "t",
                          [&](int i) { return psprintf("$%d", projection->keys[i].attnum); }));
        });
}

SPIPlanPtr Remove(Projection* projection) {
    return Kept(
        projection, &projection->statements.remove, projection->key_count,
        [&] { return KeyTypes(projection, false); },
        [&] {
            return psprintf("DELETE FROM ONLY %s AS t WHERE %s",
                            pg::QualifiedRelation(projection->target),
                            KeyIsParameter(projection, In::kTarget, "t"));
        });
}

}  // namespace freshcrm::projection
