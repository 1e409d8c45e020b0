#include "projection/capture.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/maintain.hpp"
#include "projection/recompute.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "utils/datum.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
}

namespace freshcrm::projection {

namespace {

// Reads a transition table from its start. The store is shared by all triggers of the statement:
// each reader has a position of its own.
struct TransitionReader {
    Tuplestorestate* store;  // null: the event has no such table
    int position;
    TupleTableSlot* slot;
};

TransitionReader OpenTransition(Tuplestorestate* store, TupleDesc desc) {
    if (store == nullptr) {
        return {nullptr, 0, nullptr};
    }
    const int position = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
    tuplestore_select_read_pointer(store, position);
    tuplestore_rescan(store);
    return {store, position, MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple)};
}

// Null at the end.
TupleTableSlot* Next(const TransitionReader& reader) {
    if (reader.store == nullptr) {
        return nullptr;
    }
    tuplestore_select_read_pointer(reader.store, reader.position);
    return tuplestore_gettupleslot(reader.store, true, false, reader.slot) ? reader.slot : nullptr;
}

void Close(const TransitionReader& reader) {
    if (reader.slot != nullptr) {
        ExecDropSingleTupleTableSlot(reader.slot);
    }
}

const Source* FindSource(const Projection* projection, Oid relid) {
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        if (projection->lineage->sources[i].relid == relid) {
            return &projection->lineage->sources[i];
        }
    }
    return nullptr;
}

// What a statement changed, path by path: the values that each path starts from.
struct Changes {
    Projection* projection;
    const Source* source;
    TupleDesc desc;
    KeySet* starts;  // one a path
    bool null_key;   // a new row has a NULL in the key column itself
};

Changes MakeChanges(Projection* projection, const Source* source, TupleDesc desc,
                    MemoryContext context) {
    Changes changes{projection, source, desc, nullptr, false};
    changes.starts =
        static_cast<KeySet*>(palloc(sizeof(KeySet) * static_cast<Size>(source->path_count)));
    for (int i = 0; i < source->path_count; ++i) {
        const Path& path = source->paths[i];
        const Oid type = path.direct() ? projection->lineage->key_type : path.parameter_type;
        changes.starts[i] =
            MakeKeySet(context, type, TupleDescAttr(desc, path.start - 1)->attcollation);
    }
    return changes;
}

void AddRow(Changes* changes, TupleTableSlot* slot, bool is_new) {
    for (int i = 0; i < changes->source->path_count; ++i) {
        const Path& path = changes->source->paths[i];
        bool isnull;
        const Datum value = slot_getattr(slot, path.start, &isnull);
        if (!isnull) {
            Add(&changes->starts[i], value);
        } else if (path.is_key && is_new) {
            changes->null_key = true;
        }
    }
}

// An update that leaves every watched column as it was, bit for bit, changes nothing.
bool SameWatched(const Changes& changes, TupleTableSlot* before, TupleTableSlot* after) {
    for (int attnum = bms_next_member(changes.source->watched, -1); attnum >= 0;
         attnum = bms_next_member(changes.source->watched, attnum)) {
        bool null_before;
        bool null_after;
        const auto number = static_cast<AttrNumber>(attnum);
        const Datum value_before = slot_getattr(before, number, &null_before);
        const Datum value_after = slot_getattr(after, number, &null_after);
        const auto* column = TupleDescAttr(changes.desc, attnum - 1);
        if (null_before != null_after ||
            (!null_before &&
             !datum_image_eq(value_before, value_after, column->attbyval, column->attlen))) {
            return false;
        }
    }
    return true;
}

// Reads both transition tables. Those of an UPDATE have a row for each row updated, in the same
// order; where one is longer (a row that moved between partitions), all rows count as changed.
void ReadChanges(Changes* changes, const TriggerData* trigger) {
    const TransitionReader old_rows = OpenTransition(trigger->tg_oldtable, changes->desc);
    const TransitionReader new_rows = OpenTransition(trigger->tg_newtable, changes->desc);
    const bool paired =
        old_rows.store != nullptr && new_rows.store != nullptr &&
        tuplestore_tuple_count(old_rows.store) == tuplestore_tuple_count(new_rows.store);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        TupleTableSlot* before = Next(old_rows);
        TupleTableSlot* after = Next(new_rows);
        if (before == nullptr && after == nullptr) {
            break;
        }
        if (paired && SameWatched(*changes, before, after)) {
            continue;
        }
        if (before != nullptr) {
            AddRow(changes, before, false);
        }
        if (after != nullptr) {
            AddRow(changes, after, true);
        }
    }
    Close(old_rows);
    Close(new_rows);
}

// Adds the keys that a mapped path leads to.
void MapKeys(Path* path, const KeySet* starts, KeySet* keys, MemoryContext plans) {
    SPIPlanPtr plan;
    Datum parameter;
    if (starts->count == 1) {
        if (path->plan_one == nullptr) {
            path->plan_one = pg::PrepareKept(path->query_one, 1, &path->parameter_type, plans);
        }
        plan = path->plan_one;
        parameter = starts->values[0];
    } else {
        if (path->plan_many == nullptr) {
            Oid array = get_array_type(path->parameter_type);
            path->plan_many = pg::PrepareKept(path->query_many, 1, &array, plans);
        }
        plan = path->plan_many;
        parameter = ToArray(starts, 0, starts->count);
    }
    pg::Select(plan, &parameter, nullptr);
    SPITupleTable* rows = SPI_tuptable;
    for (uint64 i = 0; i < SPI_processed; ++i) {
        bool isnull;
        const Datum key = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull);
        if (!isnull) {
            Add(keys, key);
        }
    }
    SPI_freetuptable(rows);
}

void RecomputeChanges(Changes* changes, MemoryContext context) {
    Projection* projection = changes->projection;
    const Lineage* lineage = projection->lineage;
    KeySet keys = MakeKeySet(context, lineage->key_type, lineage->key_collation);
    bool fresh = false;
    for (int i = 0; i < changes->source->path_count; ++i) {
        KeySet* starts = &changes->starts[i];
        Path* path = &changes->source->paths[i];
        if (starts->count == 0) {
            continue;
        }
        SortUnique(starts);
        if (path->direct()) {
            for (int j = 0; j < starts->count; ++j) {
                Add(&keys, starts->values[j]);
            }
            continue;
        }
        if (!fresh) {
            pg::PushFreshSnapshot();
            fresh = true;
        }
        MapKeys(path, starts, &keys, projection->context);
    }
    if (fresh) {
        PopActiveSnapshot();
    }
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

}  // namespace

void Capture(TriggerData* trigger) {
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.capture() must be called AFTER, for each STATEMENT"),
                        errhint("Create projections with freshcrm.create_projection().")));
    }
    Projection* projection = OpenProjection(ProjectionIdOf(trigger->tg_trigger));
    const Source* source = FindSource(projection, RelationGetRelid(trigger->tg_relation));
    if (source == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table %s is no source of projection %s",
                               pg::RelationForMessage(RelationGetRelid(trigger->tg_relation)),
                               projection->name),
                        errhint("Drop the trigger \"%s\".", trigger->tg_trigger->tgname)));
    }
    if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event)) {
        Maintain(projection, [&] { (void)RecomputeAll(projection); });
        return;
    }
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm changes", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    Changes changes =
        MakeChanges(projection, source, RelationGetDescr(trigger->tg_relation), context);
    ReadChanges(&changes, trigger);
    bool changed = changes.null_key;
    for (int i = 0; i < source->path_count; ++i) {
        changed = changed || changes.starts[i].count > 0;
    }
    if (changed) {
        Maintain(projection, [&] { RecomputeChanges(&changes, context); });
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
}

}  // namespace freshcrm::projection
