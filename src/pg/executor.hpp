// The executor's hooks, and what differs in it between versions.
#pragma once

#include "pg/entry.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace freshcrm::pg {

// Runs a query to its end. After ExecutorStart().
inline void RunToEnd(QueryDesc* query) {
#if PG_VERSION_NUM < 180000
    ExecutorRun(query, ForwardScanDirection, 0, true);
#else
    ExecutorRun(query, ForwardScanDirection, 0);
#endif
    ExecutorFinish(query);
}

// To be called once, from _PG_init. Observer's functions are called for each query that the backend
// runs, and must call `next`, which does what they stand before:
//
//     struct Observer {
//         template <typename Next> static void Start(QueryDesc* query, int flags, Next next);
//         template <typename Next> static void Within(Next next);  // ExecutorRun, ExecutorFinish
//         template <typename Next> static void End(QueryDesc* query, Next next);
//     };
template <typename Observer>
void ObserveExecutor() {
    static const ExecutorStart_hook_type next_start =
        ExecutorStart_hook != nullptr ? ExecutorStart_hook : standard_ExecutorStart;
    static const ExecutorRun_hook_type next_run =
        ExecutorRun_hook != nullptr ? ExecutorRun_hook : standard_ExecutorRun;
    static const ExecutorFinish_hook_type next_finish =
        ExecutorFinish_hook != nullptr ? ExecutorFinish_hook : standard_ExecutorFinish;
    static const ExecutorEnd_hook_type next_end =
        ExecutorEnd_hook != nullptr ? ExecutorEnd_hook : standard_ExecutorEnd;
    ExecutorStart_hook = [](QueryDesc* query, int flags) {
        Enter([&] { Observer::Start(query, flags, [&] { next_start(query, flags); }); });
    };
#if PG_VERSION_NUM < 180000
    ExecutorRun_hook = [](QueryDesc* query, ScanDirection direction, uint64 count, bool once) {
        Enter([&] { Observer::Within([&] { next_run(query, direction, count, once); }); });
    };
#else
    ExecutorRun_hook = [](QueryDesc* query, ScanDirection direction, uint64 count) {
        Enter([&] { Observer::Within([&] { next_run(query, direction, count); }); });
    };
#endif
    ExecutorFinish_hook = [](QueryDesc* query) {
        Enter([&] { Observer::Within([&] { next_finish(query); }); });
    };
    ExecutorEnd_hook = [](QueryDesc* query) {
        Enter([&] { Observer::End(query, [&] { next_end(query); }); });
    };
}

}  // namespace freshcrm::pg
