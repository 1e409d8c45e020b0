#include "projection/patching.hpp"

#include "pg/datum.hpp"
#include "pg/spi.hpp"
#include "projection/counts.hpp"
#include "projection/statements.hpp"
#include "projection/target_writer.hpp"
#include "projection/trace.hpp"

extern "C" {
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

void AddKey(PatchedKeys* patched, const PatchedKey& key) {
    if (patched->count == patched->capacity) {
        patched->capacity = patched->capacity == 0 ? 8 : patched->capacity * 2;
        const Size size = sizeof(PatchedKey) * static_cast<Size>(patched->capacity);
        patched->items = static_cast<PatchedKey*>(patched->items == nullptr
                                                      ? MemoryContextAlloc(patched->context, size)
                                                      : repalloc_huge(patched->items, size));
    }
    patched->items[patched->count++] = key;
}

// The start is the key, in another order of columns perhaps.
void AddDirect(const Path& path, const Source* source, const Patch* patch, PatchedKeys* patched,
               int key_count) {
    const Datum* key = patch->start;
    bool same_order = path.start_count == key_count;
    for (int i = 0; i < key_count; ++i) {
        same_order = same_order && path.key_starts[i] == i;
    }
    if (!same_order) {
        auto* ordered = static_cast<Datum*>(
            MemoryContextAlloc(patched->context, sizeof(Datum) * static_cast<Size>(key_count)));
        for (int i = 0; i < key_count; ++i) {
            ordered[i] = patch->start[path.key_starts[i]];
        }
        key = ordered;
    }
    AddKey(patched, {key, source, patch});
}

// Where the keys of a mapped path go.
struct MappedSink {
    const Projection* projection;
    const Source* source;
    const Patch* patch;
    PatchedKeys* patched;
};

// A NULL key is none of a row that is there.
void AddMapped(void* arg, TupleTableSlot* slot) {
    const auto* sink = static_cast<MappedSink*>(arg);
    const Projection* projection = sink->projection;
    slot_getallattrs(slot);
    MemoryContext caller = MemoryContextSwitchTo(sink->patched->context);
    auto* key =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    bool complete = true;
    for (int i = 0; i < projection->key_count; ++i) {
        const Key& column = projection->keys[i];
        complete = complete && !slot->tts_isnull[i];
        if (complete) {
            key[i] = pg::CopyFlat(slot->tts_values[i], column.by_value, column.length);
        }
    }
    MemoryContextSwitchTo(caller);
    if (complete) {
        AddKey(sink->patched, {key, sink->source, sink->patch});
    }
}

// By key, and then in any one order.
int CompareItems(const void* a, const void* b, void* keys) {
    const auto* first = static_cast<const PatchedKey*>(a);
    const auto* second = static_cast<const PatchedKey*>(b);
    const int order = CompareTuples(static_cast<const KeySet*>(keys), first->key, second->key);
    return order != 0 ? order : (first->patch > second->patch) - (first->patch < second->patch);
}

bool IsMapped(const Source* source) {
    return !source->paths[0].direct();
}

// A row of the target while it is patched.
struct PatchedRow {
    Datum* values;
    bool* nulls;
    bool changed;
    uint64 unchanged;  // how many were not
};

void ReadRow(const TargetWriter* writer, PatchedRow* row) {
    TupleTableSlot* slot = writer->old_row;
    slot_getallattrs(slot);
    for (int i = 0; i < ColumnCount(writer->projection); ++i) {
        const int stored = writer->projection->layout->stored[i] - 1;
        row->values[i] = slot->tts_values[stored];
        row->nulls[i] = slot->tts_isnull[stored];
    }
    row->changed = false;
}

// Returns false when it is not certain what the row becomes.
bool PatchRow(const Projection* projection, const PatchedKey& key, PatchedRow* row) {
    RowPatch* patch = key.source->patch;
    for (int i = 0; i < patch->column_count; ++i) {
        PatchColumn* column = &patch->columns[i];
        const auto* shape = TupleDescAttr(projection->columns, column->column);
        Datum value = row->values[column->column];
        bool null = row->nulls[column->column];
        if (!ApplyDelta(column, &key.patch->deltas[i], &value, &null)) {
            return false;
        }
        row->changed = row->changed || null != row->nulls[column->column] ||
                       (!null && !datum_image_eq(value, row->values[column->column],
                                                 shape->attbyval, shape->attlen));
        row->values[column->column] = value;
        row->nulls[column->column] = null;
    }
    return !patch->grouped || patch->rows < 0 || DatumGetInt64(row->values[patch->rows]) > 0;
}

// The patches `first` up to `last` are those of one key. A key without a row gets none by a patch;
// whether it should have one is known but for groups, each of which has a row.
bool PatchKey(Projection* projection, TargetWriter* writer, const PatchedKeys* patched, int first,
              int last, PatchedRow* row) {
    if (!FindRow(writer, patched->items[first].key)) {
        return !patched->items[first].source->patch->grouped;
    }
    ReadRow(writer, row);
    for (int i = first; i <= last; ++i) {
        if (!PatchRow(projection, patched->items[i], row)) {
            return false;
        }
    }
    if (!row->changed) {
        ++row->unchanged;
        return true;
    }
    return ReplaceRow(writer, row->values, row->nulls) == Written::kYes;
}

Bitmapset* PatchedColumns(const PatchedKeys* patched) {
    Bitmapset* columns = nullptr;
    const Source* source = nullptr;
    for (int i = 0; i < patched->count; ++i) {
        if (patched->items[i].source == source) {
            continue;
        }
        source = patched->items[i].source;
        for (int j = 0; j < source->patch->column_count; ++j) {
            columns = bms_add_member(columns, source->patch->columns[j].column);
        }
    }
    return columns;
}

}  // namespace

PatchedKeys MakePatchedKeys(MemoryContext context) {
    PatchedKeys patched{};
    patched.context = context;
    return patched;
}

void TracePatches(const Changes* changes, PatchedKeys* patched) {
    const PatchList& list = changes->patches;
    const Source* source = changes->source;
    for (int i = 0; i < list.count; ++i) {
        const Patch* patch = list.patches[i];
        Path* path = &source->paths[0];
        if (path->direct()) {
            AddDirect(*path, source, patch, patched, changes->projection->key_count);
            continue;
        }
        CHECK_FOR_INTERRUPTS();
        MappedSink sink{changes->projection, source, patch, patched};
        pg::SelectEach(MappingPlan(changes->projection, path, false),
                       const_cast<Datum*>(patch->start), {nullptr, AddMapped, &sink});
    }
}

void SettlePatchedKeys(PatchedKeys* patched, const KeySet* keys) {
    if (patched->count > 1) {
        qsort_arg(patched->items, static_cast<size_t>(patched->count), sizeof(PatchedKey),
                  CompareItems, const_cast<KeySet*>(keys));
    }
    if (IsEmpty(keys)) {
        return;
    }
    int kept = 0;
    for (int i = 0; i < patched->count; ++i) {
        if (!Contains(keys, patched->items[i].key)) {
            patched->items[kept++] = patched->items[i];
        }
    }
    patched->count = kept;
}

void TracePatchesAgain(const List* changes, PatchedKeys* patched, KeySet* again) {
    PatchedKeys now = MakePatchedKeys(patched->context);
    pg::PushFreshSnapshot();
    ListCell* cell;
    foreach (cell, changes) {
        const auto* of_source = static_cast<Changes*>(lfirst(cell));
        if (of_source->patches.count > 0 && IsMapped(of_source->source)) {
            TracePatches(of_source, &now);
        }
    }
    PopActiveSnapshot();
    SettlePatchedKeys(&now, again);
    int kept = 0;
    for (int i = 0; i < patched->count; ++i) {
        const PatchedKey& item = patched->items[i];
        if (!IsMapped(item.source) ||
            (now.count > 0 && bsearch_arg(&item, now.items, static_cast<size_t>(now.count),
                                          sizeof(PatchedKey), CompareItems, again) != nullptr)) {
            patched->items[kept++] = item;
        } else {
            Add(again, item.key);
        }
    }
    patched->count = kept;
}

void ApplyPatches(Projection* projection, const PatchedKeys* patched, KeySet* again) {
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm patched row", ALLOCSET_SMALL_SIZES);
    const auto count = static_cast<Size>(ColumnCount(projection));
    PatchedRow row{static_cast<Datum*>(palloc(sizeof(Datum) * count)),
                   static_cast<bool*>(palloc(sizeof(bool) * count)), false, 0};
    pg::PushFreshSnapshot();
    TargetWriter writer = OpenTarget(projection, PatchedColumns(patched));
    MemoryContext caller = MemoryContextSwitchTo(context);
    uint64 keys = 0;
    for (int first = 0; first < patched->count;) {
        CHECK_FOR_INTERRUPTS();
        int last = first;
        while (last + 1 < patched->count &&
               CompareTuples(again, patched->items[first].key, patched->items[last + 1].key) == 0) {
            ++last;
        }
        if (!PatchKey(projection, &writer, patched, first, last, &row)) {
            Add(again, patched->items[first].key);
        } else {
            ++keys;
        }
        MemoryContextReset(context);
        first = last + 1;
    }
    MemoryContextSwitchTo(caller);
    CloseTarget(&writer);
    PopActiveSnapshot();
    MemoryContextDelete(context);
    CountApplied(projection, Applied::kPatched, keys);
    CountUnchanged(projection, row.unchanged);
}

}  // namespace freshcrm::projection
