#include "refresh/time_limit.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"
}

#include <algorithm>
#include <climits>
#include <csignal>

namespace freshcrm::refresh {

namespace {

TimeoutId timeout;
bool registered = false;
bool running = false;
volatile sig_atomic_t time_is_up = 0;

// In a signal handler: what the server's own handler of SIGINT does (tcop/postgres.c,
// StatementCancelHandler).
void Expire() {
    time_is_up = 1;
    QueryCancelPending = 1;
    InterruptPending = 1;
    SetLatch(MyLatch);
}

}  // namespace

void StartTimeLimit(int64 milliseconds) {
    time_is_up = 0;
    running = milliseconds > 0;
    if (!running) {
        return;
    }
    if (!registered) {
        timeout = RegisterTimeout(USER_TIMEOUT, Expire);
        registered = true;
    }
    enable_timeout_after(timeout, static_cast<int>(std::min<int64>(milliseconds, INT_MAX)));
}

bool StopTimeLimit() {
    if (!running) {
        return false;
    }
    running = false;
    disable_timeout(timeout, false);
    if (time_is_up == 0) {
        return false;
    }
    // It may have come too late to cancel anything of ours, and must not cancel what comes next.
    QueryCancelPending = 0;
    return true;
}

}  // namespace freshcrm::refresh
