#include "projection/drain.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "projection/definition.hpp"
#include "projection/flush.hpp"
#include "projection/locks.hpp"
#include "projection/maintain.hpp"
#include "projection/recompute.hpp"

extern "C" {
#include "tcop/pquery.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
}

namespace freshcrm::projection {

namespace {

// How many keys are tried together, when one of a batch has failed.
constexpr int kKeysAtOnce = 50;

// Two who follow at the same time would not see each other's rows of the target, which some paths
// read. Writers of mode async take no locks, so that one is enough.
void LockForDrain(const Projection* projection) {
    if (projection->mode == Mode::kAsync) {
        LockAllKeys(projection);
    }
}

// As pg::AttemptUnlessRetryable(); a lock that is not had in time is no failure of the view either.
template <typename Body>
bool Try(Body body, pg::Failure* failure) {
    if (pg::AttemptUnlessRetryable(body, failure)) {
        return true;
    }
    if (failure->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE) {
        ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE), errmsg("%s", failure->message)));
    }
    return false;
}

KeySet CopyKeys(const Projection* projection, const KeySet* piece, int from, int count) {
    KeySet keys = MakeProjectionKeys(projection, CurrentMemoryContext);
    for (int i = from; i < from + count; ++i) {
        Add(&keys, Tuple(piece, i));
    }
    SortUnique(&keys);
    return keys;
}

bool TryKeys(Projection* projection, const KeySet* piece, int from, int count,
             pg::Failure* failure) {
    return Try(
        [&] {
            KeySet keys = CopyKeys(projection, piece, from, count);
            (void)RecomputeKeys(projection, &keys);
        },
        failure);
}

// The keys that fail are put back.
void TryEachKey(Projection* projection, const KeySet* piece, const QueuedBatch* batch) {
    pg::Failure failure;
    if (TryKeys(projection, piece, 0, piece->count, &failure)) {
        return;
    }
    for (int i = 0; i < piece->count; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (!TryKeys(projection, piece, i, 1, &failure)) {
            KeySet key = CopyKeys(projection, piece, i, 1);
            QueueKeys(projection, &key, {batch->attempts + 1, batch->since, failure.message});
        }
    }
}

void DrainKeyByKey(Projection* projection, QueuedBatch* batch) {
    if (batch->everything) {
        (void)RecomputeAll(projection);
        return;
    }
    PatchedKeys none = MakePatchedKeys(CurrentMemoryContext);
    const bool null_key =
        TraceAffected(projection, batch->changes, &batch->keys, &none) || batch->null_key;
    for (KeySet piece; NextPiece(&batch->keys, kKeysAtOnce, &piece);) {
        TryEachKey(projection, &piece, batch);
    }
    pg::Failure failure;
    if (null_key && !Try([&] { CheckNoNullKey(projection); }, &failure)) {
        QueueNullKey(projection, {batch->attempts + 1, batch->since, failure.message});
    }
}

void DrainTogether(Projection* projection, QueuedBatch* batch) {
    if (batch->everything) {
        (void)RecomputeAll(projection);
        return;
    }
    RecomputeChanges(projection, batch->changes);
    SortUnique(&batch->keys);
    (void)RecomputeKeys(projection, &batch->keys);
    if (batch->null_key) {
        CheckNoNullKey(projection);
    }
}

// Takes entries and follows them with `follow`, all or nothing. Returns how many.
template <typename Follow>
int64 TakeAndFollow(int32 id, const Due& due, Follow follow) {
    Projection* projection = OpenMaintained(id);
    if (projection == nullptr) {
        return 0;
    }
    int64 rows = 0;
    Maintain(projection, [&] {
        LockForDrain(projection);
        QueuedBatch batch = TakeQueued(projection, due);
        rows = batch.rows;
        follow(projection, &batch);
    });
    return rows;
}

}  // namespace

Drained DrainBatch(int32 projection, const Due& due) {
    pg::Failure failure;
    Drained drained{};
    if (Try([&] { drained.rows = TakeAndFollow(projection, due, DrainTogether); }, &failure)) {
        return drained;
    }
    drained.failed = true;
    if (!Try([&] { drained.rows = TakeAndFollow(projection, due, DrainKeyByKey); }, &failure)) {
        MarkFailed(projection, due, failure.message);
    }
    return drained;
}

void DrainAll(int32 projection, bool own) {
    const Due due{GetCurrentTimestamp(), true, own};
    while (DrainBatch(projection, due).rows > 0) {
        CHECK_FOR_INTERRUPTS();
    }
}

// To compare is not enough for what has been queued: a writer who does not see the change of a link
// is changing what it leads to now, and waits only for who locks that.
void DrainOrForget(const Projection* projection) {
    DrainAll(projection->id, false);
    if (LastError(projection->id) != nullptr) {
        LockAllKeys(projection);
        ForgetQueued(projection->id, false);
    }
}

void Drain(Oid target, bool atomic) {
    const int32 only = OidIsValid(target) ? FindOwned(target)->id : 0;
    const Due due{GetCurrentTimestamp(), true, false};
    for (bool any = true; any;) {
        CHECK_FOR_INTERRUPTS();
        any = false;
        const List* ids = only != 0 ? list_make1_int(only) : QueuedProjections(due);
        ListCell* cell;
        foreach (cell, ids) {
            any = DrainBatch(lfirst_int(cell), due).rows > 0 || any;
            if (!atomic) {
                SPI_commit();
                EnsurePortalSnapshotExists();
            }
        }
    }
}

}  // namespace freshcrm::projection
