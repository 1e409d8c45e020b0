// Runs what may fail without failing with it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace freshcrm::pg {

// Runs `body`, in which nothing may have a destructor, in a subtransaction. Returns whether it
// ended without an error; what it did is undone otherwise. A cancelled statement ends all the same.
template <typename Body>
bool Attempt(Body body) {
    MemoryContext caller = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    volatile bool done = false;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(caller);
    PG_TRY();
    {
        body();
        ReleaseCurrentSubTransaction();
        done = true;
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        ErrorData* error = CopyErrorData();
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) {
            PG_RE_THROW();
        }
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = owner;
    return done;
}

}  // namespace freshcrm::pg
