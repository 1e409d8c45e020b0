// Where the server calls freshcrm: SQL functions, triggers, callbacks.
//
// Every function that the backend calls goes through one of these wrappers. They catch every C++
// exception, leave the catch block, and only then raise, so that no exception reaches the server's
// C frames and no longjmp leaves a catch block. A server error raised where nothing has a
// destructor passes through them untouched.
//
//     FRESHCRM_FUNCTION(freshcrm_sha256_hex) {       // CREATE FUNCTION … 'freshcrm_sha256_hex'
//         text* value = PG_GETARG_TEXT_PP(0);
//         …
//     }
#pragma once

#include "pg/guard.hpp"

extern "C" {
#include "storage/lwlock.h"
}

namespace freshcrm::pg {

// Runs a body that may throw; what it throws is raised outside the catch block, with the error
// context of the caller: that of the frames that the exception left is gone with them.
template <typename F>
auto Enter(F body) -> std::invoke_result_t<F&> {
    sigjmp_buf* const exception_stack = PG_exception_stack;
    ErrorContextCallback* const context_stack = error_context_stack;
    PendingError pending;
    try {
        return body();
    } catch (...) {
        pending = PendingError::FromCurrentException();
    }
    PG_exception_stack = exception_stack;
    error_context_stack = context_stack;
    pending.Raise();
}

// Runs a body where the server no longer takes an error: whatever it throws or raises is reported
// as a warning. This is a last resort, that a mistake may not end the server: such a body must do
// nothing that may raise. Returns whether nothing went wrong.
template <typename F>
bool EnterWithoutFailing(F body) {
    const uint32 interrupts_held = InterruptHoldoffCount;
    const uint32 cancels_held = QueryCancelHoldoffCount;
    PendingError pending;
    try {
        Call(body);
        return true;
    } catch (...) {
        pending = PendingError::FromCurrentException();
    }
    // errfinish() has set them to zero; the caller will count them down.
    InterruptHoldoffCount = interrupts_held;
    QueryCancelHoldoffCount = cancels_held;
    pending.Warn();
    return false;
}

// A transaction callback, to be given to RegisterXactCallback():
//     RegisterXactCallback(pg::XactEntry<MyBody>, nullptr);
// Before commit or prepare an error aborts the transaction. After the decision it would end the
// server (PANIC), and a transaction that aborts cannot fail: there it is a warning.
template <void (*Body)(XactEvent, void*)>
void XactEntry(XactEvent event, void* arg) {
    const bool may_fail = event == XACT_EVENT_PRE_COMMIT ||
                          event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
                          event == XACT_EVENT_PRE_PREPARE;
    if (may_fail) {
        Enter([&] { Body(event, arg); });
    } else if (!EnterWithoutFailing([&] { Body(event, arg); })) {
        // The server holds none at this point, and nobody else would give back what an error left.
        LWLockReleaseAll();
    }
}

// A subtransaction callback, to be given to RegisterSubXactCallback(); likewise.
template <void (*Body)(SubXactEvent, SubTransactionId, SubTransactionId, void*)>
void SubXactEntry(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void* arg) {
    if (event == SUBXACT_EVENT_PRE_COMMIT_SUB || event == SUBXACT_EVENT_START_SUB) {
        Enter([&] { Body(event, own, parent, arg); });
    } else {
        EnterWithoutFailing([&] { Body(event, own, parent, arg); });
    }
}

// A relation-cache callback, to be given to CacheRegisterRelcacheCallback(). Its body must only
// mark what it keeps as out of date.
template <void (*Body)(Oid)>
void RelcacheEntry(Datum, Oid relid) {
    EnterWithoutFailing([&] { Body(relid); });
}

}  // namespace freshcrm::pg

// Defines a function that SQL can call (a trigger function is one too) and starts its body.
// PostgreSQL 15's PG_FUNCTION_INFO_V1 exports the info record only, not the function.
#define FRESHCRM_FUNCTION(name)                                          \
    extern "C" {                                                         \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                            \
    PG_FUNCTION_INFO_V1(name);                                           \
    }                                                                    \
    static Datum name##_body(FunctionCallInfo fcinfo);                   \
    extern "C" Datum name(PG_FUNCTION_ARGS) {                            \
        return freshcrm::pg::Enter([&] { return name##_body(fcinfo); }); \
    }                                                                    \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)

// The same with a way out in front, for what is called for every row: `shortcut` is called first,
// with the arguments and a pointer to the result, and returns whether it has set it. It is noexcept
// and calls nothing of the server that may raise, so that it needs nothing of what Enter() does.
//
//     static bool Shortcut(FunctionCallInfo fcinfo, Datum* result) noexcept {…}
//     FRESHCRM_FUNCTION_WITH_SHORTCUT(freshcrm_event_add, Shortcut) {…}
#define FRESHCRM_FUNCTION_WITH_SHORTCUT(name, shortcut)                    \
    extern "C" {                                                           \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                              \
    PG_FUNCTION_INFO_V1(name);                                             \
    }                                                                      \
    static Datum name##_body(FunctionCallInfo fcinfo);                     \
    [[gnu::noinline]] static Datum name##_entry(FunctionCallInfo fcinfo) { \
        return freshcrm::pg::Enter([&] { return name##_body(fcinfo); });   \
    }                                                                      \
    extern "C" Datum name(PG_FUNCTION_ARGS) {                              \
        Datum result;                                                      \
        static_assert(noexcept(shortcut(fcinfo, &result)));                \
        return shortcut(fcinfo, &result) ? result : name##_entry(fcinfo);  \
    }                                                                      \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
