// The only place where an error is swallowed: what raised it is undone.
//
//     if (!pg::TryInSubtransaction(ERRCODE_LOCK_NOT_AVAILABLE, [&] { … })) { … }
//     if (!pg::Attempt([&] { … })) { … }
#pragma once

#include "pg/guard.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace freshcrm::pg {

// Runs `body` in a subtransaction. Returns false when it raised an error whose SQLSTATE `expected`
// is true for: all that it did is undone then, and its locks are given back. Other errors are
// raised again.
template <typename Expected, typename Body>
bool InSubtransaction(Expected expected, Body body) {
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    bool failed = false;
    bool swallow = false;
    PendingError pending;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(context);
    try {
        Call(body);
    } catch (const ServerError& error) {
        failed = true;
        swallow = expected(error.sqlstate());
        if (!swallow) {
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
    if (failed && !swallow) {
        pending.Raise();
    }
    return !failed;
}

template <typename Body>
bool TryInSubtransaction(int sqlstate, Body body) {
    return InSubtransaction([&](int raised) { return raised == sqlstate; }, body);
}

// Any error but that of a statement that is cancelled.
template <typename Body>
bool Attempt(Body body) {
    return InSubtransaction([](int raised) { return raised != ERRCODE_QUERY_CANCELED; }, body);
}

}  // namespace freshcrm::pg
