#include "projection/wait.hpp"

#include "pg/names.hpp"
#include "projection/deferred.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/queue.hpp"
#include "projection/worker.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
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

void Sleep(int milliseconds) {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
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
        Sleep(milliseconds);
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
    const Definition* definition = FindDefinitionOf(target);
    if (definition == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("table %s is not a projection", pg::RelationForMessage(target)),
                        errhint("The view freshcrm.projections lists them.")));
    }
    CheckNothingOwn();
    return WaitForAll(definition, GetCurrentTimestamp() + microseconds);
}

}  // namespace freshcrm::projection
