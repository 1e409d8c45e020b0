#include "projection/trigger_sync.hpp"

#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"
#include "projection/build.hpp"
#include "projection/dependencies.hpp"
#include "projection/options.hpp"
#include "projection/partitions.hpp"
#include "projection/restored.hpp"
#include "projection/target_guard.hpp"
#include "projection/triggers.hpp"

extern "C" {
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// The first trigger that is wanted and not there as it was made. In `used` is what the view $1
// reads, $2 is the projection's id; $3 says that disabled triggers count as there. Types and events
// are those of pg_trigger.h; 29 is that of the row trigger for the replication role replica, 13
// that of the one for moved rows, which partitioned tables and partitions have. Those that are
// enabled are given their firing back by RestoreFiring(). It locks no table, as pg_partition_tree()
// would: parallel restores alter several at once.
const char* ProblemSql() {
    return psprintf(
        "%s, tables AS (SELECT c.oid FROM used AS u JOIN pg_catalog.pg_class AS c "
        "ON c.oid = u.relid AND c.relkind IN ('r', 'p')), tree AS (SELECT oid FROM tables "
        "UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid "
        "AND c.relkind = 'p' JOIN pg_catalog.pg_inherits AS i ON i.inhparent = c.oid), "
        "expected AS (SELECT oid FROM tree UNION SELECT a.relid FROM tables, "
        "pg_catalog.pg_partition_ancestors(oid) AS a (relid)) "
        "SELECT pg_catalog.format('The trigger of %%s on table %%s is missing or disabled.', "
        "e.name, t.oid::pg_catalog.regclass) FROM expected AS t "
        "JOIN pg_catalog.pg_class AS c ON c.oid = t.oid JOIN (VALUES "
        "('INSERT', 4, '{O,A}'::\"char\"[], false, true), ('UPDATE', 16, '{O,A}', true, true), "
        "('DELETE', 8, '{O,A}', true, false), ('TRUNCATE', 32, '{O,A}', false, false), "
        "('replicas', 29, '{O,R,A}', false, false), ('moved rows', 13, '{O,A}', false, false)) "
        "AS e (name, type, fires, old, new) ON e.type <> 13 OR c.relkind = 'p' OR c.relispartition "
        "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = t.oid "
        "AND g.tgfoid = 'freshcrm.capture'::pg_catalog.regproc "
        "AND g.tgargs = pg_catalog.convert_to($2::text, 'UTF8') || '\\x00' "
        "AND g.tgtype = e.type AND ($3 OR g.tgenabled = ANY (e.fires)) AND g.tgqual IS NULL "
        "AND (g.tgoldtable IS NOT NULL) = e.old AND (g.tgnewtable IS NOT NULL) = e.new) "
        "ORDER BY t.oid, e.type LIMIT 1",
        kUsedRelations);
}

bool Reads(const Projection* projection, Oid table) {
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        if (ChangesThrough(projection->lineage->sources[i].relid, table)) {
            return true;
        }
    }
    return false;
}

// The tables that lack triggers, of a statement or, but for partitions, of a row. A list of OIDs.
List* TablesWithout(const List* triggers, const Projection* projection) {
    List* with_statement = NIL;
    List* with_row = NIL;
    ListCell* cell;
    foreach (cell, triggers) {
        const auto* trigger = static_cast<CaptureTrigger*>(lfirst(cell));
        List** with = trigger->for_row ? &with_row : &with_statement;
        *with = lappend_oid(*with, trigger->table);
    }
    List* without = NIL;
    foreach (cell, AllTriggerTables(projection->lineage)) {
        const Oid table = lfirst_oid(cell);
        if (!list_member_oid(with_statement, table) ||
            (!get_rel_relispartition(table) && !list_member_oid(with_row, table))) {
            without = lappend_oid(without, table);
        }
    }
    return without;
}

// From before the table became a partition: its root's comes under the same name.
bool IsRowTriggerOfOwn(const CaptureTrigger* trigger) {
    return trigger->for_row && !trigger->copy && get_rel_relispartition(trigger->table);
}

// While triggers are made one by one, what sees each of them must not find the others missing.
void MakeMissing(const Projection* projection, const Definition* definition) {
    CheckSourcePrivileges(projection->lineage);
    SetWhole(definition->id, InvalidOid);
    CreateTriggers(projection, definition->options);
    SetWhole(definition->id, definition->target);
}

const char* FirstProblem(const Definition* definition, bool disabled_too) {
    Oid types[] = {OIDOID, INT4OID, BOOLOID};
    Datum values[] = {ObjectIdGetDatum(definition->source), Int32GetDatum(definition->id),
                      BoolGetDatum(disabled_too)};
    pg::PushFreshSnapshot();
    if (SPI_execute_with_args(ProblemSql(), lengthof(types), types, values, nullptr, true, 0) !=
        SPI_OK_SELECT) {
        elog(ERROR, "could not read pg_trigger");
    }
    PopActiveSnapshot();
    return SPI_processed == 0 ? nullptr
                              : SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

}  // namespace

const char* TriggerProblem(const Definition* definition) {
    return FirstProblem(definition, false);
}

bool HasAllTriggers(const Definition* definition) {
    return FindTriggers(definition->id) != NIL && LacksNoTrigger(definition);
}

bool LacksNoTrigger(const Definition* definition) {
    return FirstProblem(definition, true) == nullptr;
}

void SyncTriggers(const Projection* projection, const Definition* definition) {
    const List* triggers = FindTriggers(definition->id);
    const List* missing = TablesWithout(triggers, projection);
    List* superfluous = NIL;
    ListCell* cell;
    foreach (cell, triggers) {
        auto* trigger = static_cast<CaptureTrigger*>(lfirst(cell));
        if (!Reads(projection, trigger->table) || list_member_oid(missing, trigger->table) ||
            IsRowTriggerOfOwn(trigger)) {
            superfluous = lappend(superfluous, trigger);
        }
    }
    DropTriggers(superfluous);
    if (missing != NIL) {
        MakeMissing(projection, definition);
    }
}

void RepairTriggers(const Projection* projection) {
    const Definition* definition = FindDefinition(projection->id);
    const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
    SPI_connect();
    if (IsRestored(definition)) {
        WaitForWriters(definition);
    }
    if (TriggerProblem(definition) != nullptr) {
        SetWhole(definition->id, InvalidOid);
        DropTriggers(definition->id);
        MakeMissing(projection, definition);
    } else if (!IsWhole(definition)) {
        SetWhole(definition->id, definition->target);
        RestoreFiring(FindTriggers(definition->id));
    }
    if (!DirectWritesOption(definition->options)) {
        CreateGuard(definition->target);
    }
    SPI_finish();
    pg::EndAsOwner(scope);
}

}  // namespace freshcrm::projection
