#include "projection/options.hpp"

extern "C" {
#include "utils/array.h"
}

namespace freshcrm::projection {

namespace {

constexpr int kDefaultFillfactor = 90;

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

}  // namespace

void CheckOptions(Datum options, const Lineage* lineage) {
    Oid types[] = {JSONBOID, OIDARRAYOID};
    auto* relids =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(lineage->source_count)));
    for (int i = 0; i < lineage->source_count; ++i) {
        relids[i] = ObjectIdGetDatum(lineage->sources[i].relid);
    }
    Datum values[] = {
        options, PointerGetDatum(construct_array(relids, lineage->source_count, OIDOID, sizeof(Oid),
                                                 true, TYPALIGN_INT))};
    if (QueryText("SELECT 1 WHERE pg_catalog.jsonb_typeof($1) <> 'object'", 1, types, values)) {
        RaiseOption("options must be a JSON object", "Write, for instance, {\"fillfactor\": 80}.");
    }
    const char* unknown = QueryText(
        "SELECT key FROM pg_catalog.jsonb_object_keys($1) AS key "
        "WHERE key NOT IN ('trigger_names', 'fillfactor')",
        1, types, values);
    if (unknown != nullptr) {
        RaiseOption(psprintf("unknown option \"%s\"", unknown),
                    "The options are trigger_names and fillfactor.");
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
    const char* stranger = QueryText(
        "SELECT o.key FROM pg_catalog.jsonb_each_text($1->'trigger_names') AS o "
        "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE c.oid = ANY ($2) "
        "AND o.key IN (c.relname, n.nspname || '.' || c.relname, "
        "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)))",
        2, types, values);
    if (stranger != nullptr) {
        RaiseOption(
            psprintf("option trigger_names names \"%s\", which is no table of the view", stranger),
            "Name base tables of the view, as table or schema.table.");
    }
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
