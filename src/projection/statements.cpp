#include "projection/statements.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"

namespace freshcrm::projection {

namespace {

const char* ColumnName(const Projection* projection, int index) {
    return quote_identifier(NameStr(TupleDescAttr(projection->columns, index)->attname));
}

const char* Key(const Projection* projection) {
    return quote_identifier(projection->key);
}

// The plan in `plan`, prepared from what `make_sql` returns when it is not there yet.
template <typename MakeSql>
SPIPlanPtr Kept(const Projection* projection, SPIPlanPtr* plan, int nargs, Oid* types,
                MakeSql make_sql) {
    if (*plan == nullptr) {
        *plan = pg::PrepareKept(make_sql(), nargs, types, projection->context);
    }
    return *plan;
}

// FULL JOIN of the view and the target, each restricted by `condition` on its key.
const char* FullDiff(const Projection* projection, const char* condition, const char* more) {
    const char* key = Key(projection);
    return psprintf(
        "SELECT %s, t.%s, t.%s%s "
        "FROM (SELECT * FROM %s AS v%s) AS v FULL JOIN (SELECT * FROM ONLY %s AS v%s) AS t "
        "ON v.%s %s t.%s ORDER BY v.%s",
        ColumnList(projection, "v."), key, kVersionEtag, more,
        pg::QualifiedRelation(projection->source), condition,
        pg::QualifiedRelation(projection->target), condition, key, projection->key_operator, key,
        key);
}

Oid* ColumnTypesAndTag(const Projection* projection) {
    const int count = ColumnCount(projection);
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * (count + 1)));
    for (int i = 0; i < count; ++i) {
        types[i] = TupleDescAttr(projection->columns, i)->atttypid;
    }
    types[count] = TEXTOID;
    return types;
}

}  // namespace

const char* ColumnList(const Projection* projection, const char* prefix) {
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < ColumnCount(projection); ++i) {
        appendStringInfo(&list, "%s%s%s", i > 0 ? ", " : "", prefix, ColumnName(projection, i));
    }
    return list.data;
}

SPIPlanPtr DiffOne(Projection* projection) {
    return Kept(projection, &projection->statements.diff_one, 1, &projection->lineage->key_type,
                [&] {
                    const char* key = Key(projection);
                    return psprintf(
                        "SELECT %s, t.%s, t.%s FROM (VALUES (1)) AS one "
                        "LEFT JOIN %s AS v ON v.%s %s $1 LEFT JOIN ONLY %s AS t ON t.%s %s $1",
                        ColumnList(projection, "v."), key, kVersionEtag,
                        pg::QualifiedRelation(projection->source), key, projection->key_operator,
                        pg::QualifiedRelation(projection->target), key, projection->key_operator);
                });
}

SPIPlanPtr DiffMany(Projection* projection) {
    Oid keys = get_array_type(projection->lineage->key_type);
    return Kept(projection, &projection->statements.diff_many, 1, &keys, [&] {
        const char* condition =
            psprintf(" WHERE v.%s %s ANY ($1)", Key(projection), projection->key_operator);
        return FullDiff(projection, condition, "");
    });
}

SPIPlanPtr DiffAll(Projection* projection) {
    return Kept(projection, &projection->statements.diff_all, 0, nullptr,
                [&] { return FullDiff(projection, "", ""); });
}

SPIPlanPtr VerifyAll(Projection* projection) {
    return Kept(projection, &projection->statements.verify, 0, nullptr, [&] {
        return FullDiff(projection, "", psprintf(", %s", ColumnList(projection, "t.")));
    });
}

SPIPlanPtr NullKey(Projection* projection) {
    return Kept(projection, &projection->statements.null_key, 0, nullptr, [&] {
        return psprintf("SELECT 1 FROM %s AS v WHERE v.%s IS NULL LIMIT 1",
                        pg::QualifiedRelation(projection->source), Key(projection));
    });
}

SPIPlanPtr Insert(Projection* projection) {
    const int count = ColumnCount(projection);
    return Kept(projection, &projection->statements.insert, count + 1,
                ColumnTypesAndTag(projection), [&] {
                    StringInfoData sql;
                    initStringInfo(&sql);
                    appendStringInfo(&sql, "INSERT INTO %s (%s, %s, %s) VALUES (",
                                     pg::QualifiedRelation(projection->target),
                                     ColumnList(projection, ""), kVersionEtag, kUpdatedAt);
                    for (int i = 0; i <= count; ++i) {
                        appendStringInfo(&sql, "$%d, ", i + 1);
                    }
                    appendStringInfoString(&sql, "pg_catalog.clock_timestamp())");
                    return sql.data;
                });
}

SPIPlanPtr Update(Projection* projection) {
    const int count = ColumnCount(projection);
    return Kept(
        projection, &projection->statements.update, count + 1, ColumnTypesAndTag(projection), [&] {
            StringInfoData sql;
            initStringInfo(&sql);
            appendStringInfo(&sql, "UPDATE ONLY %s AS t SET ",
                             pg::QualifiedRelation(projection->target));
            for (int i = 0; i < count; ++i) {
                appendStringInfo(&sql, "%s = $%d, ", ColumnName(projection, i), i + 1);
            }
            appendStringInfo(&sql, "%s = $%d, %s = pg_catalog.clock_timestamp() WHERE t.%s %s $%d",
                             kVersionEtag, count + 1, kUpdatedAt, Key(projection),
                             projection->key_operator, projection->lineage->key);
            return sql.data;
        });
}

SPIPlanPtr Remove(Projection* projection) {
    return Kept(projection, &projection->statements.remove, 1, &projection->lineage->key_type, [&] {
        return psprintf("DELETE FROM ONLY %s AS t WHERE t.%s %s $1",
                        pg::QualifiedRelation(projection->target), Key(projection),
                        projection->key_operator);
    });
}

}  // namespace freshcrm::projection
