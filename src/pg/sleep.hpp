// Sleeping as a backend does.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace freshcrm::pg {

// So long, or until somebody wakes this process; ends with the postmaster, raises what interrupts.
inline void Sleep(int64 milliseconds) {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                    static_cast<long>(milliseconds), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

}  // namespace freshcrm::pg
