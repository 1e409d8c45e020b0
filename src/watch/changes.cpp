#include "watch/changes.hpp"

#include "pg/full_xid.hpp"
#include "pg/lock_holders.hpp"
#include "pg/row_counts.hpp"
#include "pg/transaction.hpp"
#include "watch/change_table.hpp"
#include "watch/own_marks.hpp"
#include "watch/slots.hpp"

#include <algorithm>

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::watch {

namespace {

// Of the advisory class, as those of projection/locks.cpp: shared by who has taken a snapshot and
// has not recorded it yet, exclusive for who deletes what is recorded as seen.
constexpr uint16 kSeeingLock = 17930;

// Which transaction of this session has last taken a snapshot.
LocalTransactionId seeing_transaction = InvalidLocalTransactionId;

LOCKTAG SeeingTag() {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, kSeeingLock);
    return tag;
}

// Its own, once a transaction.
void AddOwnChange(Oid table, Slot* slot, uint64 epoch) {
    AddChange(table, GetTopFullTransactionId());
    Mark(table, slot, epoch);
}

// ---- The snapshot of a refresh, as pg_current_snapshot() makes one (xid8funcs.c).

uint64 Widened(TransactionId xid) {
    return U64FromFullTransactionId(pg::Widen(xid));
}

// The top transactions in progress, this one among them, as far as they are below `high`.
uint64* Running(Snapshot snapshot, uint64 high, uint32* count) {
    auto* xids =
        static_cast<uint64*>(palloc(sizeof(uint64) * (static_cast<Size>(snapshot->xcnt) + 1)));
    for (uint32 i = 0; i < snapshot->xcnt; ++i) {
        xids[i] = Widened(snapshot->xip[i]);
    }
    *count = snapshot->xcnt;
    const uint64 own = U64FromFullTransactionId(GetTopFullTransactionId());
    if (own < high) {
        xids[(*count)++] = own;
    }
    std::sort(xids, xids + *count);
    return xids;
}

// By way of its text, since its layout is the server's own.
Datum TakeSnapshot() {
    Snapshot snapshot = GetLatestSnapshot();
    const uint64 high = Widened(snapshot->xmax);
    uint32 count;
    const uint64* running = Running(snapshot, high, &count);
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, UINT64_FORMAT ":" UINT64_FORMAT ":", count > 0 ? running[0] : high,
                     high);
    for (uint32 i = 0; i < count; ++i) {
        appendStringInfo(&text, "%s" UINT64_FORMAT, i > 0 ? "," : "", running[i]);
    }
    return DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(text.data));
}

// SHARE conflicts with what writers take, ROW EXCLUSIVE and above.
bool AddChangesOnBehalf(const List* relations) {
    bool certain = true;
    ListCell* cell;
    foreach (cell, relations) {
        const Oid relation = lfirst_oid(cell);
        const bool all = pg::EachHolderOfConflictingLock(
            relation, ShareLock,
            [relation](TransactionId xid) { AddChange(relation, pg::Widen(xid)); });
        certain = certain && all;
    }
    return certain;
}

}  // namespace

void NoteChange(Oid relation) {
    if (IsMarked(relation)) {
        return;
    }
    (void)GetTopTransactionId();
    AttachSlots();
    Look look{};
    Slot* slot = FindSlot(relation);
    if (slot != nullptr) {
        pg_memory_barrier();
        look = LookAt(slot, relation);
    }
    if (!look.known_dirty) {
        AddOwnChange(relation, slot, look.epoch);
    }
}

void NoteUnlockedChange(Oid table) {
    if (!IsMarked(table)) {
        AddOwnChange(table, nullptr, 0);
    }
}

void NoteChange(const TriggerData* trigger) {
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.note_change() must be called AFTER a change"),
                        errhint("Watch tables with freshcrm.watch_table().")));
    }
    Relation table = trigger->tg_relation;
    const bool knows_rows = TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) &&
                            !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event);
    if (!RelationUsesLocalBuffers(table) && (!knows_rows || pg::MayHaveChangedRows(table))) {
        NoteChange(RelationGetRelid(table));
    }
}

bool SeeChanges(const List* relations, Datum* seen) {
    if (IsolationUsesXactSnapshot() || RecoveryInProgress() || XactReadOnly) {
        return false;
    }
    const LOCKTAG seeing = SeeingTag();
    (void)LockAcquire(&seeing, ShareLock, false, false);
    seeing_transaction = pg::CurrentTransactionNumber();
    (void)GetTopTransactionId();
    AttachSlots();
    BeginSeeing(relations);
    const bool certain = AddChangesOnBehalf(relations);
    if (certain) {
        *seen = TakeSnapshot();
    }
    EndSeeing();
    return certain;
}

bool FirstUnseenChange(Datum seen, const List* relations, TimestampTz* at) {
    return FindUnseenChange(seen, relations, at);
}

// A refresh that begins after the lock is given back takes a snapshot that sees what is deleted
// here, since that has ended.
uint64 ForgetSeenChanges() {
    const LOCKTAG seeing = SeeingTag();
    if (seeing_transaction == pg::CurrentTransactionNumber() ||
        LockAcquire(&seeing, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL) {
        return 0;
    }
    const uint64 deleted = DeleteSeenChanges();
    (void)LockRelease(&seeing, ExclusiveLock, false);
    return deleted;
}

void InitChanges() {
    InitSlots();
    InitMarks();
}

}  // namespace freshcrm::watch
