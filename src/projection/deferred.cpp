#include "projection/deferred.hpp"

#include "pg/memory.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "projection/links.hpp"
#include "projection/maintain.hpp"
#include "projection/trace.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// In TopTransactionContext.
struct Deferred {
    MemoryContext context;
    List* changes;
};

Deferred* deferred = nullptr;

void UseDeferred() {
    if (deferred != nullptr) {
        return;
    }
    MemoryContext context =
        AllocSetContextCreate(TopTransactionContext, "freshcrm deferred", ALLOCSET_SMALL_SIZES);
    auto* made = static_cast<Deferred*>(MemoryContextAllocZero(context, sizeof(Deferred)));
    made->context = context;
    pg::OnReset(
        context, [](void*) { deferred = nullptr; }, nullptr);
    deferred = made;
}

// An error that was caught may have ended a flush in the middle.
void GetReady(Changes* changes) {
    if (changes->keep) {
        RewindChanges(changes);
    }
}

Changes* FindOrAdd(Projection* projection, Source* source) {
    ListCell* cell;
    foreach (cell, deferred->changes) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        if (changes->projection == projection && changes->source == source &&
            changes->mode == projection->mode) {
            GetReady(changes);
            return changes;
        }
    }
    ResourceOwner caller_owner = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    MemoryContext caller = MemoryContextSwitchTo(deferred->context);
    Changes* changes = MakeChanges(projection, source);
    deferred->changes = lappend(deferred->changes, changes);
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = caller_owner;
    return changes;
}

// After an error in the query the rows are gone with the statement that wrote them, and cannot be
// mapped any more.
void MapRows(Changes* changes) {
    Projection* projection = changes->projection;
    changes->reading = true;
    Maintain(projection, [&] {
        LockChangedLinks(projection, list_make1(changes));
        pg::PushFreshSnapshot();
        MapChangedRows(changes);
        PopActiveSnapshot();
    });
    changes->reading = false;
}

}  // namespace

bool Defer(Projection* projection, Source* source, const ChangeEvent& event) {
    UseDeferred();
    Changes* changes = FindOrAdd(projection, source);
    ReadEvent(changes, event);
    if (projection->mode == Mode::kCommit && changes->rows != nullptr &&
        tuplestore_tuple_count(changes->rows) > 0 && !changes->everything) {
        pg::Failure failure;
        if (projection->on_error == OnError::kAbort) {
            MapRows(changes);
        } else if (!pg::AttemptUnlessRetryable([&] { MapRows(changes); }, &failure)) {
            changes->everything = true;
        }
    }
    return AnyChange(changes);
}

void DoubtDeferred() {
    ListCell* cell;
    foreach (cell, deferred != nullptr ? deferred->changes : NIL) {
        DoubtPatches(static_cast<Changes*>(lfirst(cell)));
    }
}

bool AnyDeferred() {
    return deferred != nullptr && deferred->changes != NIL;
}

bool AnyDeferred(Mode mode) {
    ListCell* cell;
    foreach (cell, deferred != nullptr ? deferred->changes : NIL) {
        if (static_cast<Changes*>(lfirst(cell))->mode == mode) {
            return true;
        }
    }
    return false;
}

List* TakeDeferred(Mode mode) {
    const bool keep = GetCurrentTransactionNestLevel() > 1;
    List* taken = NIL;
    ListCell* cell;
    foreach (cell, deferred != nullptr ? deferred->changes : NIL) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        if (changes->mode == mode) {
            GetReady(changes);
            changes->keep = keep;
            taken = lappend(taken, changes);
            if (!keep) {
                deferred->changes = foreach_delete_current(deferred->changes, cell);
            }
        }
    }
    return taken;
}

void ForgetDeferred() {
    FinishAll(TakeDeferred(Mode::kCommit));
    FinishAll(TakeDeferred(Mode::kAsync));
}

}  // namespace freshcrm::projection
