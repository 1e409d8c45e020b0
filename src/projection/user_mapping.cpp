#include "projection/user_mapping.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/generated.hpp"
#include "projection/query_text.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "parser/parse_coerce.h"
#include "utils/plancache.h"
}

namespace freshcrm::projection {

namespace {

constexpr const char* kChanged = "changed";

[[noreturn]] void RaiseKeyMismatch(const Projection* projection, const Source* source,
                                   const char* detail) {
    StringInfoData columns;
    initStringInfo(&columns);
    for (int i = 0; i < projection->key_count; ++i) {
        appendStringInfo(&columns, "%s%s %s", i > 0 ? ", " : "", projection->keys[i].name,
                         format_type_be(projection->keys[i].type));
    }
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("option mapping of table %s does not return the key of projection %s",
                           pg::RelationForMessage(source->relid), projection->name),
                    errdetail("%s", detail),
                    errhint("Return the columns of the key and nothing else: %s.", columns.data)));
    pg_unreachable();
}

void CheckColumns(const Projection* projection, const Source* source, TupleDesc desc) {
    if (desc->natts != projection->key_count) {
        RaiseKeyMismatch(
            projection, source,
            psprintf("The key has %d columns, the query %d.", projection->key_count, desc->natts));
    }
    for (int i = 0; i < desc->natts; ++i) {
        const Oid type = TupleDescAttr(desc, i)->atttypid;
        if (!IsBinaryCoercible(type, projection->keys[i].type)) {
            RaiseKeyMismatch(projection, source,
                             psprintf("Its column %d has type %s.", i + 1, format_type_be(type)));
        }
    }
}

// Only a name without a schema finds a temporary table, and in another session it may find another
// one, made by whoever writes there.
void CheckRelations(const Source* source, const List* relids) {
    ListCell* cell;
    foreach (cell, relids) {
        if (get_rel_persistence(lfirst_oid(cell)) == RELPERSISTENCE_TEMP) {
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                     errmsg("option mapping of table %s reads the temporary table %s",
                            pg::RelationForMessage(source->relid), get_rel_name(lfirst_oid(cell))),
                     errhint("Qualify the names of tables with their schemas.")));
        }
    }
}

// Adds a line to errors in the query that says how it was read.
template <typename Body>
void WithContext(const Source* source, Body body) {
    ErrorContextCallback context{};
    context.previous = error_context_stack;
    context.callback = [](void* relid) {
        errcontext(
            "option mapping of table %s, a query whose names must be qualified: it runs "
            "with search_path pg_catalog",
            pg::RelationForMessage(*static_cast<Oid*>(relid)));
    };
    Oid relid = source->relid;
    context.arg = &relid;
    error_context_stack = &context;
    body();
    error_context_stack = context.previous;
}

void CheckPlan(const Projection* projection, const Source* source, SPIPlanPtr plan) {
    const auto* query = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
    CheckColumns(projection, source, query->resultDesc);
    CheckRelations(source, query->relationOids);
}

SPIPlanPtr Prepare(const Projection* projection, const Source* source) {
    const char* query = OnlySelect(
        source->fallback->query,
        psprintf("option mapping of table %s", pg::RelationForMessage(source->relid)),
        "Write a query such as SELECT key FROM changed, where \"changed\" has the old and "
        "the new rows of the table.");
    const char* sql = psprintf("SELECT DISTINCT * FROM (%s\n) AS keys", query);
    SPIPlanPtr plan = pg::PrepareKept(sql, 0, nullptr, projection->context);
    CheckPlan(projection, source, plan);
    return plan;
}

// Runs `body` where queries can read the rows as a table `changed`, of the source's columns.
template <typename Body>
void WithChanged(const Source* source, Tuplestorestate* rows, Body body) {
    EphemeralNamedRelationData changed{};
    changed.md.name = const_cast<char*>(kChanged);
    changed.md.reliddesc = source->relid;
    changed.md.enrtype = ENR_NAMED_TUPLESTORE;
    changed.md.enrtuples = static_cast<double>(tuplestore_tuple_count(rows));
    changed.reldata = rows;
    if (SPI_register_relation(&changed) != SPI_OK_REL_REGISTER) {
        elog(ERROR, "could not register the changed rows");
    }
    body();
    (void)SPI_unregister_relation(kChanged);
}

}  // namespace

void CheckUserMapping(const Projection* projection, Source* source) {
    Tuplestorestate* none = tuplestore_begin_heap(false, false, work_mem);
    WithContext(source, [&] {
        WithChanged(source, none, [&] { source->user_plan = Prepare(projection, source); });
    });
    tuplestore_end(none);
}

void RunUserMapping(const Projection* projection, Source* source, Tuplestorestate* rows,
                    const pg::RowHandler& handler) {
    WithContext(source, [&] {
        Tuplestorestate* complete = WithGenerated(source->relid, rows);
        WithChanged(source, complete, [&] {
            if (source->user_plan == nullptr) {
                source->user_plan = Prepare(projection, source);
            }
            pg::SelectEach(source->user_plan, nullptr, handler);
        });
        if (complete != rows) {
            tuplestore_end(complete);
        }
    });
}

void CheckUserMappings(const Projection* projection) {
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        Source* source = &projection->lineage->sources[i];
        if (source->fallback != nullptr && source->fallback->query != nullptr) {
            CheckUserMapping(projection, source);
        }
    }
}

}  // namespace freshcrm::projection
