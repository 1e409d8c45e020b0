#include "projection/patch_rows.hpp"

#include "projection/patch_order.hpp"
#include "projection/settings.hpp"

extern "C" {
#include "access/xact.h"
#include "executor/executor.h"
#include "utils/datum.h"
}

namespace freshcrm::projection {

namespace {

enum class StartKind { kComplete, kNull, kNullKey };

// The values from which the only path of a source with patches starts.
StartKind ReadStart(const Path& path, TupleTableSlot* slot, Datum* start) {
    for (int i = 0; i < path.start_count; ++i) {
        bool isnull;
        start[i] = slot_getattr(slot, path.starts[i].column, &isnull);
        if (isnull) {
            return path.starts[i].of_key ? StartKind::kNullKey : StartKind::kNull;
        }
    }
    return StartKind::kComplete;
}

bool SameStart(const KeySet* starts, const Datum* a, const Datum* b) {
    for (int i = 0; i < starts->width; ++i) {
        const KeySetColumn& column = starts->columns[i];
        if (!datum_image_eq(a[i], b[i], column.by_value, column.length)) {
            return false;
        }
    }
    return true;
}

// Adds the images of a row, null for none, to one patch, that of `start`.
void AddImages(RowReader* reader, const Datum* start, TupleTableSlot* before,
               TupleTableSlot* after) {
    Changes* changes = reader->changes;
    RowPatch* patch = changes->source->patch;
    PatchList* list = &changes->patches;
    if (list->count == 0) {
        changes->recomputed = changes->projection->recomputed;
        AddEffect(&changes->affected, patch->effect, changes->context);
    }
    changes->nested = changes->nested || GetCurrentTransactionNestLevel() > 1;
    Patch* added = AddPatch(list, &changes->starts[0], patch, start, changes->context);
    if (before != nullptr) {
        AddImage(list, patch, added, before, false, reader->expressions);
    }
    if (after != nullptr) {
        AddImage(list, patch, added, after, true, reader->expressions);
    }
    ResetExprContext(reader->expressions);
    if (list->bytes > static_cast<Size>(maintenance_work_mem) * 1024) {
        GiveUpPatches(changes);
        reader->patching = false;
    }
}

// Whether it is known, or will be, that the group of an old row still has rows: where nothing
// counts them, because the new one, null when it is another's, is among them.
bool LeavesGroup(RowReader* reader, TupleTableSlot* after) {
    RowPatch* patch = reader->changes->source->patch;
    return !patch->grouped || patch->rows >= 0 ||
           (after != nullptr && ConditionHolds(patch, after, reader->expressions));
}

// Of an aggregate: nothing equals a NULL.
bool PatchAggregate(RowReader* reader, TupleTableSlot* before, TupleTableSlot* after) {
    const Path& path = reader->changes->source->paths[0];
    Datum old_start[INDEX_MAX_KEYS];
    Datum new_start[INDEX_MAX_KEYS];
    const StartKind old_kind =
        before == nullptr ? StartKind::kNull : ReadStart(path, before, old_start);
    const StartKind new_kind =
        after == nullptr ? StartKind::kNull : ReadStart(path, after, new_start);
    if (old_kind == StartKind::kNullKey || new_kind == StartKind::kNullKey) {
        return false;
    }
    const bool same = old_kind == StartKind::kComplete && new_kind == StartKind::kComplete &&
                      SameStart(&reader->changes->starts[0], old_start, new_start);
    if (old_kind == StartKind::kComplete && !LeavesGroup(reader, same ? after : nullptr)) {
        return false;
    }
    if (same) {
        AddImages(reader, new_start, before, after);
        return true;
    }
    if (old_kind == StartKind::kComplete) {
        AddImages(reader, old_start, before, nullptr);
    }
    if (new_kind == StartKind::kComplete) {
        AddImages(reader, new_start, nullptr, after);
    }
    return true;
}

// An UPDATE of the one row that belongs to keys, which leaves it that.
bool PatchCopies(RowReader* reader, TupleTableSlot* before, TupleTableSlot* after) {
    const Source* source = reader->changes->source;
    Datum start[INDEX_MAX_KEYS];
    if (before == nullptr || after == nullptr ||
        !SameColumns(reader, source->patch->fixed, before, after) ||
        !ConditionHolds(source->patch, before, reader->expressions) ||
        !ConditionHolds(source->patch, after, reader->expressions) ||
        ReadStart(source->paths[0], after, start) != StartKind::kComplete) {
        return false;
    }
    AddImages(reader, start, nullptr, after);
    return true;
}

}  // namespace

// The order of time is what patches need; rows of replicas are told of one by one. Where an error
// of the view must not fail the write, nothing is computed here that can fail.
bool MayPatch(const Changes* changes, const TriggerData* trigger) {
    const Projection* projection = changes->projection;
    return changes->source->patch != nullptr && PatchAllowed() &&
           projection->mode != Mode::kAsync && !changes->everything &&
           (projection->on_error == OnError::kAbort || changes->source->patch->infallible) &&
           TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) &&
           RelationGetRelid(trigger->tg_relation) == changes->source->relid &&
           !FollowedSinceStatement();
}

bool AddAsPatch(RowReader* reader, TupleTableSlot* before, TupleTableSlot* after) {
    return reader->patching &&
           (reader->changes->source->patch->copies ? PatchCopies(reader, before, after)
                                                   : PatchAggregate(reader, before, after));
}

}  // namespace freshcrm::projection
