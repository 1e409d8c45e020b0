#include "projection/patch_alone.hpp"

#include "projection/locks.hpp"
#include "projection/maintain.hpp"
#include "projection/narrow.hpp"
#include "projection/patching.hpp"
#include "projection/recompute.hpp"
#include "projection/target_writer.hpp"

namespace freshcrm::projection {

namespace {

// Whether following the changes calls nothing that needs the owner's rights and settings, nor SPI.
bool AreHarmless(const Projection* projection, const List* list) {
    if (projection->on_error == OnError::kStale || !OnlyPatches(list)) {
        return false;
    }
    ListCell* cell;
    foreach (cell, list) {
        const auto* changes = static_cast<Changes*>(lfirst(cell));
        const Source* source = changes->source;
        if (changes->projection != projection || !projection->layout->harmless ||
            !source->patch->harmless || !source->paths[0].direct()) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool PatchAlone(Projection* projection, const List* list, MemoryContext context) {
    if (!AreHarmless(projection, list)) {
        return false;
    }
    SettleAll(list);
    if (!OnlyPatches(list)) {
        return false;
    }
    MemoryContext caller = MemoryContextSwitchTo(context);
    KeySet again = MakeProjectionKeys(projection, context);
    InContext(projection, [&] {
        PatchedKeys patched = MakePatchedKeys(context);
        ListCell* cell;
        foreach (cell, list) {
            TracePatches(static_cast<Changes*>(lfirst(cell)), &patched);
        }
        SettlePatchedKeys(&patched, &again);
        LockKeys(projection, &again, &patched);
        ApplyPatches(projection, &patched, &again);
    });
    if (!IsEmpty(&again)) {
        Maintain(projection, [&] { RecomputeLocked(projection, &again, AffectedBy(list)); });
    }
    FinishAll(list);
    MemoryContextSwitchTo(caller);
    return true;
}

}  // namespace freshcrm::projection
