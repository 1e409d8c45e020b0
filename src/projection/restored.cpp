#include "projection/restored.hpp"

#include "pg/attempt.hpp"
#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/dependencies.hpp"
#include "projection/locks.hpp"
#include "projection/maintain.hpp"
#include "projection/partitions.hpp"
#include "projection/trigger_sync.hpp"
#include "projection/triggers.hpp"
#include "projection/verify.hpp"

extern "C" {
#include "access/table.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// Whether the running command made a trigger of the projection $1, as a restore does.
constexpr const char* kMadeTrigger =
    "SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() AS e JOIN pg_catalog.pg_trigger AS g "
    "ON e.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = e.objid "
    "WHERE e.command_tag = 'CREATE TRIGGER' AND g.tgfoid = 'freshcrm.capture'::regproc "
    "AND g.tgargs = pg_catalog.convert_to($1::text, 'UTF8') || '\\x00'";

bool MadeTrigger(int32 id) {
    Oid type = INT4OID;
    Datum value = Int32GetDatum(id);
    pg::PushFreshSnapshot();
    if (SPI_execute_with_args(kMadeTrigger, 1, &type, &value, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not read the commands of an event trigger");
    }
    PopActiveSnapshot();
    return SPI_processed > 0;
}

// Waits for a load of it that began by emptying it, as a parallel restore does.
bool IsEmpty(Oid table) {
    Relation relation = table_open(table, AccessShareLock);
    const bool empty = RelationGetNumberOfBlocks(relation) == 0;
    table_close(relation, NoLock);
    return empty;
}

// Whether the view has rows; also when that cannot be known yet, because a restore grants rights
// last.
bool MayHaveRows(const Definition* definition) {
    bool some = true;
    const bool known = pg::Attempt([&] {
        const Projection* projection = OpenProjection(definition->id);
        Maintain(projection, [&] {
            pg::PushFreshSnapshot();
            if (SPI_execute(psprintf("SELECT FROM %s", pg::QualifiedRelation(definition->source)),
                            true, 1) != SPI_OK_SELECT) {
                elog(ERROR, "could not read a view");
            }
            some = SPI_processed > 0;
            PopActiveSnapshot();
        });
    });
    return some || !known;
}

void MakeWhole(Definition* definition) {
    SetWhole(definition->id, definition->target);
    definition->whole = definition->target;
}

// The tables whose writers are captured; a list of OIDs in ascending order.
List* WrittenTables(const Definition* definition) {
    List* tables = NIL;
    ListCell* cell;
    foreach (cell, BaseTables(definition->source)) {
        tables = list_concat_unique_oid(tables, TriggerTables(lfirst_oid(cell)));
    }
    list_sort(tables, list_oid_cmp);
    return tables;
}

// Whether nobody else is writing to any of them; nobody can then until the end of the transaction.
bool LockAtOnce(const List* tables) {
    ListCell* cell;
    foreach (cell, tables) {
        if (!ConditionalLockRelationOid(lfirst_oid(cell), ShareRowExclusiveLock)) {
            return false;
        }
    }
    return true;
}

// With rows: empty tables are what a restore begins with.
bool EqualsItsView(const Definition* definition) {
    bool equal = false;
    const bool known = pg::Attempt([&] {
        Projection* projection = OpenProjection(definition->id);
        Maintain(projection, [&] { equal = EqualsView(projection); });
    });
    return known && equal;
}

// The rows were restored too, as they were.
void CompleteByTrigger(Definition* definition) {
    // Each of two who make the last triggers at once would miss those of the other.
    (void)LockRestore(definition->target, true);
    if (definition->whole == kWrittenWhileRestored || !HasAllTriggers(definition)) {
        return;
    }
    // A dump may lack its rows (pg_dump --exclude-table-data). A problem is shown anyway.
    if (definition->problem != nullptr || !IsEmpty(definition->target) ||
        !MayHaveRows(definition)) {
        MakeWhole(definition);
    }
}

// A writer of before is not waited for: it may be a parallel restore, in which all would wait for
// each other. Who comes last finds all complete.
void CompleteByComparison(Definition* definition) {
    if (FindTriggers(definition->id) == NIL || TriggerProblem(definition) != nullptr ||
        !LockRestore(definition->target, false) ||
        !LockAtOnce(lappend_oid(WrittenTables(definition), definition->target)) ||
        IsEmpty(definition->target) || !EqualsItsView(definition)) {
        return;
    }
    MakeWhole(definition);
    SetProblem(definition->id, nullptr);
    definition->problem = nullptr;
    RestoreFiring(FindTriggers(definition->id));
}

// The ids in the capture triggers of tables.
List* CapturedIds(const List* tables) {
    auto* relids =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(list_length(tables))));
    ListCell* cell;
    foreach (cell, tables) {
        relids[foreach_current_index(cell)] = ObjectIdGetDatum(lfirst_oid(cell));
    }
    Oid type = OIDARRAYOID;
    Datum value = PointerGetDatum(
        construct_array(relids, list_length(tables), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
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

bool WarnedBefore(int32 id) {
    static List* warned = NIL;
    if (list_member_int(warned, id)) {
        return true;
    }
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    warned = lappend_int(warned, id);
    MemoryContextSwitchTo(caller);
    return false;
}

}  // namespace

void FollowRestore(Definition* definition) {
    SPI_connect();
    if (MadeTrigger(definition->id)) {
        CompleteByTrigger(definition);
    } else {
        CompleteByComparison(definition);
    }
    SPI_finish();
}

void FollowLoad(int32 id) {
    Definition* definition = FindDefinition(id);
    if (definition == nullptr || !IsRestored(definition) ||
        !OidIsValid(pg::OwnerOfRelation(definition->target)) ||
        !OidIsValid(pg::OwnerOfRelation(definition->source))) {
        return;
    }
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SPI_connect();
    CompleteByComparison(definition);
    SPI_finish();
    pg::EndAsOwner(scope);
}

void LeaveUnmaintained(int32 id, Oid table) {
    const Definition* definition = FindDefinition(id);
    // Its last trigger may be made while this is under way.
    if (definition != nullptr && definition->whole != kWrittenWhileRestored) {
        SetWhole(id, kWrittenWhileRestored);
    }
    if (WarnedBefore(id)) {
        return;
    }
    if (definition == nullptr) {
        ereport(WARNING,
                (errcode(ERRCODE_WARNING), errmsg("projection %d is not maintained", id),
                 errdetail("Table %s has triggers of it, and freshcrm.projection lacks it.",
                           pg::RelationForMessage(table)),
                 errhint("Restore the contents of freshcrm.projection; or create the projection "
                         "again, which adopts its table and replaces the triggers.")));
    } else {
        ereport(
            WARNING,
            (errcode(ERRCODE_WARNING),
             errmsg("projection %s is not maintained", pg::RelationForMessage(definition->target)),
             errdetail("It was restored and has not been compared with its view since."),
             errhint("Once all tables are loaded, call freshcrm.verify_projection() "
                     "with repair.")));
    }
}

void WaitForWriters(const Definition* definition) {
    ListCell* cell;
    foreach (cell, WrittenTables(definition)) {
        LockRelationOid(lfirst_oid(cell), ShareRowExclusiveLock);
    }
}

void DropOrphanTriggers(int32 id, const Lineage* lineage) {
    DropTriggers(id);
    List* tables = NIL;
    for (int i = 0; i < lineage->source_count; ++i) {
        tables = list_concat_unique_oid(tables, TriggerTables(lineage->sources[i].relid));
    }
    ListCell* cell;
    foreach (cell, CapturedIds(tables)) {
        const Definition* definition = FindDefinition(lfirst_int(cell));
        if (definition == nullptr) {
            DropTriggers(lfirst_int(cell));
            continue;
        }
        const List* strange = list_difference_oid(tables, WrittenTables(definition));
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
