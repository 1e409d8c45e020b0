#include "projection/capture.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/changes.hpp"
#include "projection/maintain.hpp"
#include "projection/partitions.hpp"
#include "projection/recompute.hpp"
#include "projection/restored.hpp"
#include "projection/user_mapping.hpp"

extern "C" {
#include "parser/parse_coerce.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

SPIPlanPtr MappingPlan(const Projection* projection, Path* path, bool many) {
    SPIPlanPtr* plan = many ? &path->plan_many : &path->plan_one;
    if (*plan == nullptr) {
        auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path->start_count)));
        for (int i = 0; i < path->start_count; ++i) {
            const Oid type = path->starts[i].type;
            types[i] = many ? get_array_type(type) : type;
        }
        *plan = pg::PrepareKept(many ? path->query_many : path->query_one, path->start_count, types,
                                projection->context);
    }
    return *plan;
}

// Adds the keys in SPI_tuptable and frees it.
void AddKeys(Changes* changes, KeySet* keys) {
    SPITupleTable* rows = SPI_tuptable;
    for (int j = 0; j < keys->width; ++j) {
        const Oid type = TupleDescAttr(rows->tupdesc, j)->atttypid;
        if (!IsBinaryCoercible(type, getBaseType(keys->columns[j].type))) {
            elog(ERROR, "a mapping query of projection %s returns type %u for a key of type %u",
                 changes->projection->name, type, keys->columns[j].type);
        }
    }
    auto* key = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(keys->width)));
    for (uint64 i = 0; i < rows->numvals; ++i) {
        bool any_null = false;
        for (int j = 0; j < keys->width; ++j) {
            bool isnull;
            key[j] = SPI_getbinval(rows->vals[i], rows->tupdesc, j + 1, &isnull);
            any_null = any_null || isnull;
        }
        if (any_null) {
            changes->null_key = true;
        } else {
            Add(keys, key);
        }
    }
    SPI_freetuptable(rows);
}

// The keys in the target whose known part is that of the starts.
SPIPlanPtr KnownKeysPlan(const Projection* projection, Path* path) {
    if (path->plan_known != nullptr) {
        return path->plan_known;
    }
    StringInfoData sql;
    StringInfoData where;
    initStringInfo(&sql);
    initStringInfo(&where);
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path->start_count)));
    for (int i = 0; i < path->start_count; ++i) {
        types[i] = get_array_type(path->starts[i].type);
        appendStringInfo(&where, "%s$%d", i > 0 ? ", " : "", i + 1);
    }
    appendStringInfoString(&where, ") AS c(");
    for (int i = 0; i < path->start_count; ++i) {
        appendStringInfo(&where, "%ss%d", i > 0 ? ", " : "", i);
    }
    const char* separator = ") WHERE ";
    for (int i = 0; i < projection->key_count; ++i) {
        const Key& key = projection->keys[i];
        appendStringInfo(&sql, "%st.%s", i > 0 ? ", " : "SELECT DISTINCT ",
                         quote_identifier(key.name));
        if (path->known_keys[i] >= 0) {
            appendStringInfo(&where, "%st.%s %s c.s%d", separator, quote_identifier(key.name),
                             key.equals, path->known_keys[i]);
            separator = " AND ";
        }
    }
    appendStringInfo(&sql, " FROM ONLY %s AS t, unnest(%s",
                     pg::QualifiedRelation(projection->target), where.data);
    path->plan_known = pg::PrepareKept(sql.data, path->start_count, types, projection->context);
    return path->plan_known;
}

// Adds the keys that a path leads to. Queries read with the active snapshot.
void FollowPath(Changes* changes, int path_number, KeySet* keys) {
    Path* path = &changes->source->paths[path_number];
    KeySet* starts = &changes->starts[path_number];
    SortUnique(starts);
    if (starts->count == 0) {
        return;
    }
    auto* values = static_cast<Datum*>(
        palloc(sizeof(Datum) * static_cast<Size>(Max(path->start_count, keys->width))));
    if (path->direct()) {
        for (int i = 0; i < starts->count; ++i) {
            for (int j = 0; j < keys->width; ++j) {
                values[j] = Tuple(starts, i)[path->key_starts[j]];
            }
            Add(keys, values);
        }
        return;
    }
    if (starts->count == 1) {
        pg::Select(MappingPlan(changes->projection, path, false), starts->values, nullptr);
    } else {
        ToArrays(starts, 0, starts->count, values);
        pg::Select(MappingPlan(changes->projection, path, true), values, nullptr);
    }
    AddKeys(changes, keys);
    if (path->known_keys != nullptr) {
        ToArrays(starts, 0, starts->count, values);
        pg::Select(KnownKeysPlan(changes->projection, path), values, nullptr);
        AddKeys(changes, keys);
    }
}

void RecomputeChanges(Changes* changes, MemoryContext context) {
    Projection* projection = changes->projection;
    const Fallback* fallback = changes->source->fallback;
    if (fallback != nullptr && fallback->query == nullptr) {
        (void)RecomputeAll(projection);
        return;
    }
    KeySet keys = MakeProjectionKeys(projection, context);
    pg::PushFreshSnapshot();
    if (fallback != nullptr) {
        RunUserMapping(projection, changes->source, changes->rows);
        AddKeys(changes, &keys);
    }
    for (int i = 0; i < changes->source->path_count; ++i) {
        FollowPath(changes, i, &keys);
    }
    PopActiveSnapshot();
    SortUnique(&keys);
    (void)RecomputeKeys(projection, &keys);
    if (changes->null_key) {
        CheckNoNullKey(projection);
    }
}

int32 ProjectionIdOf(const Trigger* trigger) {
    if (trigger->tgnargs != 1) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("trigger \"%s\" must have one argument, the projection's id",
                               trigger->tgname),
                        errhint("Create projections with freshcrm.create_projection().")));
    }
    return pg_strtoint32(trigger->tgargs[0]);
}

void CaptureSource(Projection* projection, Source* source, TriggerData* trigger) {
    if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event)) {
        Maintain(projection, [&] { (void)RecomputeAll(projection); });
        return;
    }
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm changes", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    Changes changes = MakeChanges(projection, source, trigger->tg_relation, context);
    ReadChanges(&changes, trigger);
    if (AnyChange(changes)) {
        Maintain(projection, [&] { RecomputeChanges(&changes, context); });
    }
    FreeChanges(changes);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
}

}  // namespace

void Capture(TriggerData* trigger) {
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.capture() must be called AFTER a change"),
                        errhint("Create projections with freshcrm.create_projection().")));
    }
    const int32 id = ProjectionIdOf(trigger->tg_trigger);
    const Oid named = RelationGetRelid(trigger->tg_relation);
    Projection* projection = OpenMaintained(id);
    if (projection == nullptr) {
        LeaveUnmaintained(id, named);
        return;
    }
    bool found = false;
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        Source* source = &projection->lineage->sources[i];
        if (ChangesThrough(source->relid, named)) {
            found = true;
            CaptureSource(projection, source, trigger);
        }
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

}  // namespace freshcrm::projection
