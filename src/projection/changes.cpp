#include "projection/changes.hpp"

#include "projection/packed.hpp"
#include "projection/recompute.hpp"
#include "projection/settings.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace freshcrm::projection {

namespace {

// What Projection::recomputed never is.
constexpr uint64 kNever = UINT64_MAX;

KeySet MakeStarts(const Projection* projection, Path* path, MemoryContext context) {
    if (path->shape == nullptr) {
        MemoryContext caller = MemoryContextSwitchTo(projection->context);
        auto* shape = static_cast<KeyShape*>(palloc(sizeof(KeyShape)));
        *shape = ShapeOf(path->starts, path->start_count);
        path->shape = shape;
        MemoryContextSwitchTo(caller);
    }
    return MakeKeySet(context, *path->shape);
}

// Where the definition has become another one, all keys have been recomputed since, so that the
// values may stand for what they would have been.
void Move(Projection* projection, Changes* changes) {
    const Lineage* lineage = projection->lineage;
    for (int i = 0; i < lineage->source_count; ++i) {
        Source* source = &lineage->sources[i];
        if (source->relid == changes->source->relid &&
            ShapeOf(projection, source) == ShapeOf(changes->projection, changes->source)) {
            GiveUpPatches(changes);
            changes->affected = kWholeRow;
            changes->projection = projection;
            changes->source = source;
            return;
        }
    }
}

}  // namespace

Changes* MakeChanges(Projection* projection, Source* source) {
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm changes", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* changes = static_cast<Changes*>(palloc0(sizeof(Changes)));
    changes->projection = projection;
    changes->source = source;
    changes->mode = projection->mode;
    changes->context = context;
    if (source->fallback != nullptr && source->fallback->query != nullptr) {
        changes->rows = tuplestore_begin_heap(false, false, work_mem);
        (void)ShapeOf(projection, source);  // of these rows
    }
    changes->starts =
        static_cast<KeySet*>(palloc(sizeof(KeySet) * static_cast<Size>(source->path_count)));
    for (int i = 0; i < source->path_count; ++i) {
        changes->starts[i] = MakeStarts(projection, &source->paths[i], context);
    }
    changes->keys = MakeProjectionKeys(projection, context);
    MemoryContextSwitchTo(caller);
    return changes;
}

void FinishChanges(Changes* changes) {
    if (changes->reading) {
        return;  // what is half read goes with the transaction
    }
    if (changes->keep) {
        RewindChanges(changes);
        return;
    }
    if (changes->rows != nullptr) {
        tuplestore_end(changes->rows);
    }
    for (int i = 0; i < changes->source->path_count; ++i) {
        FreeTuples(&changes->starts[i]);
    }
    FreeTuples(&changes->keys);
    MemoryContextDelete(changes->context);
}

// They have been applied, or the transaction that did it has been undone: which of them is not
// known, so that their keys are recomputed the next time.
void RewindChanges(Changes* changes) {
    bool all = Rewind(&changes->keys);
    for (int i = 0; i < changes->source->path_count; ++i) {
        all = Rewind(&changes->starts[i]) && all;
    }
    GiveUpPatches(changes);
    changes->everything = changes->everything || !all;
    changes->keep = false;
}

bool AnyChange(const Changes* changes) {
    if (changes->everything || changes->reading) {
        return true;
    }
    if (changes->source->fallback != nullptr) {
        return changes->any_row;
    }
    for (int i = 0; i < changes->source->path_count; ++i) {
        if (!IsEmpty(&changes->starts[i])) {
            return true;
        }
    }
    return changes->null_key || changes->patches.count > 0;
}

bool OnlyPatches(const Changes* changes) {
    return changes->patches.count > 0 && !changes->everything && !changes->reading &&
           !changes->null_key && IsEmpty(&changes->starts[0]) && IsEmpty(&changes->keys);
}

void GiveUpPatches(Changes* changes) {
    PatchList* list = &changes->patches;
    for (int i = 0; i < list->count; ++i) {
        Add(&changes->starts[0], list->patches[i]->start);
    }
    changes->any_row = changes->any_row || list->count > 0;
    if (list->context != nullptr) {
        MemoryContextDelete(list->context);
    }
    *list = {};
    changes->nested = false;
}

// Nothing is allocated in the middle of a rollback.
void DoubtPatches(Changes* changes) {
    if (changes->nested) {
        changes->recomputed = kNever;
    }
}

void SettlePatches(Changes* changes) {
    if (changes->patches.count == 0) {
        return;
    }
    if (changes->recomputed != changes->projection->recomputed || !PatchAllowed()) {
        GiveUpPatches(changes);
    } else {
        UnitePatches(&changes->patches, changes->source->patch, &changes->starts[0]);
    }
}

// A load follows any news of a relation, such as new statistics.
void MoveTo(Projection* projection, const List* list) {
    ListCell* cell;
    foreach (cell, list) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        if (changes->projection != projection) {
            Move(projection, changes);
        }
    }
}

bool AnyChange(const List* list) {
    ListCell* cell;
    foreach (cell, list) {
        if (AnyChange(static_cast<Changes*>(lfirst(cell)))) {
            return true;
        }
    }
    return false;
}

void SettleAll(const List* list) {
    ListCell* cell;
    foreach (cell, list) {
        SettlePatches(static_cast<Changes*>(lfirst(cell)));
    }
}

bool OnlyPatches(const List* list) {
    ListCell* cell;
    foreach (cell, list) {
        if (!OnlyPatches(static_cast<Changes*>(lfirst(cell)))) {
            return false;
        }
    }
    return true;
}

void FinishAll(const List* list) {
    ListCell* cell;
    foreach (cell, list) {
        FinishChanges(static_cast<Changes*>(lfirst(cell)));
    }
}

}  // namespace freshcrm::projection
