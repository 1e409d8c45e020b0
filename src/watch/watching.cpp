#include "watch/watching.hpp"

#include "pg/ddl.hpp"
#include "pg/names.hpp"
#include "pg/own_functions.hpp"
#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"
#include "watch/changes.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::watch {

namespace {

struct Kind {
    const char* name;
    int16 type;
    char firing;
    const char* clauses;
};

constexpr int16 kRowEvents = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE;
constexpr Kind kStatement = {
    "freshcrm_watch", kRowEvents | TRIGGER_TYPE_TRUNCATE, TRIGGER_FIRES_ALWAYS,
    "AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT"};
constexpr Kind kReplica = {"freshcrm_watch_replica", kRowEvents | TRIGGER_TYPE_ROW,
                           TRIGGER_FIRES_ON_REPLICA,
                           "AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW"};

Oid NoteFunction() {
    return pg::OwnFunction("note_change", 0, nullptr, false);
}

struct Found {
    Oid oid;  // invalid: there is none
    const char* name;
    bool whole;    // as it was made
    bool enabled;  // fires when it was made to
    bool enabled_otherwise;
};

bool IsEnabled(char enabled, const Kind& kind) {
    return enabled == kind.firing || enabled == TRIGGER_FIRES_ALWAYS;
}

bool IsEnabledOtherwise(char enabled, const Kind& kind) {
    return enabled != TRIGGER_DISABLED && !IsEnabled(enabled, kind);
}

// The best one of this kind: of rows, or of statements.
Found Find(const RelationData* table, const Kind& kind, Oid function) {
    const TriggerDesc* triggers = table->trigdesc;
    Found found{};
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& trigger = triggers->triggers[i];
        if (trigger.tgfoid == function &&
            TRIGGER_FOR_ROW(trigger.tgtype) == TRIGGER_FOR_ROW(kind.type) && !found.whole) {
            found = {trigger.tgoid, pstrdup(trigger.tgname),
                     trigger.tgtype == kind.type && trigger.tgqual == nullptr &&
                         trigger.tgnattr == 0 && !trigger.tgdeferrable,
                     IsEnabled(trigger.tgenabled, kind),
                     IsEnabledOtherwise(trigger.tgenabled, kind)};
        }
    }
    return found;
}

const char* KindProblem(const RelationData* table) {
    const FormData_pg_class* form = table->rd_rel;
    if (form->relkind != RELKIND_RELATION && form->relkind != RELKIND_PARTITIONED_TABLE) {
        return "It is no table.";
    }
    if (IsCatalogRelation(const_cast<Relation>(table))) {
        return "It is a catalog, which can have no triggers.";
    }
    if (form->relpersistence == RELPERSISTENCE_TEMP) {
        return "It is a temporary table.";
    }
    if (form->relpersistence == RELPERSISTENCE_UNLOGGED) {
        return "It is unlogged: a crash empties it, and no trigger fires.";
    }
    return nullptr;
}

bool CanBeWatched(Oid relation) {
    Relation table = relation_open(relation, AccessShareLock);
    const bool can = KindProblem(table) == nullptr;
    relation_close(table, NoLock);
    return can;
}

bool NeedsReplica(const RelationData* table) {
    return table->rd_rel->relkind == RELKIND_RELATION;
}

const char* TriggerProblem(const RelationData* table) {
    const Oid function = NoteFunction();
    const Kind* kinds[] = {&kStatement, &kReplica};
    for (const Kind* kind : kinds) {
        if (kind == &kReplica && !NeedsReplica(table)) {
            continue;
        }
        const Found found = Find(table, *kind, function);
        if (!found.whole || !found.enabled) {
            return psprintf("Its trigger %s is %s.", kind->name,
                            found.whole ? "disabled" : "missing");
        }
    }
    return nullptr;
}

// ---- Who may.

bool HasTriggerRight(Oid relation, Oid role) {
    return has_privs_of_role(role, pg::OwnerOfRelation(relation)) ||
           pg_class_aclcheck(relation, role, ACL_TRIGGER) == ACLCHECK_OK;
}

void RequireRight(Oid relation, Oid role) {
    if (!MayWatch(relation, role)) {
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied for table %s", pg::RelationForMessage(relation)),
                        errdetail("Whoever has a table watched puts triggers on it."),
                        errhint("Grant TRIGGER on the table to %s.",
                                quote_identifier(GetUserNameFromId(role, false)))));
    }
}

// ---- Making them, as the table's owner.

void Drop(Oid trigger) {
    const ObjectAddress address = {TriggerRelationId, trigger, 0};
    performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
    CommandCounterIncrement();
}

Found FindIn(Oid relation, const Kind& kind) {
    Relation table = relation_open(relation, AccessShareLock);
    const Found found = Find(table, kind, NoteFunction());
    relation_close(table, NoLock);
    return found;
}

void Make(Oid relation, const Kind& kind) {
    Found found = FindIn(relation, kind);
    if (OidIsValid(found.oid) && !found.whole) {
        Drop(found.oid);
        found = FindIn(relation, kind);
    }
    if (!OidIsValid(found.oid)) {
        const char* clauses = psprintf(kind.clauses, pg::QualifiedRelation(relation));
        pg::RunUtility(psprintf("CREATE TRIGGER %s %s EXECUTE FUNCTION freshcrm.note_change()",
                                kind.name, clauses));
        found = {InvalidOid, kind.name, true, false, false};
    }
    if (!found.enabled) {
        pg::SetTriggerFiring(relation, found.name, kind.firing);
    }
}

void MakeAll(Oid relation, bool replica) {
    const pg::OwnerScope scope = pg::BeginAsOwner(pg::OwnerOfRelation(relation));
    SPI_connect();
    Make(relation, kStatement);
    if (replica) {
        Make(relation, kReplica);
    }
    SPI_finish();
    pg::EndAsOwner(scope);
    NoteUnlockedChange(relation);
    CommandCounterIncrement();
}

// The table is locked, so that it stays what it is.
bool IsWatchedAlready(Oid relation, LOCKMODE mode, bool* replica) {
    Relation table = relation_open(relation, mode);
    const char* problem = KindProblem(table);
    if (problem != nullptr) {
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("%s cannot be watched", pg::RelationForMessage(relation)),
                        errdetail("%s", problem)));
    }
    const bool watched = TriggerProblem(table) == nullptr;
    *replica = NeedsReplica(table);
    relation_close(table, NoLock);
    return watched;
}

// ---- Commands.

// Watched tables that the command has changed, or a partition or child of which it has; and all
// that it has created. A list of OIDs.
List* ChangedByCommand() {
    constexpr const char* kSql =
        "WITH RECURSIVE changed AS (SELECT e.objid AS oid "
        "FROM pg_catalog.pg_event_trigger_ddl_commands() AS e "
        "WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
        "UNION SELECT i.inhparent FROM changed AS c "
        "JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid) "
        "SELECT c.oid FROM changed AS c WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger AS t "
        "WHERE t.tgrelid = c.oid AND t.tgfoid = 'freshcrm.note_change'::pg_catalog.regproc) "
        "OR c.oid IN (SELECT e.objid FROM pg_catalog.pg_event_trigger_ddl_commands() AS e "
        "WHERE e.command_tag = 'CREATE TABLE')";
    List* changed = NIL;
    MemoryContext caller = CurrentMemoryContext;
    SPI_connect();
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    if (SPI_execute(kSql, false, 0) != SPI_OK_SELECT) {
        elog(ERROR, "could not read what the command changed");
    }
    for (uint64 i = 0; i < SPI_processed; ++i) {
        bool isnull;
        const Datum oid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
        MemoryContext spi = MemoryContextSwitchTo(caller);
        changed = lappend_oid(changed, DatumGetObjectId(oid));
        MemoryContextSwitchTo(spi);
    }
    pg::EndAsOwner(scope);
    SPI_finish();
    return changed;
}

// ALTER TABLE … ENABLE TRIGGER, as at the end of a restore of data, makes them fire in the role
// origin alone.
void RestoreFiring(Oid relation) {
    const Kind* kinds[] = {&kStatement, &kReplica};
    for (const Kind* kind : kinds) {
        const Found found = FindIn(relation, *kind);
        if (found.whole && found.enabled_otherwise) {
            pg::SetTriggerFiring(relation, found.name, kind->firing);
        }
    }
    CommandCounterIncrement();
}

// What ALTER TABLE … ATTACH PARTITION has made a partition; or invalid.
Oid AttachedBy(const Node* command) {
    if (!IsA(command, AlterTableStmt)) {
        return InvalidOid;
    }
    ListCell* cell;
    foreach (cell, reinterpret_cast<const AlterTableStmt*>(command)->cmds) {
        const auto* part = static_cast<AlterTableCmd*>(lfirst(cell));
        if (part->subtype == AT_AttachPartition) {
            const RangeVar* name = reinterpret_cast<PartitionCmd*>(part->def)->name;
            return RangeVarGetRelid(name, NoLock, true);
        }
    }
    return InvalidOid;
}

// What is a partition of a watched table is watched, too, with its own: nobody could have asked for
// it before. Others are left alone; a restore makes triggers one by one.
void WatchPartition(Oid partition) {
    if (!get_rel_relispartition(partition) ||
        !HasWatchTriggers(get_partition_parent(partition, true))) {
        return;
    }
    const Oid owner = pg::OwnerOfRelation(get_partition_parent(partition, true));
    ListCell* cell;
    foreach (cell, find_all_inheritors(partition, NoLock, nullptr)) {
        const Oid table = lfirst_oid(cell);
        // Who has disabled its triggers has meant it.
        if (!HasWatchTriggers(table) && pg::OwnerOfRelation(table) == owner &&
            CanBeWatched(table)) {
            (void)WatchTable(table, owner);
        }
    }
}

}  // namespace

bool IsWatchTrigger(const Trigger& trigger) {
    return trigger.tgfoid == NoteFunction();
}

bool MayWatch(Oid relation, Oid role) {
    if (HasTriggerRight(relation, role)) {
        return true;
    }
    if (!get_rel_relispartition(relation)) {
        return false;
    }
    ListCell* cell;
    foreach (cell, get_partition_ancestors(relation)) {
        if (HasTriggerRight(lfirst_oid(cell), role) &&
            pg::OwnerOfRelation(lfirst_oid(cell)) == pg::OwnerOfRelation(relation)) {
            return true;
        }
    }
    return false;
}

const char* WatchProblem(Oid relation) {
    Relation table = try_relation_open(relation, AccessShareLock);
    if (table == nullptr) {
        return "It is gone.";
    }
    const char* problem = nullptr;
    if (table->rd_rel->relkind != RELKIND_MATVIEW) {
        problem = KindProblem(table);
        problem = problem != nullptr ? problem : TriggerProblem(table);
    }
    relation_close(table, NoLock);
    return problem;
}

bool HasWatchTriggers(Oid relation) {
    Relation table = try_relation_open(relation, AccessShareLock);
    if (table == nullptr) {
        return false;
    }
    const Oid function = NoteFunction();
    const bool has = OidIsValid(Find(table, kStatement, function).oid) ||
                     OidIsValid(Find(table, kReplica, function).oid);
    relation_close(table, NoLock);
    return has;
}

bool WatchTable(Oid relation, Oid role) {
    bool replica;
    if (IsWatchedAlready(relation, AccessShareLock, &replica)) {
        return false;
    }
    RequireRight(relation, role);
    if (IsWatchedAlready(relation, ShareRowExclusiveLock, &replica)) {
        return false;
    }
    MakeAll(relation, replica);
    return true;
}

bool UnwatchTable(Oid relation) {
    const Kind* kinds[] = {&kStatement, &kReplica};
    bool any = false;
    LockRelationOid(relation, ShareRowExclusiveLock);
    for (const Kind* kind : kinds) {
        for (Found found = FindIn(relation, *kind); OidIsValid(found.oid);
             found = FindIn(relation, *kind)) {
            Drop(found.oid);
            any = true;
        }
    }
    return any;
}

void NoteCommand(const Node* command) {
    List* changed = ChangedByCommand();
    const Oid attached = AttachedBy(command);
    ListCell* cell;
    foreach (cell, OidIsValid(attached) ? lappend_oid(changed, attached) : changed) {
        const Oid relation = lfirst_oid(cell);
        WatchPartition(relation);
        if (HasWatchTriggers(relation)) {
            NoteUnlockedChange(relation);
            RestoreFiring(relation);
        }
    }
}

}  // namespace freshcrm::watch
