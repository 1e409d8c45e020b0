#include "projection/dependencies.hpp"

#include "pg/names.hpp"
#include "projection/definition.hpp"

#include <algorithm>

namespace freshcrm::projection {

List* BaseTables(Oid view) {
    MemoryContext caller = CurrentMemoryContext;
    SPI_connect();
    Oid type = OIDOID;
    Datum value = ObjectIdGetDatum(view);
    const int result = SPI_execute_with_args(
        psprintf("%s SELECT c.oid FROM used AS u JOIN pg_catalog.pg_class AS c ON c.oid = u.relid "
                 "WHERE c.relkind NOT IN ('v', 'c')",
                 kUsedRelations),
        1, &type, &value, nullptr, true, 0);
    if (result != SPI_OK_SELECT) {
        elog(ERROR, "could not read pg_depend: %s", SPI_result_code_string(result));
    }
    List* tables = NIL;
    for (uint64 i = 0; i < SPI_processed; ++i) {
        bool isnull;
        const Oid relid = DatumGetObjectId(
            SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
        MemoryContext spi = MemoryContextSwitchTo(caller);
        tables = lappend_oid(tables, relid);
        MemoryContextSwitchTo(spi);
    }
    SPI_finish();
    return tables;
}

int RankOf(Oid view) {
    check_stack_depth();
    int rank = 0;
    ListCell* cell;
    foreach (cell, BaseTables(view)) {
        if (const Definition* definition = FindDefinitionOf(lfirst_oid(cell))) {
            rank = Max(rank, 1 + RankOf(definition->source));
        }
    }
    return rank;
}

void CheckDependencies(const List* tables, const Lineage* lineage) {
    ListCell* cell;
    foreach (cell, tables) {
        const Oid relid = lfirst_oid(cell);
        const Source* end = lineage->sources + lineage->source_count;
        if (std::none_of(static_cast<const Source*>(lineage->sources), end,
                         [&](const Source& found) { return found.relid == relid; })) {
            ereport(
                ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot trace table %s", pg::RelationForMessage(relid)),
                 errdetail("The view depends on it, but its query does not read it as a table.")));
        }
    }
}

}  // namespace freshcrm::projection
