// What all sessions know of a watched table, in shared memory: whether a change of it is recorded
// already that no refresh has seen, so that a writer need not record another.
//
// The protocol is in changes.hpp. Of each slot:
//  - `seeing` is how many refreshes are taking their snapshot now,
//  - `epoch` counts those that have taken it; it only grows, also when the slot is given to another
//    table, so that what is left of the last one's is never equal to it,
//  - `dirty` is the last epoch in which a change was recorded that is committed; never above epoch.
//
// It needs no shared_preload_libraries: 256 slots fit into what the server has to spare; preloaded,
// there are 2048. A refresh that finds none free takes the one that was not seen for longest; a
// writer makes none but a free one, and without one it records a change in each transaction.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pg_list.h"
}

namespace freshcrm::watch {

struct Slot;

// Finds or makes the memory, once a session; in a subtransaction, since it may fail.
void AttachSlots();

// The table's slot, or null. No lock is held in the usual case.
Slot* FindSlot(Oid relation);

struct Look {
    bool known_dirty;
    uint64 epoch;  // for SetDirty(); 0 while a refresh is taking its snapshot
};

// `slot` is what FindSlot() has returned; it may be another table's by now.
Look LookAt(Slot* slot, Oid relation);

// To be called when the transaction that was at LookAt(), and recorded the change, has committed
// and everybody sees that. Never fails.
void SetDirty(Slot* slot, uint64 epoch);

// While a refresh takes its snapshot. Between the two no LookAt() of these tables says that they
// are known to be dirty, and what it returns is no reason for one to say so afterwards. EndSeeing()
// never fails, and does nothing without a beginning: it is also for the end of a transaction.
void BeginSeeing(const List* relations);
void EndSeeing();

// Once a backend, or in the postmaster when preloaded.
void InitSlots();

}  // namespace freshcrm::watch
