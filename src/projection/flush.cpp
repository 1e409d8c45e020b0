#include "projection/flush.hpp"

#include "pg/entry.hpp"
#include "pg/memory.hpp"
#include "pg/spi.hpp"
#include "projection/deferred.hpp"
#include "projection/halves.hpp"
#include "projection/links.hpp"
#include "projection/maintain.hpp"
#include "projection/recompute.hpp"
#include "projection/trace.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// Something that keeps the queue from being worked off by others.
struct Frame {
    int32 writing;   // the projection whose rows are being written, or 0: a flush
    int nest_level;  // of the (sub)transaction that began it
};

// Lives in the context of the (sub)transaction that began it: an error that aborts that takes the
// queue away with the changes.
struct Queue {
    MemoryContext context;
    ResourceOwner owner;
    int nest_level;
    List* waiting;  // of Changes*
    List* frames;   // of Frame*, the innermost last
    bool at_end;    // what is deferred is being worked off: nothing more is deferred
};

Queue* queue = nullptr;

void UseQueue() {
    if (queue != nullptr) {
        return;
    }
    MemoryContext context =
        AllocSetContextCreate(CurTransactionContext, "freshcrm queue", ALLOCSET_SMALL_SIZES);
    auto* made = static_cast<Queue*>(MemoryContextAllocZero(context, sizeof(Queue)));
    made->context = context;
    made->owner = CurTransactionResourceOwner;
    made->nest_level = GetCurrentTransactionNestLevel();
    pg::OnReset(
        context, [](void*) { queue = nullptr; }, nullptr);
    queue = made;
}

void Push(int32 writing) {
    MemoryContext caller = MemoryContextSwitchTo(queue->context);
    auto* frame = static_cast<Frame*>(palloc(sizeof(Frame)));
    *frame = {writing, GetCurrentTransactionNestLevel()};
    queue->frames = lappend(queue->frames, frame);
    MemoryContextSwitchTo(caller);
}

void Pop() {
    pfree(llast(queue->frames));
    queue->frames = list_delete_last(queue->frames);
}

bool IsBeingWritten(const Projection* projection) {
    ListCell* cell;
    foreach (cell, queue->frames) {
        if (static_cast<Frame*>(lfirst(cell))->writing == projection->id) {
            return true;
        }
    }
    return false;
}

Changes* FindWaiting(const Projection* projection, const Source* source) {
    ListCell* cell;
    foreach (cell, queue->waiting) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        if (changes->projection == projection && changes->source == source) {
            return changes;
        }
    }
    return nullptr;
}

Changes* AddWaiting(Projection* projection, Source* source) {
    ResourceOwner caller_owner = CurrentResourceOwner;
    CurrentResourceOwner = queue->owner;
    MemoryContext caller = MemoryContextSwitchTo(queue->context);
    Changes* changes = MakeChanges(projection, source);
    queue->waiting = lappend(queue->waiting, changes);
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = caller_owner;
    return changes;
}

// A projection that is made of none of the others that wait.
const Projection* NextProjection() {
    const Projection* next = nullptr;
    ListCell* cell;
    foreach (cell, queue->waiting) {
        const auto* changes = static_cast<Changes*>(lfirst(cell));
        if (next == nullptr || changes->projection->rank < next->rank) {
            next = changes->projection;
        }
    }
    return next;
}

// Takes the changes of a projection out of the queue.
List* TakeWaiting(int32 id) {
    MemoryContext caller = MemoryContextSwitchTo(queue->context);
    List* taken = NIL;
    ListCell* cell;
    foreach (cell, queue->waiting) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        if (changes->projection->id == id) {
            taken = lappend(taken, changes);
            queue->waiting = foreach_delete_current(queue->waiting, cell);
        }
    }
    MemoryContextSwitchTo(caller);
    return taken;
}

// What the paths of a lineage that has been replaced since led to is not known any more.
bool AffectAllKeys(const Projection* projection, const List* list) {
    ListCell* cell;
    foreach (cell, list) {
        const auto* changes = static_cast<Changes*>(lfirst(cell));
        const Fallback* fallback = changes->source->fallback;
        if (changes->everything || changes->reading || changes->projection != projection ||
            (fallback != nullptr && fallback->query == nullptr)) {
            return true;
        }
    }
    return false;
}

void RecomputeAffectedKeys(Projection* projection, const List* list) {
    KeySet keys = MakeProjectionKeys(projection, CurrentMemoryContext);
    bool null_key = false;
    LockHalves(projection, list);
    LockChangedLinks(projection, list);
    pg::PushFreshSnapshot();
    ListCell* cell;
    foreach (cell, list) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        TraceKeys(changes, &keys);
        null_key = null_key || changes->null_key;
    }
    PopActiveSnapshot();
    SortUnique(&keys);
    LockNewLinks(projection, list, &keys);
    (void)RecomputeKeys(projection, &keys);
    if (null_key) {
        CheckNoNullKey(projection);
    }
}

void FlushNext() {
    const int32 id = NextProjection()->id;
    const List* list = TakeWaiting(id);
    Projection* projection = OpenMaintained(id);
    if (projection == nullptr) {
        return;  // dropped since
    }
    Maintain(projection, [&] { RecomputeChanges(projection, list); });
}

// A statement's last trigger flushes; here it is done for one that did not fire.
void OnTransactionEvent(XactEvent event, void*) {
    if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) {
        return;
    }
    // The server has fired deferred triggers before; those on targets have been queued now, and may
    // write in turn.
    while (queue != nullptr || AnyDeferred()) {
        UseQueue();
        queue->nest_level = GetCurrentTransactionNestLevel();
        PushActiveSnapshot(GetTransactionSnapshot());  // no statement is running any more
        FlushDeferred();
        PopActiveSnapshot();
        AfterTriggerFireDeferred();
    }
}

void OnSubtransactionEvent(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    const int nest_level = GetCurrentTransactionNestLevel();
    if (queue == nullptr) {
        return;
    }
    if (event == SUBXACT_EVENT_PRE_COMMIT_SUB && queue->nest_level == nest_level) {
        Flush();
    }
    // An error has left what the subtransaction began; a trigger's exception block goes on.
    while (event == SUBXACT_EVENT_ABORT_SUB && queue->frames != NIL &&
           static_cast<Frame*>(llast(queue->frames))->nest_level >= nest_level) {
        Pop();
    }
}

}  // namespace

void Enqueue(Projection* projection, Source* source, const TriggerData* trigger) {
    if (projection->mode == Mode::kCommit && (queue == nullptr || !queue->at_end)) {
        Defer(projection, source, trigger);
        return;
    }
    UseQueue();
    Changes* changes = FindWaiting(projection, source);
    if (changes == nullptr) {
        changes = AddWaiting(projection, source);
    }
    ReadTrigger(changes, trigger);
}

// What an outer statement has put into the queue waits for that statement's last trigger: followed
// within a subtransaction that a trigger in between has begun, it would be undone with that one.
void Flush() {
    if (queue == nullptr || queue->frames != NIL ||
        queue->nest_level != GetCurrentTransactionNestLevel()) {
        return;
    }
    Push(0);
    while (queue->waiting != NIL) {
        CHECK_FOR_INTERRUPTS();
        FlushNext();
    }
    MemoryContextDelete(queue->context);
}

void FlushDeferred() {
    UseQueue();
    if (AnyDeferred() && queue->frames == NIL) {
        MemoryContext caller = MemoryContextSwitchTo(queue->context);
        queue->waiting = list_concat(queue->waiting, TakeDeferred());
        queue->at_end = true;
        MemoryContextSwitchTo(caller);
    }
    Flush();
}

void BeginWrite(const Projection* projection) {
    UseQueue();
    if (IsBeingWritten(projection)) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("projection %s is being written", projection->name),
                        errdetail("A trigger on its table asked for it to be recomputed."),
                        errhint("Let the trigger write to base tables: what follows from that is "
                                "recomputed by itself.")));
    }
    Push(projection->id);
}

void EndWrite() {
    Pop();
    Flush();
}

void RecomputeChanges(Projection* projection, const List* changes) {
    bool any = false;
    ListCell* cell;
    foreach (cell, changes) {
        any = any || AnyChange(static_cast<Changes*>(lfirst(cell)));
    }
    if (any && AffectAllKeys(projection, changes)) {
        (void)RecomputeAll(projection);
    } else if (any) {
        RecomputeAffectedKeys(projection, changes);
    }
    foreach (cell, changes) {
        FinishChanges(static_cast<Changes*>(lfirst(cell)));
    }
}

void InitFlush() {
    RegisterXactCallback(pg::XactEntry<OnTransactionEvent>, nullptr);
    RegisterSubXactCallback(pg::SubXactEntry<OnSubtransactionEvent>, nullptr);
}

}  // namespace freshcrm::projection
