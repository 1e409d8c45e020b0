#include "projection/capture.hpp"

#include "pg/names.hpp"
#include "projection/flush.hpp"
#include "projection/moved_rows.hpp"
#include "projection/partitions.hpp"
#include "projection/restored.hpp"
#include "projection/truncated.hpp"

namespace freshcrm::projection {

namespace {

int32 ProjectionIdOf(const Trigger* trigger) {
    if (trigger->tgnargs != 1) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("trigger \"%s\" must have one argument, the projection's id",
                               trigger->tgname),
                        errhint("Create projections with freshcrm.create_projection().")));
    }
    return pg_strtoint32(trigger->tgargs[0]);
}

bool Fires(const Trigger& trigger) {
    const char off = SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA
                         ? TRIGGER_FIRES_ON_ORIGIN
                         : TRIGGER_FIRES_ON_REPLICA;
    return trigger.tgenabled != TRIGGER_DISABLED && trigger.tgenabled != off;
}

// Whether another projection's trigger fires after this one for the same statement: all are flushed
// together, so that a projection made of another is recomputed once. (Triggers fire in the order of
// their names, in which the relation has them.)
bool MoreToCome(const TriggerData* trigger) {
    const TriggerDesc* triggers = trigger->tg_relation->trigdesc;
    const Trigger* self = trigger->tg_trigger;
    bool after = false;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& other = triggers->triggers[i];
        if (after && other.tgfoid == self->tgfoid && other.tgtype == self->tgtype && Fires(other)) {
            return true;
        }
        after = after || other.tgoid == self->tgoid;
    }
    return false;
}

void CaptureFor(Projection* projection, const TriggerData* trigger) {
    const Oid named = RelationGetRelid(trigger->tg_relation);
    if (!TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event)) {
        ForgetEmptyTables(projection);
    } else if (IsKnownEmpty(projection, named)) {
        return;
    } else {
        RememberEmptyTables(projection);
    }
    const Form_pg_class form = trigger->tg_relation->rd_rel;
    const bool partitions = form->relispartition || form->relkind == RELKIND_PARTITIONED_TABLE;
    bool found = false;
    bool relevant = false;
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        Source* source = &projection->lineage->sources[i];
        if (source->relid == named || (partitions && ChangesThrough(source->relid, named))) {
            found = true;
            relevant = Enqueue(projection, source, {trigger, nullptr}) || relevant;
        }
    }
    if (relevant) {
        LockBaseTables(projection);
    }
    // A partitioned table's row triggers are on all its partitions, also on those that the view
    // does not read.
    if (!found && !trigger->tg_trigger->tgisclone) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table %s is no source of projection %s",
                               pg::RelationForMessage(named), projection->name),
                        errhint("Drop the trigger \"%s\". If the table was restored from another "
                                "database, create its projection again with "
                                "freshcrm.create_projection(), which replaces the triggers.",
                                trigger->tg_trigger->tgname)));
    }
}

}  // namespace

void Capture(TriggerData* trigger) {
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.capture() must be called AFTER a change"),
                        errhint("Create projections with freshcrm.create_projection().")));
    }
    // They fire on partitions, where they are copies. One that somebody put elsewhere is refused.
    const bool for_moves =
        trigger->tg_trigger->tgisclone && IsForMovedRows(trigger->tg_trigger->tgtype);
    if (for_moves && !MayBeMoved(trigger)) {
        return;
    }
    const int32 id = ProjectionIdOf(trigger->tg_trigger);
    if (Projection* projection = OpenWatched(id)) {
        CaptureFor(projection, trigger);
    } else {
        LeaveUnmaintained(id, RelationGetRelid(trigger->tg_relation));
    }
    // The triggers of the statement that moves rows are yet to come.
    if (!for_moves && !MoreToCome(trigger)) {
        Flush();
    }
}

}  // namespace freshcrm::projection
