#include "projection/changes.hpp"

#include "pg/owner_scope.hpp"

extern "C" {
#include "access/table.h"
#include "access/tupconvert.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "optimizer/optimizer.h"
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

// Sets the shape of the source's rows. Where the statement names another table of its partition
// tree, the columns may be in another order there.
void SetShape(Changes* changes, Relation named, MemoryContext context) {
    MemoryContext caller = MemoryContextSwitchTo(context);
    if (RelationGetRelid(named) == changes->source->relid) {
        changes->desc = RelationGetDescr(named);
    } else {
        Relation source = table_open(changes->source->relid, AccessShareLock);
        changes->desc = CreateTupleDescCopy(RelationGetDescr(source));
        changes->conversion =
            convert_tuples_by_name(CreateTupleDescCopy(RelationGetDescr(named)), changes->desc);
        table_close(source, NoLock);
    }
    if (changes->conversion != nullptr) {
        changes->converted_old = MakeSingleTupleTableSlot(changes->desc, &TTSOpsVirtual);
        changes->converted_new = MakeSingleTupleTableSlot(changes->desc, &TTSOpsVirtual);
    }
    MemoryContextSwitchTo(caller);
}

TupleTableSlot* InSourceShape(Changes* changes, TupleTableSlot* slot, TupleTableSlot** converted) {
    if (slot == nullptr || changes->conversion == nullptr) {
        return slot;
    }
    return execute_attr_map_slot(changes->conversion->attrMap, slot, *converted);
}

KeySet MakeStarts(const Path& path, MemoryContext context) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path.start_count)));
    auto* collations = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path.start_count)));
    for (int i = 0; i < path.start_count; ++i) {
        types[i] = path.starts[i].type;
        collations[i] = path.starts[i].collation;
    }
    return MakeKeySet(context, path.start_count, types, collations);
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

// Null stands for no row.
void AddRow(Changes* changes, TupleTableSlot* slot, bool is_new) {
    if (slot == nullptr) {
        return;
    }
    changes->any_row = true;
    if (changes->rows != nullptr) {
        tuplestore_puttupleslot(changes->rows, slot);
    }
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

void AddUpdate(Changes* changes, TupleTableSlot* before, TupleTableSlot* after) {
    before = InSourceShape(changes, before, &changes->converted_old);
    after = InSourceShape(changes, after, &changes->converted_new);
    if (!SameWatched(*changes, before, after)) {
        AddRow(changes, before, false);
        AddRow(changes, after, true);
    }
}

// Reads both transition tables. Those of an UPDATE have a row for each row updated, in the same
// order; where one is longer (a row that moved between partitions), all rows count as changed.
void ReadTransitionTables(Changes* changes, const TriggerData* trigger) {
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
            AddUpdate(changes, before, after);
        } else {
            AddRow(changes, InSourceShape(changes, before, &changes->converted_old), false);
            AddRow(changes, InSourceShape(changes, after, &changes->converted_new), true);
        }
    }
    Close(old_rows);
    Close(new_rows);
}

// The row of a row trigger.
void ReadRow(Changes* changes, const TriggerData* trigger) {
    if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
        AddUpdate(changes, trigger->tg_trigslot, trigger->tg_newslot);
    } else {
        AddRow(changes, InSourceShape(changes, trigger->tg_trigslot, &changes->converted_new),
               TRIGGER_FIRED_BY_INSERT(trigger->tg_event));
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

// As the owner, since planning already calls immutable functions of constants, and initialising
// asks for the right to call the others.
void PrepareExpression(const Projection* projection, Start* start) {
    const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
    MemoryContext caller = MemoryContextSwitchTo(projection->context);
    start->state = ExecInitExpr(expression_planner(start->expression), nullptr);
    MemoryContextSwitchTo(caller);
    pg::EndAsOwner(scope);
}

void Read(Changes* changes, const TriggerData* trigger) {
    if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) {
        ReadRow(changes, trigger);
    } else {
        ReadTransitionTables(changes, trigger);
    }
}

}  // namespace

Changes MakeChanges(Projection* projection, Source* source, Relation named, MemoryContext context) {
    Changes changes{};
    changes.projection = projection;
    changes.source = source;
    changes.expressions = CreateStandaloneExprContext();
    SetShape(&changes, named, context);
    if (source->fallback != nullptr && source->fallback->query != nullptr) {
        changes.rows = tuplestore_begin_heap(false, false, work_mem);
    }
    changes.starts =
        static_cast<KeySet*>(palloc(sizeof(KeySet) * static_cast<Size>(source->path_count)));
    for (int i = 0; i < source->path_count; ++i) {
        Path* path = &source->paths[i];
        changes.starts[i] = MakeStarts(*path, context);
        for (int j = 0; j < path->start_count; ++j) {
            Start* start = &path->starts[j];
            if (start->expression != nullptr && start->state == nullptr) {
                PrepareExpression(projection, start);
            }
        }
    }
    return changes;
}

void ReadChanges(Changes* changes, const TriggerData* trigger) {
    if (!HasExpressions(changes->source)) {
        Read(changes, trigger);
        return;
    }
    const pg::OwnerScope scope = pg::BeginAsOwner(changes->projection->owner);
    Read(changes, trigger);
    pg::EndAsOwner(scope);
}

bool AnyChange(const Changes& changes) {
    if (changes.source->fallback != nullptr) {
        return changes.any_row;
    }
    for (int i = 0; i < changes.source->path_count; ++i) {
        if (changes.starts[i].count > 0) {
            return true;
        }
    }
    return changes.null_key;
}

void FreeChanges(const Changes& changes) {
    if (changes.rows != nullptr) {
        tuplestore_end(changes.rows);
    }
}

}  // namespace freshcrm::projection
