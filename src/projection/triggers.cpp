#include "projection/triggers.hpp"

#include "pg/ddl.hpp"
#include "pg/names.hpp"
#include "pg/own_functions.hpp"
#include "pg/spi.hpp"
#include "projection/moved_rows.hpp"
#include "projection/options.hpp"
#include "projection/own_triggers.hpp"
#include "projection/partitions.hpp"
#include "projection/trigger_rights.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"
}

namespace freshcrm::projection {

namespace {

struct Event {
    const char* command;
    const char* suffix;
    const char* transition_tables;
};

constexpr Event kEvents[] = {
    {"INSERT", "_insert", "REFERENCING NEW TABLE AS new_rows "},
    {"UPDATE", "", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows "},
    {"DELETE", "_delete", "REFERENCING OLD TABLE AS old_rows "},
    {"TRUNCATE", "_truncate", ""},
};

Oid CaptureFunction() {
    return pg::OwnFunction("capture", 0, nullptr, false);
}

// The arguments of a trigger are stored one after the other, each ended by a zero byte.
bool CapturesFor(HeapTuple tuple, TupleDesc desc, const char* id) {
    const auto* form = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
    bool isnull;
    const Datum args = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);
    return form->tgnargs == 1 && !isnull && strcmp(VARDATA_ANY(DatumGetByteaPP(args)), id) == 0;
}

void CheckName(const char* name) {
    constexpr int kLongest = NAMEDATALEN - sizeof("_replica99");
    if (*name == '\0' || strlen(name) > kLongest) {
        ereport(ERROR,
                (errcode(*name == '\0' ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_NAME_TOO_LONG),
                 errmsg("\"%s\" cannot be the name of triggers", name),
                 errhint("Give a name of 1 to %d bytes.", kLongest)));
    }
}

bool HasName(const List* triggers, const char* name) {
    ListCell* cell;
    foreach (cell, triggers) {
        if (strcmp(static_cast<CaptureTrigger*>(lfirst(cell))->name, name) == 0) {
            return true;
        }
    }
    return false;
}

// ATTACH PARTITION gives the partition copies of the root's row triggers, and fails where it has
// one of that name: as a table of the same projection it may. So a partitioned table's have names
// of their own.
const char* RowTriggerName(Oid table, const char* name, int32 id) {
    if (get_rel_relkind(table) != RELKIND_PARTITIONED_TABLE) {
        return name;
    }
    CommandCounterIncrement();
    const List* triggers = FindTriggers(id);
    int number = 1;
    while (HasName(triggers, psprintf("%s%d", name, number))) {
        ++number;
    }
    return psprintf("%s%d", name, number);
}

void CreateRowTrigger(Oid table, const char* name, const char* events, char firing, int32 id) {
    const char* own_name = RowTriggerName(table, name, id);
    pg::RunUtility(
        psprintf("CREATE TRIGGER %s AFTER %s ON %s FOR EACH ROW "
                 "EXECUTE FUNCTION freshcrm.capture('%d')",
                 quote_identifier(own_name), events, pg::QualifiedRelation(table), id));
    if (firing != TRIGGER_FIRES_ON_ORIGIN) {
        pg::SetTriggerFiring(table, own_name, firing);
    }
}

// Where the replication role is replica (a subscriber's apply worker, some loads) statement
// triggers with transition tables do not fire: there a row trigger takes their place. A partition
// has its root's.
void CreateRowTriggers(Oid table, const char* name, int32 id) {
    CreateRowTrigger(table, psprintf("%s_replica", name), "INSERT OR UPDATE OR DELETE",
                     TRIGGER_FIRES_ON_REPLICA, id);
    if (get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE) {
        CreateRowTrigger(table, psprintf("%s_moved", name), "INSERT OR DELETE",
                         TRIGGER_FIRES_ON_ORIGIN, id);
    }
}

void CreateTriggersOn(Oid table, const char* name, int32 id, bool is_partition) {
    const pg::OwnerScope scope = BeginTriggersOn(table);
    const char* relation = pg::QualifiedRelation(table);
    for (const Event& event : kEvents) {
        pg::RunUtility(
            psprintf("CREATE TRIGGER %s AFTER %s ON %s %sFOR EACH STATEMENT "
                     "EXECUTE FUNCTION freshcrm.capture('%d')",
                     quote_identifier(psprintf("%s%s", name, event.suffix)), event.command,
                     relation, event.transition_tables, id));
    }
    pg::SetTriggerFiring(table, psprintf("%s_truncate", name), TRIGGER_FIRES_ALWAYS);
    if (!is_partition) {
        CreateRowTriggers(table, name, id);
    }
    pg::EndAsOwner(scope);
}

// Whether the table has triggers of the projection.
bool HasTriggers(int32 id, Oid table) {
    CommandCounterIncrement();
    Relation relation = table_open(table, AccessShareLock);
    const TriggerDesc* triggers = relation->trigdesc;
    const char* id_text = psprintf("%d", id);
    const Oid function = CaptureFunction();
    bool found = false;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& trigger = triggers->triggers[i];
        found =
            found || (trigger.tgfoid == function && trigger.tgnargs == 1 &&
                      !TRIGGER_FOR_ROW(trigger.tgtype) && strcmp(trigger.tgargs[0], id_text) == 0);
    }
    table_close(relation, AccessShareLock);
    return found;
}

}  // namespace

void CreateTriggers(const Projection* projection, Datum options) {
    BeginOwnTriggers(projection->id);
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        const Oid source = projection->lineage->sources[i].relid;
        const char* name = TriggerNameOption(options, source);
        if (name == nullptr) {
            name = psprintf("freshcrm_%d", projection->id);
        }
        CheckName(name);
        ListCell* cell;
        foreach (cell, TriggerTables(source)) {
            const Oid table = lfirst_oid(cell);
            // Two partitions of one root, both read by the view, share the root's triggers.
            if (!HasTriggers(projection->id, table)) {
                CreateTriggersOn(table, name, projection->id, get_rel_relispartition(table));
            }
        }
    }
    EndOwnTriggers();
}

bool HasCaptureTriggers(Oid table) {
    Relation relation = try_relation_open(table, AccessShareLock);
    if (relation == nullptr) {
        return false;
    }
    const TriggerDesc* triggers = relation->trigdesc;
    const Oid function = CaptureFunction();
    bool found = false;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        found = found || triggers->triggers[i].tgfoid == function;
    }
    relation_close(relation, AccessShareLock);
    return found;
}

List* FindTriggers(int32 id) {
    const Oid function = CaptureFunction();
    const char* id_text = psprintf("%d", id);
    List* found = NIL;

    Relation triggers = table_open(TriggerRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_trigger_tgfoid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(function));
    SysScanDesc scan = systable_beginscan(triggers, InvalidOid, false, nullptr, 1, &key);
    for (HeapTuple tuple; HeapTupleIsValid(tuple = systable_getnext(scan));) {
        if (CapturesFor(tuple, RelationGetDescr(triggers), id_text)) {
            const auto* form = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
            auto* trigger = static_cast<CaptureTrigger*>(palloc(sizeof(CaptureTrigger)));
            *trigger = {form->oid,
                        form->tgrelid,
                        pstrdup(NameStr(form->tgname)),
                        TRIGGER_FOR_ROW(form->tgtype) != 0,
                        IsForMovedRows(form->tgtype),
                        TRIGGER_FOR_TRUNCATE(form->tgtype) != 0,
                        OidIsValid(form->tgparentid),
                        form->tgenabled};
            found = lappend(found, trigger);
        }
    }
    systable_endscan(scan);
    table_close(triggers, AccessShareLock);
    return found;
}

void RestoreFiring(const List* triggers) {
    ListCell* cell;
    foreach (cell, triggers) {
        const auto* trigger = static_cast<CaptureTrigger*>(lfirst(cell));
        if (trigger->enabled == TRIGGER_FIRES_ON_ORIGIN && !trigger->of_moves &&
            (trigger->for_row || trigger->of_truncate)) {
            pg::SetTriggerFiring(
                trigger->table, trigger->name,
                trigger->for_row ? TRIGGER_FIRES_ON_REPLICA : TRIGGER_FIRES_ALWAYS);
        }
    }
}

void DropTriggers(const List* triggers) {
    ObjectAddresses* addresses = new_object_addresses();
    ListCell* cell;
    foreach (cell, triggers) {
        const auto* trigger = static_cast<CaptureTrigger*>(lfirst(cell));
        // A copy goes with the trigger.
        if (!trigger->copy) {
            const ObjectAddress address = {TriggerRelationId, trigger->oid, 0};
            add_exact_object_address(&address, addresses);
        }
    }
    performMultipleDeletions(addresses, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
}

void DropTriggers(int32 id) {
    DropTriggers(FindTriggers(id));
}

}  // namespace freshcrm::projection
