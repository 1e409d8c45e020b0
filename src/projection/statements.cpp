#include "projection/statements.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"

namespace freshcrm::projection {

namespace {

const char* ColumnName(const Projection* projection, int index) {
    return quote_identifier(NameStr(TupleDescAttr(projection->columns, index)->attname));
}

const char* KeyName(const Projection* projection, int index) {
    return quote_identifier(projection->keys[index].name);
}

// Repeats `item(i)` for 0 <= i < count.
template <typename Item>
const char* Join(int count, const char* separator, Item item) {
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < count; ++i) {
        appendStringInfo(&list, "%s%s", i > 0 ? separator : "", item(i));
    }
    return list.data;
}

// "a", "b": the view's columns, each after `prefix`.
const char* Columns(const Projection* projection, const char* prefix) {
    return Join(ColumnCount(projection), ", ",
                [&](int i) { return psprintf("%s%s", prefix, ColumnName(projection, i)); });
}

const char* KeyColumns(const Projection* projection, const char* prefix) {
    return Join(projection->key_count, ", ",
                [&](int i) { return psprintf("%s%s", prefix, KeyName(projection, i)); });
}

// left.key = right AND …, with `right(i)` for each key column.
template <typename Right>
const char* KeyEquals(const Projection* projection, const char* left, Right right) {
    return Join(projection->key_count, " AND ", [&](int i) {
        return psprintf("%s.%s %s %s", left, KeyName(projection, i), projection->keys[i].equals,
                        right(i));
    });
}

const char* KeyIsParameter(const Projection* projection, const char* left) {
    return KeyEquals(projection, left, [](int i) { return psprintf("$%d", i + 1); });
}

// Whether the key is among those of the parameters, arrays of the key's columns.
const char* KeyIsInArrays(const Projection* projection) {
    if (projection->key_count == 1) {
        return psprintf("x.%s %s ANY ($1)", KeyName(projection, 0), projection->keys[0].equals);
    }
    return psprintf("EXISTS (SELECT FROM unnest(%s) AS k(%s) WHERE %s)",
                    Join(projection->key_count, ", ", [](int i) { return psprintf("$%d", i + 1); }),
                    Join(projection->key_count, ", ", [](int i) { return psprintf("k%d", i); }),
                    KeyEquals(projection, "x", [](int i) { return psprintf("k.k%d", i); }));
}

// FULL JOIN of the view and the target, each restricted by `where`.
const char* FullDiff(const Projection* projection, const char* where, const char* more) {
    return psprintf(
        "SELECT %s, %s, t.%s%s FROM (SELECT * FROM %s AS x%s) AS v "
        "FULL JOIN (SELECT * FROM ONLY %s AS x%s) AS t ON %s ORDER BY %s",
        Columns(projection, "v."), KeyColumns(projection, "t."), kVersionEtag, more,
        pg::QualifiedRelation(projection->source), where, pg::QualifiedRelation(projection->target),
        where,
        KeyEquals(projection, "v", [&](int i) { return psprintf("t.%s", KeyName(projection, i)); }),
        KeyColumns(projection, "v."));
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
        [&] {
            return psprintf(
                "SELECT %s, %s, t.%s FROM (VALUES (1)) AS one LEFT JOIN %s AS v ON %s "
                "LEFT JOIN ONLY %s AS t ON %s",
                Columns(projection, "v."), KeyColumns(projection, "t."), kVersionEtag,
                pg::QualifiedRelation(projection->source), KeyIsParameter(projection, "v"),
                pg::QualifiedRelation(projection->target), KeyIsParameter(projection, "t"));
        });
}

SPIPlanPtr DiffMany(Projection* projection) {
    return Kept(
        projection, &projection->statements.diff_many, projection->key_count,
        [&] { return KeyTypes(projection, true); },
        [&] { return FullDiff(projection, psprintf(" WHERE %s", KeyIsInArrays(projection)), ""); });
}

SPIPlanPtr DiffAll(Projection* projection) {
    return Kept(projection, &projection->statements.diff_all, 0, NoTypes,
                [&] { return FullDiff(projection, "", ""); });
}

SPIPlanPtr VerifyAll(Projection* projection) {
    return Kept(projection, &projection->statements.verify, 0, NoTypes, [&] {
        return FullDiff(projection, "", psprintf(", %s", Columns(projection, "t.")));
    });
}

SPIPlanPtr NullKey(Projection* projection) {
    return Kept(projection, &projection->statements.null_key, 0, NoTypes, [&] {
        return psprintf(
            "SELECT 1 FROM %s AS v WHERE %s LIMIT 1", pg::QualifiedRelation(projection->source),
            Join(projection->key_count, " OR ",
                 [&](int i) { return psprintf("v.%s IS NULL", KeyName(projection, i)); }));
    });
}

SPIPlanPtr Insert(Projection* projection) {
    const int count = ColumnCount(projection);
    return Kept(
        projection, &projection->statements.insert, count + 1,
        [&] { return ColumnTypesAndTag(projection); },
        [&] {
            return psprintf("INSERT INTO %s (%s, %s, %s) VALUES (%s, pg_catalog.clock_timestamp())",
                            pg::QualifiedRelation(projection->target), Columns(projection, ""),
                            kVersionEtag, kUpdatedAt,
                            Join(count + 1, ", ", [](int i) { return psprintf("$%d", i + 1); }));
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
                Join(count, ", ",
                     [&](int i) { return psprintf("%s = $%d", ColumnName(projection, i), i + 1); }),
                kVersionEtag, count + 1, kUpdatedAt, KeyEquals(projection, "t", [&](int i) {
                    return psprintf("$%d", projection->keys[i].attnum);
                }));
        });
}

SPIPlanPtr Remove(Projection* projection) {
    return Kept(
        projection, &projection->statements.remove, projection->key_count,
        [&] { return KeyTypes(projection, false); },
        [&] {
            return psprintf("DELETE FROM ONLY %s AS t WHERE %s",
                            pg::QualifiedRelation(projection->target),
                            KeyIsParameter(projection, "t"));
        });
}

}  // namespace freshcrm::projection
