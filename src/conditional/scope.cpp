#include "conditional/scope.hpp"

#include "pg/json.hpp"
#include "pg/names.hpp"

namespace freshcrm::conditional {

namespace {

[[noreturn]] void RaiseNoScope() {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("a scope must be a JSON object of strings, numbers, booleans and nulls"),
                    errhint("Write '{\"column\": value}'; '{}' has all rows.")));
    pg_unreachable();
}

void AppendCondition(StringInfo sql, Oid relid, const char* name, const char* text) {
    const AttrNumber column = get_attnum(relid, name);
    if (column <= 0) {
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_COLUMN),
                 errmsg("column \"%s\" of %s does not exist", name, pg::RelationForMessage(relid)),
                 errhint("A scope names columns of the projection.")));
    }
    Oid type;
    int32 typmod;
    Oid collation;
    get_atttypetypmodcoll(relid, column, &type, &typmod, &collation);
    if (text == nullptr) {
        appendStringInfo(sql, "t.%s IS NULL", quote_identifier(name));
        return;
    }
    const pg::TypeEquality equality = pg::EqualityOfType(type);
    appendStringInfo(sql, "t.%s%s %s %s::%s%s", quote_identifier(name), equality.cast, equality.op,
                     quote_literal_cstr(text), pg::QualifiedType(type, -1), equality.cast);
}

}  // namespace

const char* ScopeCondition(Oid relid, Jsonb* scope) {
    if (!JB_ROOT_IS_OBJECT(scope)) {
        RaiseNoScope();
    }
    StringInfoData sql;
    initStringInfo(&sql);
    JsonbIterator* iterator = JsonbIteratorInit(&scope->root);
    JsonbValue item;
    const char* name = nullptr;
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE;) {
        if (token == WJB_KEY) {
            name = pnstrdup(item.val.string.val, item.val.string.len);
        } else if (token == WJB_VALUE) {
            appendStringInfoString(&sql, sql.len > 0 ? " AND " : "");
            char* text;
            if (!pg::ReadScalar(item, &text)) {
                RaiseNoScope();
            }
            AppendCondition(&sql, relid, name, text);
        }
    }
    return sql.len > 0 ? sql.data : "true";
}

}  // namespace freshcrm::conditional
