#include "projection/orphan_triggers.hpp"

#include "pg/spi.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/partitions.hpp"
#include "projection/triggers.hpp"

extern "C" {
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// The ids in the capture triggers of tables.
List* CapturedIds(const List* tables) {
    Oid type = OIDARRAYOID;
    Datum value = OidArray(tables);
    pg::PushFreshSnapshot();
    if (SPI_execute_with_args(
            "SELECT DISTINCT pg_catalog.convert_from(pg_catalog.btrim(tgargs, '\\x00'), 'UTF8') "
            "FROM pg_catalog.pg_trigger "
            "WHERE tgrelid = ANY ($1) AND tgfoid = 'freshcrm.capture'::pg_catalog.regproc "
            "AND tgnargs = 1",
            1, &type, &value, nullptr, true, 0) != SPI_OK_SELECT) {
        elog(ERROR, "could not read pg_trigger");
    }
    PopActiveSnapshot();
    List* ids = NIL;
    for (uint64 i = 0; i < SPI_processed; ++i) {
        bool isnull;
        const Datum id = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
        ids = lappend_int(ids, pg_strtoint32(TextDatumGetCString(id)));
    }
    return ids;
}

}  // namespace

void DropOrphanTriggers(int32 id, const Lineage* lineage) {
    DropTriggers(id);
    const List* tables = AllTriggerTables(lineage);
    ListCell* cell;
    foreach (cell, CapturedIds(tables)) {
        const Definition* definition = FindDefinition(lfirst_int(cell));
        if (definition == nullptr) {
            DropTriggers(lfirst_int(cell));
            continue;
        }
        const List* strange =
            list_difference_oid(tables, AllTriggerTables(BaseTables(definition->source)));
        List* orphans = NIL;
        ListCell* trigger_cell;
        foreach (trigger_cell, FindTriggers(definition->id)) {
            auto* trigger = static_cast<CaptureTrigger*>(lfirst(trigger_cell));
            if (list_member_oid(strange, trigger->table)) {
                orphans = lappend(orphans, trigger);
            }
        }
        DropTriggers(orphans);
    }
}

}  // namespace freshcrm::projection
