#include "projection/wait.hpp"

#include "pg/sleep.hpp"
#include "projection/deferred.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/projection.hpp"
#include "projection/queue.hpp"
#include "projection/worker.hpp"

extern "C" {
#include "miscadmin.h"
#include "utils/timestamp.h"
}

namespace freshcrm::projection {

namespace {

constexpr int kMostMilliseconds = 20;

void CheckNothingOwn() {
    if (AnyDeferred(Mode::kAsync)) {
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("cannot wait for what this transaction has written"),
             errdetail("Projections of mode async follow a transaction after it has committed."),
             errhint("Commit, and call freshcrm.wait_for() in the next transaction.")));
    }
}

// Returns whether nothing of what is committed by now is left.
bool WaitForOne(int32 id, TimestampTz until) {
    const char* committed = CommittedByNow();
    for (int milliseconds = 1;; milliseconds = Min(milliseconds * 2, kMostMilliseconds)) {
        const Pending pending = PendingSince(id, committed);
        if (pending != Pending::kSome) {
            return pending == Pending::kNone;
        }
        if (GetCurrentTimestamp() >= until) {
            return false;
        }
        StartWorker();
        pg::Sleep(milliseconds);
    }
}

// What the projection is made of first: what these follow is queued for it then.
bool WaitForAll(const Definition* definition, TimestampTz until) {
    check_stack_depth();
    ListCell* cell;
    foreach (cell, BaseTables(definition->source)) {
        const Definition* below = FindDefinitionOf(lfirst_oid(cell));
        if (below != nullptr && !WaitForAll(below, until)) {
            return false;
        }
    }
    return WaitForOne(definition->id, until);
}

}  // namespace

bool WaitFor(Oid target, int64 microseconds) {
    const Definition* definition = FindTarget(target);
    CheckNothingOwn();
    return WaitForAll(definition, GetCurrentTimestamp() + microseconds);
}

}  // namespace freshcrm::projection
