#include "projection/capture.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/maintain.hpp"
#include "projection/recompute.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
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

Source* FindSource(const Projection* projection, Oid relid) {
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        if (projection->lineage->sources[i].relid == relid) {
            return &projection->lineage->sources[i];
        }
    }
    return nullptr;
}

// What a statement changed, path by path: the tuples of values that each path starts from.
struct Changes {
    Projection* projection;
    Source* source;
    TupleDesc desc;
    KeySet* starts;  // one a path
    ExprContext* expressions;
    bool null_key;  // a row of the view may have come whose key is NULL
};

KeySet MakeStarts(const Path& path, MemoryContext context) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path.start_count)));
    auto* collations = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path.start_count)));
    for (int i = 0; i < path.start_count; ++i) {
        types[i] = path.starts[i].type;
        collations[i] = path.starts[i].collation;
    }
    return MakeKeySet(context, path.start_count, types, collations);
}

Changes MakeChanges(Projection* projection, Source* source, TupleDesc desc, MemoryContext context) {
    Changes changes{projection, source, desc, nullptr, CreateStandaloneExprContext(), false};
    changes.starts =
        static_cast<KeySet*>(palloc(sizeof(KeySet) * static_cast<Size>(source->path_count)));
    for (int i = 0; i < source->path_count; ++i) {
        Path* path = &source->paths[i];
        changes.starts[i] = MakeStarts(*path, context);
        for (int j = 0; j < path->start_count; ++j) {
            Start* start = &path->starts[j];
            if (start->expression != nullptr && start->state == nullptr) {
                MemoryContext caller = MemoryContextSwitchTo(projection->context);
                start->state = ExecInitExpr(expression_planner(start->expression), nullptr);
                MemoryContextSwitchTo(caller);
            }
        }
    }
    return changes;
}

Datum StartValue(const Changes& changes, const Start& start, TupleTableSlot* slot, bool* isnull) {
    if (start.expression == nullptr) {
        return slot_getattr(slot, start.column, isnull);
    }
    changes.expressions->ecxt_scantuple = slot;
    return ExecEvalExprSwitchContext(start.state, changes.expressions, isnull);
}

// Adds the tuples of one row from the start `next` on, one for each combination of the elements of
// arrays. Equality is strict: a NULL leads nowhere.
void AddTuples(Changes* changes, int path_number, TupleTableSlot* slot, Datum* tuple, int next,
               bool* null_met) {
    const Path& path = changes->source->paths[path_number];
    if (next == path.start_count) {
        Add(&changes->starts[path_number], tuple);
        return;
    }
    const Start& start = path.starts[next];
    bool isnull;
    const Datum value = StartValue(*changes, start, slot, &isnull);
    if (isnull) {
        *null_met = true;
        return;
    }
    if (!start.element) {
        tuple[next] = value;
        AddTuples(changes, path_number, slot, tuple, next + 1, null_met);
        return;
    }
    ArrayType* array = DatumGetArrayTypeP(value);
    const KeySetColumn& column = changes->starts[path_number].columns[next];
    Datum* elements;
    bool* nulls;
    int count;
    deconstruct_array(array, ARR_ELEMTYPE(array), column.length, column.by_value, column.align,
                      &elements, &nulls, &count);
    for (int i = 0; i < count; ++i) {
        if (!nulls[i]) {
            tuple[next] = elements[i];
            AddTuples(changes, path_number, slot, tuple, next + 1, null_met);
        }
    }
}

void AddRow(Changes* changes, TupleTableSlot* slot, bool is_new) {
    MemoryContext caller = MemoryContextSwitchTo(changes->expressions->ecxt_per_tuple_memory);
    for (int i = 0; i < changes->source->path_count; ++i) {
        const Path& path = changes->source->paths[i];
        auto* tuple =
            static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(path.start_count)));
        bool null_met = false;
        AddTuples(changes, i, slot, tuple, 0, &null_met);
        changes->null_key = changes->null_key || (null_met && path.is_key && is_new);
    }
    MemoryContextSwitchTo(caller);
    ResetExprContext(changes->expressions);
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
        if (!IsBinaryCoercible(type, keys->columns[j].type)) {
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

// Adds the keys that a path leads to. Mapping queries read with the active snapshot.
void FollowPath(Changes* changes, int path_number, KeySet* keys) {
    Path* path = &changes->source->paths[path_number];
    KeySet* starts = &changes->starts[path_number];
    SortUnique(starts);
    auto* values = static_cast<Datum*>(
        palloc(sizeof(Datum) * static_cast<Size>(Max(path->start_count, keys->width))));
    if (path->direct()) {
        for (int i = 0; i < starts->count; ++i) {
            for (int j = 0; j < keys->width; ++j) {
                values[j] = Tuple(starts, i)[path->key_starts[j]];
            }
            Add(keys, values);
        }
    } else if (starts->count == 1) {
        pg::Select(MappingPlan(changes->projection, path, false), starts->values, nullptr);
        AddKeys(changes, keys);
    } else if (starts->count > 1) {
        ToArrays(starts, 0, starts->count, values);
        pg::Select(MappingPlan(changes->projection, path, true), values, nullptr);
        AddKeys(changes, keys);
    }
}

void RecomputeChanges(Changes* changes, MemoryContext context) {
    Projection* projection = changes->projection;
    KeySet keys = MakeProjectionKeys(projection, context);
    pg::PushFreshSnapshot();
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

// Expressions call functions, which run as the projection's owner too.
bool HasExpressions(const Source* source) {
    for (int i = 0; i < source->path_count; ++i) {
        for (int j = 0; j < source->paths[i].start_count; ++j) {
            if (source->paths[i].starts[j].expression != nullptr) {
                return true;
            }
        }
    }
    return false;
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
    Source* source = FindSource(projection, RelationGetRelid(trigger->tg_relation));
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
    if (HasExpressions(source)) {
        const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
        ReadChanges(&changes, trigger);
        pg::EndAsOwner(scope);
    } else {
        ReadChanges(&changes, trigger);
    }
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
