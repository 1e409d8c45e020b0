// The only place where an error is swallowed: what raised it is undone.
//
//     if (!pg::TryInSubtransaction(ERRCODE_LOCK_NOT_AVAILABLE, [&] { … })) { … }
#pragma once

#include "pg/guard.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace freshcrm::pg {

// Runs `body` in a subtransaction. Returns false when it raised an error of this SQLSTATE: all that
// it did is undone then, and its locks are given back. Other errors are raised again.
template <typename Body>
bool TryInSubtransaction(int sqlstate, Body body) {
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    bool failed = false;
    bool expected = false;
    PendingError pending;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(context);
    try {
        Call(body);
    } catch (const ServerError& error) {
        failed = true;
        expected = error.sqlstate() == sqlstate;
        if (!expected) {
            pending = PendingError::FromCurrentException();
        }
    } catch (...) {
        failed = true;
        pending = PendingError::FromCurrentException();
    }
    if (failed) {
        RollbackAndReleaseCurrentSubTransaction();
    } else {
        ReleaseCurrentSubTransaction();
    }
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    if (failed && !expected) {
        pending.Raise();
    }
    return !failed;
}

}  // namespace freshcrm::pg
