#include "watch/own_marks.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/memutils.h"
}

namespace freshcrm::watch {

namespace {

struct OwnMark {
    Oid relation;
    SubTransactionId subtransaction;
    Slot* slot;
    uint64 epoch;
};

// In TopTransactionContext.
OwnMark* marks = nullptr;
int count = 0;
int capacity = 0;

bool savepoint_ends = false;

void Grow() {
    const int wanted = capacity == 0 ? 8 : capacity * 2;
    const Size size = sizeof(OwnMark) * static_cast<Size>(wanted);
    marks = static_cast<OwnMark*>(marks == nullptr ? MemoryContextAlloc(TopTransactionContext, size)
                                                   : repalloc(marks, size));
    capacity = wanted;
}

void Forget() {
    marks = nullptr;
    count = 0;
    capacity = 0;
}

// These two call nothing that may raise.
void AtEnd(XactEvent event, void*) {
    if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE ||
        event == XACT_EVENT_PARALLEL_PRE_COMMIT) {
        return;
    }
    if (event == XACT_EVENT_COMMIT) {
        for (int i = 0; i < count; ++i) {
            if (marks[i].epoch > 0) {
                SetDirty(marks[i].slot, marks[i].epoch);
            }
        }
    }
    Forget();
    EndSeeing();
    savepoint_ends = false;
}

void AtSubEnd(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void*) {
    savepoint_ends = event == SUBXACT_EVENT_PRE_COMMIT_SUB;
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
        for (int i = 0; i < count; ++i) {
            if (marks[i].subtransaction == own) {
                marks[i].subtransaction = parent;
            }
        }
    } else if (event == SUBXACT_EVENT_ABORT_SUB) {
        int kept = 0;
        for (int i = 0; i < count; ++i) {
            if (marks[i].subtransaction != own) {
                marks[kept++] = marks[i];
            }
        }
        count = kept;
        EndSeeing();
    }
}

}  // namespace

bool MayBeginSubtransaction() {
    return !savepoint_ends;
}

bool IsMarked(Oid relation) {
    for (int i = count - 1; i >= 0; --i) {
        if (marks[i].relation == relation) {
            return true;
        }
    }
    return false;
}

void Mark(Oid relation, Slot* slot, uint64 epoch) {
    if (count == capacity) {
        Grow();
    }
    marks[count++] = {relation, GetCurrentSubTransactionId(), slot, epoch};
}

void InitMarks() {
    RegisterXactCallback(AtEnd, nullptr);
    RegisterSubXactCallback(AtSubEnd, nullptr);
}

}  // namespace freshcrm::watch
