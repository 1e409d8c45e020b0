// The only place where an error is swallowed: what raised it is undone.
//
//     if (!pg::TryInSubtransaction(ERRCODE_LOCK_NOT_AVAILABLE, [&] { … })) { … }
//     if (!pg::Attempt([&] { … })) { … }
//     pg::Failure failure;
//     if (!pg::AttemptUnlessRetryable([&] { … }, &failure)) { … failure.message … }
#pragma once

#include "pg/guard.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace freshcrm::pg {

// An error that was swallowed, of a size that needs no allocation.
struct Failure {
    int sqlstate;
    char message[512];
};

// Runs `body` in a subtransaction. Returns false when it raised an error that `expected` is true
// for: all that it did is undone then, and its locks are given back. Other errors are
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
        swallow = expected(error);
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
    return InSubtransaction([&](const ServerError& error) { return error.sqlstate() == sqlstate; },
                            body);
}

// Any error but that of a statement that is cancelled.
template <typename Body>
bool Attempt(Body body) {
    return InSubtransaction(
        [](const ServerError& error) { return error.sqlstate() != ERRCODE_QUERY_CANCELED; }, body);
}

// Any error but those that another attempt of the whole transaction may not meet (class 40), and
// those of an operator (class 57).
template <typename Body>
bool AttemptUnlessRetryable(Body body, Failure* failure) {
    return InSubtransaction(
        [&](const ServerError& error) {
            failure->sqlstate = error.sqlstate();
            strlcpy(failure->message, error.what(), sizeof(failure->message));
            const int error_class = ERRCODE_TO_CATEGORY(error.sqlstate());
            return error_class != ERRCODE_TRANSACTION_ROLLBACK &&
                   error_class != ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED);
        },
        body);
}

}  // namespace freshcrm::pg
