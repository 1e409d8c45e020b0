#include "projection/scope.hpp"

#include "pg/json.hpp"

namespace freshcrm::projection {

namespace {

// A value of the object as its column's type reads it; null for NULL.
char* InputText(const JsonbValue& value) {
    char* text;
    return pg::ReadScalar(value, &text)
               ? text
               : JsonbToCString(nullptr, value.val.binary.data, value.val.binary.len);
}

// A column of the view and what the object says of it.
struct Entry {
    int column;
    char* text;
};

int CompareEntries(const void* a, const void* b) {
    return static_cast<const Entry*>(a)->column - static_cast<const Entry*>(b)->column;
}

Entry* ReadEntries(const CollectionSource* source, Jsonb* json, int* count) {
    if (!JB_ROOT_IS_OBJECT(json)) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the scope must be a JSON object"),
                        errhint("Name columns and their values: {\"owner_user_id\": \"…\"}.")));
    }
    auto* entries =
        static_cast<Entry*>(palloc(sizeof(Entry) * static_cast<Size>(JB_ROOT_COUNT(json) + 1)));
    *count = 0;
    JsonbIterator* iterator = JsonbIteratorInit(&json->root);
    JsonbValue value;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY) {
            const char* name =
                pnstrdup(value.val.string.val, static_cast<Size>(value.val.string.len));
            entries[*count].column = FindScopeColumn(source, name);
        } else if (token == WJB_VALUE) {
            entries[(*count)++].text = InputText(value);
        }
    }
    // No column comes twice: jsonb keeps one of each key.
    qsort(entries, static_cast<size_t>(*count), sizeof(Entry), CompareEntries);
    return entries;
}

}  // namespace

Scope ReadScope(const CollectionSource* source, Jsonb* json) {
    Scope scope{};
    const Entry* entries = ReadEntries(source, json, &scope.count);
    const auto count = static_cast<Size>(scope.count);
    auto* columns = static_cast<int*>(palloc(sizeof(int) * (count + 1)));
    for (int i = 0; i < scope.count; ++i) {
        columns[i] = entries[i].column;
    }
    scope.columns = FindScopeColumns(source, columns, scope.count);
    scope.values = static_cast<Datum*>(palloc0(sizeof(Datum) * (count + 1)));
    scope.nulls = static_cast<bool*>(palloc0(sizeof(bool) * (count + 1)));
    for (int i = 0; i < scope.count; ++i) {
        const ScopeColumn& column = scope.columns[i];
        Oid input;
        Oid parameter;
        getTypeInputInfo(column.type, &input, &parameter);
        // Called for NULL, too: a domain may refuse it.
        scope.values[i] = OidInputFunctionCall(input, entries[i].text, parameter, column.typmod);
        scope.nulls[i] = entries[i].text == nullptr;
    }
    return scope;
}

}  // namespace freshcrm::projection
