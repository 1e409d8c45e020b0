#include "projection/restored.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "projection/collection_fill.hpp"
#include "projection/dependencies.hpp"
#include "projection/locks.hpp"
#include "projection/maintain.hpp"
#include "projection/modes.hpp"
#include "projection/partitions.hpp"
#include "projection/queue.hpp"
#include "projection/recompute.hpp"
#include "projection/trigger_sync.hpp"
#include "projection/triggers.hpp"
#include "projection/verify.hpp"

extern "C" {
#include "access/table.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
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

// Whether it made one of a projection that is not there, or not yet.
constexpr const char* kMadeForUnknown =
    "SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() AS e JOIN pg_catalog.pg_trigger AS g "
    "ON e.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = e.objid "
    "WHERE e.command_tag = 'CREATE TRIGGER' AND g.tgfoid = 'freshcrm.capture'::regproc "
    "AND NOT EXISTS (SELECT FROM freshcrm.projection AS p "
    "WHERE g.tgargs = pg_catalog.convert_to(p.id::text, 'UTF8') || '\\x00')";

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

// Whether a table has rows, or has had some. Where an ALTER TABLE or a load that empties it first
// is under way, that is waited for or counts as none.
bool IsFilled(Oid table, bool wait) {
    if (wait) {
        LockRelationOid(table, AccessShareLock);
    } else if (!ConditionalLockRelationOid(table, AccessShareLock)) {
        return false;
    }
    if (get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE) {
        return true;
    }
    Relation relation = table_open(table, NoLock);
    const bool filled = RelationGetNumberOfBlocks(relation) > 0;
    table_close(relation, NoLock);
    return filled;
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

// The tables whose writers are captured, and materialized views; a list of OIDs in ascending order.
List* WrittenTables(const Definition* definition) {
    return AllWrittenTables(BaseTables(definition->source));
}

// Whether somebody else is writing to one of them, as far as a load.
bool AreWritten(const List* tables) {
    Oid type = OIDARRAYOID;
    Datum value = OidArray(tables);
    if (SPI_execute_with_args("SELECT FROM pg_catalog.pg_locks WHERE relation = ANY ($1) "
                              "AND database = (SELECT oid FROM pg_catalog.pg_database "
                              "WHERE datname = pg_catalog.current_database()) "
                              "AND mode = 'RowExclusiveLock' AND granted "
                              "AND pid <> pg_catalog.pg_backend_pid()",
                              1, &type, &value, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not read pg_locks");
    }
    return SPI_processed > 0;
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

// The materialized views that the view reads. What a restore puts into them is not what the rows of
// the projection were dumped with, but what their queries show by then.
enum class Populated { kNone, kAll, kNotAll };

Populated MaterializedViewsOf(const Definition* definition) {
    Oid type = OIDOID;
    Datum value = ObjectIdGetDatum(definition->source);
    pg::PushFreshSnapshot();
    if (SPI_execute_with_args(
            psprintf("%s SELECT pg_catalog.bool_and(c.relispopulated) FROM used AS u "
                     "JOIN pg_catalog.pg_class AS c ON c.oid = u.relid AND c.relkind = 'm'",
                     kUsedRelations),
            1, &type, &value, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not read pg_class");
    }
    PopActiveSnapshot();
    bool isnull;
    const Datum all = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
    return isnull ? Populated::kNone : DatumGetBool(all) ? Populated::kAll : Populated::kNotAll;
}

enum class Match { kEqual, kDifferent, kUnknown };

// Unknown when the view cannot be read yet, because a restore grants rights last.
Match Compare(const Definition* definition) {
    bool equal = false;
    const bool known = pg::Attempt([&] {
        Projection* projection = OpenProjection(definition->id);
        Maintain(projection, [&] { equal = EqualsView(projection); });
    });
    return !known ? Match::kUnknown : equal ? Match::kEqual : Match::kDifferent;
}

// Slots are not dumped. Where they cannot be filled, the tags of collections stay computed.
void FillSlots(const Definition* definition) {
    (void)pg::Attempt([&] { FillCollections(definition->target); });
}

// The rows were restored too, as they were: what was queued for them was not.
void Complete(const Definition* definition) {
    if (!CompleteRestore(definition->id)) {
        return;
    }
    FillSlots(definition);
    if ((ModeNamed(definition->mode) == Mode::kAsync ||
         ErrorPolicyNamed(definition->on_error) == OnError::kStale)) {
        QueueEverything(definition->id);
    }
}

void CompleteByTrigger(const Definition* definition) {
    // Each of two who make the last triggers at once would miss those of the other.
    (void)LockRestore(definition->target, true);
    const Populated populated = MaterializedViewsOf(definition);
    // A dump may lack its rows (pg_dump --exclude-table-data). A problem is shown anyway.
    if (HasAllTriggers(definition) && populated != Populated::kNotAll &&
        (definition->problem != nullptr || IsFilled(definition->target, true) ||
         !MayHaveRows(definition)) &&
        (populated == Populated::kNone || Compare(definition) == Match::kEqual)) {
        Complete(definition);
    }
}

// Whether all that a restore writes has been written; false when that cannot be told.
bool AreLoaded(const List* tables, bool wait) {
    ListCell* cell;
    foreach (cell, tables) {
        if (!IsFilled(lfirst_oid(cell), wait)) {
            return false;
        }
    }
    return !AreWritten(tables);
}

// When the triggers were there before. Empty tables may be yet to be loaded, so that the projection
// must have rows; only where it is seen to equal its view do other tables not matter, nor what was
// written past it.
void CompleteByRows(const Definition* definition, bool wait) {
    const Populated populated = MaterializedViewsOf(definition);
    if (FindTriggers(definition->id) == NIL || TriggerProblem(definition) != nullptr ||
        populated == Populated::kNotAll || !IsFilled(definition->target, wait)) {
        return;
    }
    const List* tables = lappend_oid(WrittenTables(definition), definition->target);
    const bool loaded = AreLoaded(tables, wait);
    // Nobody is waited for: all of a parallel restore would wait for each other.
    const bool locked = LockAtOnce(tables);
    if (!loaded && !locked) {
        return;
    }
    const Match match = Compare(definition);
    if (match == Match::kEqual && locked && LockRestore(definition->target, false)) {
        SetWhole(definition->id, definition->target);
        SetProblem(definition->id, nullptr);
        FillSlots(definition);
    } else if (loaded && (match == Match::kEqual ||
                          (match == Match::kUnknown && populated == Populated::kNone))) {
        Complete(definition);
    }
    // Enabling all triggers of a table made them fire always.
    if (locked) {
        RestoreFiring(FindTriggers(definition->id));
    }
}

// Whether all is there but what has been refreshed now. Others who refresh at the same time wait to
// look: the last of them finds it so.
bool WaitsForRefresh(const Definition* definition) {
    (void)LockRestore(definition->target, true);
    return MaterializedViewsOf(definition) == Populated::kAll && LacksNoTrigger(definition) &&
           (IsFilled(definition->target, true) || !MayHaveRows(definition));
}

// Writers of before are waited for: the projection has not followed them.
void CompleteAnew(const Definition* definition) {
    WaitForWriters(definition);
    SetWhole(definition->id, definition->target);
    CommandCounterIncrement();
    Projection* projection = OpenProjection(definition->id);
    Maintain(projection, [&] { (void)RecomputeAll(projection); });
    FillSlots(definition);
    RestoreFiring(FindTriggers(definition->id));
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

void FollowRestore(const Definition* definition) {
    SPI_connect();
    if (MadeTrigger(definition->id)) {
        CompleteByTrigger(definition);
    } else {
        CompleteByRows(definition, false);
    }
    SPI_finish();
}

void CompleteByRefresh(int32 id, Oid matview) {
    const Definition* definition = FindDefinition(id);
    if (definition == nullptr) {
        return;
    }
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SPI_connect();
    if (!WaitsForRefresh(definition)) {
        // What completes it is to look at its rows.
        SetWhole(id, kWrittenWhileRestored);
    } else if (!pg::Attempt([&] { CompleteAnew(definition); })) {
        LeaveUnmaintained(id, matview);
    }
    SPI_finish();
    pg::EndAsOwner(scope);
}

void WaitForDefinitions() {
    // Who cannot load definitions restores none: nobody else is to hold them up.
    if (pg_class_aclcheck(DefinitionTable(), GetSessionUserId(), ACL_INSERT) != ACLCHECK_OK) {
        return;
    }
    SPI_connect();
    pg::PushFreshSnapshot();
    if (SPI_execute(kMadeForUnknown, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not read the commands of an event trigger");
    }
    PopActiveSnapshot();
    if (SPI_processed > 0) {
        LockRelationOid(DefinitionTable(), ShareLock);
    }
    SPI_finish();
}

void FollowLoad(int32 id) {
    const Definition* definition = FindDefinition(id);
    if (definition == nullptr || !IsRestored(definition) ||
        !OidIsValid(pg::OwnerOfRelation(definition->target)) ||
        !OidIsValid(pg::OwnerOfRelation(definition->source))) {
        return;
    }
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SPI_connect();
    CompleteByRows(definition, true);
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

}  // namespace freshcrm::projection
