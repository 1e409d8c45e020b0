// For which tables this transaction has recorded a change.
#pragma once

#include "watch/slots.hpp"

namespace freshcrm::watch {

// Not so after a savepoint that it was recorded in is rolled back.
bool IsMarked(Oid relation);

// When the transaction commits, SetDirty() is called with slot and epoch; unless the epoch is 0, or
// it is prepared: who commits it then does not know.
void Mark(Oid relation, Slot* slot, uint64 epoch);

// Not while a savepoint ends, when the changes of projections may still be followed.
bool MayBeginSubtransaction();

// Once a backend, or in the postmaster when preloaded.
void InitMarks();

}  // namespace freshcrm::watch
