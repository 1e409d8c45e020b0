// Calls from C++ into the server that may raise an error, made while objects with destructors live.
//
//     std::vector<Edge> edges;
//     Oid type = pg::Call([&] { return get_atttype(relid, attnum); });
//
// A guard costs a sigsetjmp (some ten nanoseconds): guard a batch, never a tuple. Code in which
// nothing has a destructor (plain structs, palloc) needs no guard at all.
#pragma once

#include <setjmp.h>

#include <type_traits>

#include "pg/error.hpp"

namespace freshcrm::pg {

// Puts back what a PG_TRY block puts back, on every way out: also when a C++ exception passes,
// which PG_TRY itself would not survive (it would leave PG_exception_stack dangling).
class ExceptionStackScope {
  public:
    ExceptionStackScope() : jump_(PG_exception_stack), callbacks_(error_context_stack) {}
    ExceptionStackScope(const ExceptionStackScope&) = delete;
    ExceptionStackScope& operator=(const ExceptionStackScope&) = delete;
    ~ExceptionStackScope() {
        PG_exception_stack = jump_;
        error_context_stack = callbacks_;
    }

  private:
    sigjmp_buf* jump_;
    ErrorContextCallback* callbacks_;
};

// Runs `f`; a server error raised in it leaves as a ServerError, and an exception as it is. Either
// way the current memory context is that of the caller again. A longjmp skips the destructors of
// what `f` holds, so what it captures and returns must need none; objects made inside `f` must not
// be alive at a call that may raise.
template <typename F>
auto Call(F f) -> std::invoke_result_t<F&> {
    using Result = std::invoke_result_t<F&>;
    static_assert(std::is_trivially_destructible_v<F>,
                  "a guarded call may capture only what needs no destructor: capture by reference");
    static_assert(std::is_void_v<Result> || std::is_trivially_destructible_v<Result>,
                  "a guarded call may return only what needs no destructor");

    const MemoryContext caller = CurrentMemoryContext;
    const ExceptionStackScope scope;
    sigjmp_buf here;
    if (sigsetjmp(here, 0) == 0) {
        PG_exception_stack = &here;
        try {
            return f();
        } catch (...) {
            MemoryContextSwitchTo(caller);
            throw;
        }
    }
    throw ServerError::Capture(caller);
}

}  // namespace freshcrm::pg
