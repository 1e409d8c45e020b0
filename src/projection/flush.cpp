#include "projection/flush.hpp"

#include "pg/entry.hpp"
#include "pg/memory.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "projection/deferred.hpp"
#include "projection/definition.hpp"
#include "projection/halves.hpp"
#include "projection/links.hpp"
#include "projection/locks.hpp"
#include "projection/maintain.hpp"
#include "projection/narrow.hpp"
#include "projection/patch_alone.hpp"
#include "projection/queue.hpp"
#include "projection/recompute.hpp"
#include "projection/trace.hpp"
#include "projection/worker.hpp"

extern "C" {
#include "access/xact.h"
#include "storage/lmgr.h"
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

// What the paths of another lineage led to is not known any more.
bool AffectAllKeys(const Projection* projection, const List* changes) {
    ListCell* cell;
    foreach (cell, changes) {
        const auto* of_source = static_cast<Changes*>(lfirst(cell));
        const Fallback* fallback = of_source->source->fallback;
        if (of_source->everything || of_source->reading || of_source->projection != projection ||
            (fallback != nullptr && fallback->query == nullptr)) {
            return true;
        }
    }
    return false;
}

void QueueAll(const List* list, const char* error) {
    ListCell* cell;
    foreach (cell, list) {
        QueueChanges(static_cast<Changes*>(lfirst(cell)), error);
    }
}

// In a subtransaction; returns whether it succeeded, and leaves the changes as they were.
bool TryChanges(Projection* projection, const List* list, pg::Failure* failure) {
    ListCell* cell;
    foreach (cell, list) {
        static_cast<Changes*>(lfirst(cell))->keep = true;
    }
    const bool followed =
        pg::AttemptUnlessRetryable([&] { RecomputeChanges(projection, list, true); }, failure);
    foreach (cell, list) {
        RewindChanges(static_cast<Changes*>(lfirst(cell)));
    }
    return followed;
}

// What is changed stays locked, also when the rest is undone: a transaction that makes a link to it
// at the same time has to wait for this one, and then finds what this one did.
void RecomputeOrQueue(Projection* projection, const List* list) {
    auto* keep = static_cast<bool*>(palloc(sizeof(bool) * static_cast<Size>(list_length(list))));
    for (int i = 0; i < list_length(list); ++i) {
        keep[i] = static_cast<Changes*>(list_nth(list, i))->keep;
    }
    if (AffectAllKeys(projection, list)) {
        LockAllKeys(projection);
    } else {
        LockHalves(projection, list);
        LockChangedLinks(projection, list);
    }
    pg::Failure failure;
    if (!TryChanges(projection, list, &failure)) {
        QueueAll(list, failure.message);
        ereport(WARNING,
                (errcode(ERRCODE_WARNING),
                 errmsg("projection %s is stale: %s", projection->name, failure.message),
                 errdetail("The write goes on, as on_error says. What it affects is queued, and "
                           "tried again from time to time."),
                 errhint("The view freshcrm.projections shows what fails. CALL freshcrm.drain() "
                         "tries it at once.")));
    }
    for (int i = 0; i < list_length(list); ++i) {
        auto* changes = static_cast<Changes*>(list_nth(list, i));
        changes->keep = keep[i];
        FinishChanges(changes);
    }
}

void FlushNext() {
    const int32 id = NextProjection()->id;
    const List* list = TakeWaiting(id);
    if (!AnyChange(list)) {
        FinishAll(list);
        return;
    }
    Projection* projection = OpenMaintained(id);
    if (projection == nullptr) {
        FinishAll(list);  // dropped since
        return;
    }
    MoveTo(projection, list);
    if (PatchAlone(projection, list, queue->context)) {
        return;
    }
    Maintain(projection, [&] {
        SettleAll(list);
        if (projection->on_error == OnError::kStale) {
            RecomputeOrQueue(projection, list);
        } else {
            RecomputeChanges(projection, list, true);
        }
    });
}

// For a transaction that has dropped the extension.
void ForgetAll() {
    ForgetDeferred();
    ForgetToWake();
    if (queue != nullptr) {
        FinishAll(queue->waiting);
        MemoryContextDelete(queue->context);
    }
}

// A statement's last trigger flushes; here it is done for one that did not fire.
void FinishTransaction() {
    if ((queue != nullptr || AnyDeferred() || WakesAtCommit()) && !OidIsValid(DefinitionTable())) {
        ForgetAll();
    }
    // A transaction may have declared itself to be so after it wrote.
    const bool read_only = XactReadOnly;
    XactReadOnly = false;
    // The server has fired deferred triggers before; those on targets have been queued now, and may
    // write in turn.
    while (queue != nullptr || AnyDeferred()) {
        CHECK_FOR_INTERRUPTS();
        UseQueue();
        queue->nest_level = GetCurrentTransactionNestLevel();
        PushActiveSnapshot(GetTransactionSnapshot());  // no statement is running any more
        FlushDeferred();
        QueueDeferred();
        PopActiveSnapshot();
        AfterTriggerFireDeferred();
    }
    PrepareToWake();
    XactReadOnly = read_only;
}

void OnTransactionEvent(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE:
            FinishTransaction();
            break;
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PREPARE:
            Wake();
            break;
        case XACT_EVENT_ABORT:
            ForgetToWake();
            break;
        default:
            break;
    }
}

void DoubtWaiting() {
    ListCell* cell;
    foreach (cell, queue != nullptr ? queue->waiting : NIL) {
        DoubtPatches(static_cast<Changes*>(lfirst(cell)));
    }
}

void OnSubtransactionEvent(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    const int nest_level = GetCurrentTransactionNestLevel();
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        DoubtDeferred();
        DoubtWaiting();
    }
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

bool Enqueue(Projection* projection, Source* source, const ChangeEvent& event) {
    if (projection->mode == Mode::kAsync ||
        (projection->mode == Mode::kCommit && (queue == nullptr || !queue->at_end))) {
        return Defer(projection, source, event);
    }
    UseQueue();
    Changes* changes = FindWaiting(projection, source);
    if (changes == nullptr) {
        changes = AddWaiting(projection, source);
    }
    ReadEvent(changes, event);
    return AnyChange(changes);
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
    if (AnyDeferred(Mode::kCommit) && queue->frames == NIL) {
        MemoryContext caller = MemoryContextSwitchTo(queue->context);
        queue->waiting = list_concat(queue->waiting, TakeDeferred(Mode::kCommit));
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

void QueueDeferred() {
    List* taken = TakeDeferred(Mode::kAsync);
    ListCell* cell;
    // The lock that who drops the projection waits for was given back with what was rolled back.
    foreach (cell, taken) {
        LockRelationOid(static_cast<Changes*>(lfirst(cell))->projection->target, RowExclusiveLock);
    }
    QueueAll(taken, nullptr);
    FinishAll(taken);
}

bool TraceAffected(Projection* projection, const List* changes, KeySet* keys,
                   PatchedKeys* patched) {
    bool null_key = false;
    LockHalves(projection, changes);
    LockChangedLinks(projection, changes);
    pg::PushFreshSnapshot();
    ListCell* cell;
    foreach (cell, changes) {
        auto* of_source = static_cast<Changes*>(lfirst(cell));
        TraceKeys(of_source, keys);
        TracePatches(of_source, patched);
        null_key = null_key || of_source->null_key;
    }
    PopActiveSnapshot();
    if (keys->spill != nullptr) {
        for (int i = 0; i < patched->count; ++i) {
            Add(keys, patched->items[i].key);
        }
        patched->count = 0;
    }
    SortUnique(keys);
    SettlePatchedKeys(patched, keys);
    LockNewLinks(projection, changes, keys);
    return null_key;
}

void RecomputeChanges(Projection* projection, const List* changes, bool narrow) {
    const bool any = AnyChange(changes);
    if (any && AffectAllKeys(projection, changes)) {
        (void)RecomputeAll(projection);
    } else if (any) {
        KeySet keys = MakeProjectionKeys(projection, CurrentMemoryContext);
        PatchedKeys patched = MakePatchedKeys(CurrentMemoryContext);
        const bool null_key = TraceAffected(projection, changes, &keys, &patched);
        const Effect affected = narrow ? AffectedBy(changes) : kWholeRow;
        if (patched.count > 0) {
            RecomputeAndPatch(projection, changes, &keys, &patched, affected);
        } else {
            (void)RecomputeKeys(projection, &keys, Write::kIfDifferent, affected);
        }
        if (null_key) {
            CheckNoNullKey(projection);
        }
    }
    FinishAll(changes);
}

void InitFlush() {
    RegisterXactCallback(pg::XactEntry<OnTransactionEvent>, nullptr);
    RegisterSubXactCallback(pg::SubXactEntry<OnSubtransactionEvent>, nullptr);
}

}  // namespace freshcrm::projection
