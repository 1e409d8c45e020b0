#include "projection/read_rows.hpp"

#include "pg/heap_changes.hpp"
#include "pg/owner_scope.hpp"
#include "pg/subtransaction.hpp"
#include "projection/maintain.hpp"
#include "projection/patch_order.hpp"
#include "projection/patch_rows.hpp"

extern "C" {
#include "access/heaptoast.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/datum.h"
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

TupleTableSlot* InSourceShape(RowReader* reader, TupleTableSlot* slot, TupleTableSlot* converted) {
    if (slot == nullptr || reader->conversion == nullptr) {
        return slot;
    }
    return execute_attr_map_slot(reader->conversion->attrMap, slot, converted);
}

Datum StartValue(const RowReader* reader, const Start& start, TupleTableSlot* slot, bool* isnull) {
    if (start.expression == nullptr) {
        return slot_getattr(slot, start.column, isnull);
    }
    return Evaluate(start.state, slot, reader->expressions, isnull);
}

// Adds the tuples of one row from the start `next` on, one for each combination of the elements of
// arrays. Equality is strict: a NULL leads nowhere. In the key itself it may have to be refused,
// also that of an old row, whose going can make the view show another.
void AddTuples(const RowReader* reader, int path_number, TupleTableSlot* slot, Datum* tuple,
               int next) {
    Changes* changes = reader->changes;
    const Path& path = changes->source->paths[path_number];
    if (next == path.start_count) {
        Add(&changes->starts[path_number], tuple);
        return;
    }
    const Start& start = path.starts[next];
    bool isnull;
    const Datum value = StartValue(reader, start, slot, &isnull);
    if (isnull) {
        changes->null_key = changes->null_key || start.of_key;
        return;
    }
    if (!start.element) {
        tuple[next] = value;
        AddTuples(reader, path_number, slot, tuple, next + 1);
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
            AddTuples(reader, path_number, slot, tuple, next + 1);
        }
    }
}

// Keeps a row for a user's mapping query, and keeps it whole: what of it is stored apart goes with
// the old table when that is rewritten before the row is read, by its transaction or by a trigger.
void KeepRow(Changes* changes, TupleTableSlot* slot) {
    bool made;
    MinimalTuple tuple = ExecFetchSlotMinimalTuple(slot, &made);
    const bool apart = (tuple->t_infomask & HEAP_HASEXTERNAL) != 0;
    if (made) {
        heap_free_minimal_tuple(tuple);
    }
    if (!apart) {
        tuplestore_puttupleslot(changes->rows, slot);
        return;
    }
    HeapTuple stored = ExecCopySlotHeapTuple(slot);
    HeapTuple whole = toast_flatten_tuple(stored, slot->tts_tupleDescriptor);
    tuplestore_puttuple(changes->rows, whole);
    heap_freetuple(whole);
    heap_freetuple(stored);
}

// A row of the source's shape.
void AddShaped(RowReader* reader, TupleTableSlot* slot, bool is_new) {
    Changes* changes = reader->changes;
    changes->any_row = true;
    changes->new_rows = changes->new_rows || is_new;
    if (changes->rows != nullptr) {
        KeepRow(changes, slot);
    }
    MemoryContext caller = MemoryContextSwitchTo(reader->expressions->ecxt_per_tuple_memory);
    for (int i = 0; i < changes->source->path_count; ++i) {
        const Path& path = changes->source->paths[i];
        auto* tuple =
            static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(path.start_count)));
        AddTuples(reader, i, slot, tuple, 0);
    }
    MemoryContextSwitchTo(caller);
    ResetExprContext(reader->expressions);
}

bool SameColumn(const RowReader* reader, AttrNumber number, TupleTableSlot* before,
                TupleTableSlot* after) {
    bool null_before;
    bool null_after;
    const Datum value_before = slot_getattr(before, number, &null_before);
    const Datum value_after = slot_getattr(after, number, &null_after);
    const auto* column = TupleDescAttr(reader->desc, number - 1);
    return null_before == null_after &&
           (null_before ||
            datum_image_eq(value_before, value_after, column->attbyval, column->attlen));
}

}  // namespace

bool SameColumns(const RowReader* reader, const Bitmapset* columns, TupleTableSlot* before,
                 TupleTableSlot* after) {
    for (int attnum = bms_next_member(columns, -1); attnum >= 0;
         attnum = bms_next_member(columns, attnum)) {
        if (attnum == 0 ||  // the whole row
            !SameColumn(reader, static_cast<AttrNumber>(attnum), before, after)) {
            return false;
        }
    }
    return true;
}

namespace {

void AddEffects(const RowReader* reader, TupleTableSlot* before, TupleTableSlot* after) {
    Changes* changes = reader->changes;
    const Source* source = changes->source;
    for (int attnum = bms_next_member(source->watched, -1); attnum >= 0;
         attnum = bms_next_member(source->watched, attnum)) {
        const Effect& effect = source->of_columns[attnum];
        if (!Includes(changes->affected, effect) &&
            !SameColumn(reader, static_cast<AttrNumber>(attnum), before, after)) {
            AddEffect(&changes->affected, effect, changes->context);
        }
    }
}

void AddUpdate(RowReader* reader, TupleTableSlot* before, TupleTableSlot* after) {
    before = InSourceShape(reader, before, reader->converted_old);
    after = InSourceShape(reader, after, reader->converted_new);
    const Source* source = reader->changes->source;
    if (!SameColumns(reader, source->watched, before, after) &&
        !AddAsPatch(reader, before, after)) {
        AddShaped(reader, before, false);
        AddShaped(reader, after, true);
        AddEffects(reader, before, after);
        Changes* changes = reader->changes;
        changes->new_links =
            changes->new_links || !SameColumns(reader, source->linking, before, after);
    }
}

// Reads both transition tables. Those of an UPDATE have a row for each row updated, in the same
// order; where one is longer (a row that moved between partitions), all rows count as changed.
void ReadTransitionTables(RowReader* reader, const TriggerData* trigger) {
    TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    const TransitionReader old_rows = OpenTransition(trigger->tg_oldtable, desc);
    const TransitionReader new_rows = OpenTransition(trigger->tg_newtable, desc);
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
        if (paired) {
            AddUpdate(reader, before, after);
            continue;
        }
        if (before != nullptr && !AddAsPatch(reader, before, nullptr)) {
            AddRow(reader, before, false);
        }
        if (after != nullptr && !AddAsPatch(reader, nullptr, after)) {
            AddRow(reader, after, true);
        }
    }
    Close(old_rows);
    Close(new_rows);
}

void ReadRows(RowReader* reader, const TriggerData* trigger) {
    if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) {
        ReadTransitionTables(reader, trigger);
    } else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
        AddUpdate(reader, trigger->tg_trigslot, trigger->tg_newslot);
    } else {
        AddRow(reader, trigger->tg_trigslot, TRIGGER_FIRED_BY_INSERT(trigger->tg_event));
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

// As the owner, unless they are harmless.
void PreparePatches(const Projection* projection, RowPatch* patch) {
    if (IsPrepared(patch)) {
        return;
    }
    if (patch->harmless) {
        PreparePatch(patch, projection->context);
        return;
    }
    const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
    PreparePatch(patch, projection->context);
    pg::EndAsOwner(scope);
}

// What is read into changes, and from which table.
template <typename Rows>
void Read(Changes* changes, Relation table, bool patching, Rows rows) {
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm changed rows", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    changes->reading = true;
    RowReader reader = BeginRows(changes, table);
    reader.patching = patching;
    if (patching) {
        PreparePatches(changes->projection, changes->source->patch);
    }
    if (HasExpressions(changes->source) || (patching && !changes->source->patch->harmless)) {
        const pg::OwnerScope scope = pg::BeginAsOwner(changes->projection->owner);
        rows(&reader);
        pg::EndAsOwner(scope);
    } else {
        rows(&reader);
    }
    changes->reading = false;
    if (AnyChange(changes)) {
        RememberFollowed();
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
}

void Read(Changes* changes, const TriggerData* trigger, bool patching) {
    Read(changes, trigger->tg_relation, patching,
         [&](RowReader* reader) { ReadRows(reader, trigger); });
}

// The transaction keeps others from refreshing it.
void Read(Changes* changes, Relation matview) {
    Read(changes, matview, false, [&](RowReader* reader) {
        pg::EachOwnChange(
            matview,
            [](void* arg, TupleTableSlot* slot, bool is_new) {
                AddRow(static_cast<RowReader*>(arg), slot, is_new);
            },
            reader);
    });
}

void PrepareStarts(const Projection* projection, const Path* path) {
    for (int i = 0; i < path->start_count; ++i) {
        Start* start = &path->starts[i];
        if (start->expression != nullptr && !IsReady(start->state)) {
            const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
            PrepareState(&start->state, start->expression, projection->context);
            pg::EndAsOwner(scope);
        }
    }
}

// A patch computes for every changed row what the view computes only for the rows that it shows.
// After an error the changes are followed, and the view says whether it is one.
void ReadFallible(Changes* changes, const TriggerData* trigger) {
    pg::Failure failure;
    if (!pg::AttemptUnlessRetryable([&] { Read(changes, trigger, true); }, &failure)) {
        GiveUpPatches(changes);
        Read(changes, trigger, false);
    }
}

// An expression that fails where that must not fail the write leaves them half read, so that all
// keys count as affected.
template <typename Body>
void ReadOrDoubt(Changes* changes, Body body) {
    if (changes->projection->on_error == OnError::kStale && HasExpressions(changes->source)) {
        pg::Failure failure;
        (void)pg::AttemptUnlessRetryable(body, &failure);
    } else {
        InContext(changes->projection, body);
    }
}

void ReadTrigger(Changes* changes, const TriggerData* trigger) {
    if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event)) {
        changes->everything = true;
    }
    ReadOrDoubt(changes, [&] {
        const bool patching = MayPatch(changes, trigger);
        if (patching && !changes->source->patch->harmless) {
            ReadFallible(changes, trigger);
        } else {
            Read(changes, trigger, patching);
        }
    });
}

void ReadRefresh(Changes* changes, const Refresh* refresh) {
    Relation matview = table_open(refresh->matview, AccessShareLock);
    changes->everything = changes->everything || !refresh->by_rows || !pg::IsHeap(matview);
    if (!changes->everything) {
        ReadOrDoubt(changes, [&] { Read(changes, matview); });
    }
    table_close(matview, NoLock);
}

}  // namespace

RowReader BeginRows(Changes* changes, Relation table) {
    for (int i = 0; i < changes->source->path_count; ++i) {
        PrepareStarts(changes->projection, &changes->source->paths[i]);
    }
    RowReader reader{};
    reader.changes = changes;
    reader.expressions = CreateStandaloneExprContext();
    if (RelationGetRelid(table) == changes->source->relid) {
        reader.desc = RelationGetDescr(table);
    } else {
        // The columns may be in another order there.
        Relation source = table_open(changes->source->relid, AccessShareLock);
        reader.desc = CreateTupleDescCopy(RelationGetDescr(source));
        reader.conversion =
            convert_tuples_by_name(CreateTupleDescCopy(RelationGetDescr(table)), reader.desc);
        table_close(source, NoLock);
    }
    if (reader.conversion != nullptr) {
        reader.converted_old = MakeSingleTupleTableSlot(reader.desc, &TTSOpsVirtual);
        reader.converted_new = MakeSingleTupleTableSlot(reader.desc, &TTSOpsVirtual);
    }
    return reader;
}

void AddRow(RowReader* reader, TupleTableSlot* slot, bool is_new) {
    Changes* changes = reader->changes;
    changes->new_links = changes->new_links || (is_new && changes->source->linking != nullptr);
    AddEffect(&changes->affected, changes->source->of_rows, changes->context);
    AddShaped(reader, InSourceShape(reader, slot, reader->converted_new), is_new);
}

void ReadEvent(Changes* changes, const ChangeEvent& event) {
    changes->everything = changes->everything || changes->reading;
    if (event.trigger != nullptr) {
        ReadTrigger(changes, event.trigger);
    } else {
        ReadRefresh(changes, event.refresh);
    }
}

}  // namespace freshcrm::projection
