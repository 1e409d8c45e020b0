#include "projection/options.hpp"

#include "pg/names.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/jsonb.h"
}

namespace freshcrm::projection {

namespace {

constexpr int kDefaultFillfactor = 90;
constexpr const char* kDirectWrites = "direct_writes";

// The first column of the first row, in the caller's memory, or null.
const char* QueryText(const char* sql, int nargs, Oid* types, Datum* values) {
    if (SPI_execute_with_args(sql, nargs, types, values, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not read options: %s", sql);
    }
    return SPI_processed == 0 ? nullptr
                              : SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

[[noreturn]] void RaiseOption(const char* message, const char* hint) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message), errhint("%s", hint)));
    pg_unreachable();
}

[[noreturn]] void RaiseFull() {
    RaiseOption("option full must be an array of names of base tables",
                R"(Write, for instance, {"full": ["crm.leads"]}.)");
}

[[noreturn]] void RaiseMapping() {
    RaiseOption("option mapping must be an object of names of base tables and queries",
                R"(Write, for instance, {"mapping": {"crm.leads": "SELECT id FROM changed"}}.)");
}

[[noreturn]] void RaiseStranger(const char* option, const char* name) {
    RaiseOption(psprintf("option %s names \"%s\", which is no table of the view", option, name),
                "Name base tables of the view, as table or schema.table.");
}

// What stands under this name, or null.
JsonbValue* Member(Datum options, const char* name) {
    Jsonb* object = DatumGetJsonbP(options);
    return JB_ROOT_IS_OBJECT(object)
               ? getKeyJsonValueFromContainer(&object->root, name, static_cast<int>(strlen(name)),
                                              nullptr)
               : nullptr;
}

// The same, an array or object.
JsonbContainer* ContainerMember(Datum options, const char* name) {
    JsonbValue* member = Member(options, name);
    return member != nullptr && member->type == jbvBinary ? member->val.binary.data : nullptr;
}

// There is something under this name that is no array (or no object).
bool HasOtherKind(Datum options, const char* name, bool array) {
    const JsonbContainer* member = ContainerMember(options, name);
    return Member(options, name) != nullptr &&
           (member == nullptr ||
            (array ? !JsonContainerIsArray(member) : !JsonContainerIsObject(member)));
}

const char* Text(const JsonbValue& value) {
    return pnstrdup(value.val.string.val, static_cast<Size>(value.val.string.len));
}

// Whether the name is table, schema.table or that quoted.
bool Names(const char* name, Oid relid) {
    const char* table = get_rel_name(relid);
    const char* schema = get_namespace_name(get_rel_namespace(relid));
    return table != nullptr && schema != nullptr &&
           (strcmp(name, table) == 0 || strcmp(name, psprintf("%s.%s", schema, table)) == 0 ||
            strcmp(name, quote_qualified_identifier(schema, table)) == 0);
}

Oid FindTable(const char* option, const char* name, const List* tables) {
    Oid found = InvalidOid;
    ListCell* cell;
    foreach (cell, tables) {
        if (Names(name, lfirst_oid(cell))) {
            if (OidIsValid(found)) {
                RaiseOption(psprintf("option %s names \"%s\", which is more than one table of the "
                                     "view",
                                     option, name),
                            "Name the table as schema.table.");
            }
            found = lfirst_oid(cell);
        }
    }
    if (!OidIsValid(found)) {
        RaiseStranger(option, name);
    }
    return found;
}

// A table that option full or mapping names.
struct Named {
    const char* option;
    const char* name;
    const char* query;  // null: full
};

Named* MakeNamed(const Named& value) {
    auto* named = static_cast<Named*>(palloc(sizeof(Named)));
    *named = value;
    return named;
}

// Those of option full, then those of option mapping, in the order of the JSON; a list of Named*.
List* NamedTables(Datum options) {
    List* named = NIL;
    JsonbValue value;
    if (JsonbContainer* full = ContainerMember(options, "full")) {
        JsonbIterator* iterator = JsonbIteratorInit(full);
        for (JsonbIteratorToken token;
             (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE;) {
            if (token == WJB_KEY || (token == WJB_ELEM && value.type != jbvString)) {
                RaiseFull();
            }
            if (token == WJB_ELEM) {
                named = lappend(named, MakeNamed({"full", Text(value), nullptr}));
            }
        }
    }
    if (JsonbContainer* mapping = ContainerMember(options, "mapping")) {
        JsonbIterator* iterator = JsonbIteratorInit(mapping);
        const char* name = nullptr;
        for (JsonbIteratorToken token;
             (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE;) {
            if (token == WJB_ELEM || (token == WJB_VALUE && value.type != jbvString)) {
                RaiseMapping();
            }
            if (token == WJB_KEY) {
                name = Text(value);
            } else if (token == WJB_VALUE) {
                named = lappend(named, MakeNamed({"mapping", name, Text(value)}));
            }
        }
    }
    return named;
}

}  // namespace

void CheckOptions(Datum options, const List* tables) {
    SPI_connect();
    Oid types[] = {JSONBOID, OIDARRAYOID};
    const int count = list_length(tables);
    auto* relids = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) {
        relids[i] = ObjectIdGetDatum(list_nth_oid(tables, i));
    }
    Datum values[] = {options, PointerGetDatum(construct_array(relids, count, OIDOID, sizeof(Oid),
                                                               true, TYPALIGN_INT))};
    if (QueryText("SELECT 1 WHERE pg_catalog.jsonb_typeof($1) <> 'object'", 1, types, values)) {
        RaiseOption("options must be a JSON object", "Write, for instance, {\"fillfactor\": 80}.");
    }
    const char* unknown = QueryText(
        "SELECT key FROM pg_catalog.jsonb_object_keys($1) AS key "
        "WHERE key NOT IN ('trigger_names', 'fillfactor', 'full', 'mapping', 'direct_writes')",
        1, types, values);
    if (unknown != nullptr) {
        RaiseOption(psprintf("unknown option \"%s\"", unknown),
                    "The options are trigger_names, fillfactor, full, mapping and direct_writes.");
    }
    if (QueryText("SELECT 1 WHERE pg_catalog.jsonb_typeof($1->'fillfactor') <> 'number' "
                  "OR CASE WHEN pg_catalog.jsonb_typeof($1->'fillfactor') = 'number' "
                  "THEN ($1->>'fillfactor')::numeric NOT BETWEEN 10 AND 100 END",
                  1, types, values)) {
        RaiseOption("option fillfactor must be a number from 10 to 100", "The default is 90.");
    }
    if (QueryText("SELECT 1 WHERE pg_catalog.jsonb_typeof($1->'trigger_names') <> 'object'", 1,
                  types, values)) {
        RaiseOption("option trigger_names must be a JSON object",
                    "It maps names of base tables to names of triggers.");
    }
    if (const JsonbValue* direct = Member(options, kDirectWrites);
        direct != nullptr && direct->type != jbvBool) {
        RaiseOption("option direct_writes must be true or false", "The default is false.");
    }
    const char* stranger = QueryText(
        "SELECT o.key FROM pg_catalog.jsonb_each_text($1->'trigger_names') AS o "
        "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE c.oid = ANY ($2) "
        "AND o.key IN (c.relname, n.nspname || '.' || c.relname, "
        "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)))",
        2, types, values);
    if (stranger != nullptr) {
        RaiseStranger("trigger_names", stranger);
    }
    SPI_finish();
}

List* FallbackTables(Datum options, const List* tables) {
    if (HasOtherKind(options, "full", true)) {
        RaiseFull();
    }
    if (HasOtherKind(options, "mapping", false)) {
        RaiseMapping();
    }
    List* relids = NIL;
    ListCell* cell;
    foreach (cell, NamedTables(options)) {
        const auto* named = static_cast<Named*>(lfirst(cell));
        const Oid relid = FindTable(named->option, named->name, tables);
        if (list_member_oid(relids, relid)) {
            RaiseOption(psprintf("options full and mapping name table %s twice",
                                 pg::RelationForMessage(relid)),
                        "Name each table once, in one of them.");
        }
        relids = lappend_oid(relids, relid);
    }
    return relids;
}

List* Fallbacks(Datum options, const List* relids) {
    List* named = NamedTables(options);
    if (list_length(named) != list_length(relids)) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("freshcrm.projection has %d tables for %d names in options",
                               list_length(relids), list_length(named)),
                        errhint("Change it with the functions of freshcrm only: drop the "
                                "projection and create it again.")));
    }
    List* fallbacks = NIL;
    ListCell* cell;
    foreach (cell, named) {
        auto* fallback = static_cast<Fallback*>(palloc(sizeof(Fallback)));
        *fallback = {list_nth_oid(relids, foreach_current_index(cell)),
                     static_cast<Named*>(lfirst(cell))->query};
        fallbacks = lappend(fallbacks, fallback);
    }
    return fallbacks;
}

bool DirectWritesOption(Datum options) {
    const JsonbValue* value = Member(options, kDirectWrites);
    return value != nullptr && value->val.boolean;
}

int FillfactorOption(Datum options) {
    Oid type = JSONBOID;
    const char* value =
        QueryText("SELECT pg_catalog.round(($1->>'fillfactor')::numeric)", 1, &type, &options);
    return value != nullptr ? pg_strtoint32(value) : kDefaultFillfactor;
}

const char* TriggerNameOption(Datum options, Oid relid) {
    Oid types[] = {JSONBOID, OIDOID};
    Datum values[] = {options, ObjectIdGetDatum(relid)};
    return QueryText(
        "SELECT o.value FROM pg_catalog.jsonb_each_text($1->'trigger_names') AS o "
        "JOIN pg_catalog.pg_class AS c ON c.oid = $2 "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE o.key IN (c.relname, n.nspname || '.' || c.relname, "
        "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname))",
        2, types, values);
}

}  // namespace freshcrm::projection
