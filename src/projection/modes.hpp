// When a projection is kept, and what becomes of a write when that fails.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

enum class Mode {
    kImmediate,  // at the end of the statement that writes
    kCommit,     // once, before the transaction commits or is prepared
    kAsync,      // after it has committed, by a background worker
};

enum class OnError {
    kAbort,  // the write fails too
    kStale,  // what could not be followed is queued, and tried again later
};

// Raise 22023 for a name that is none.
Mode ModeNamed(const char* name);
OnError ErrorPolicyNamed(const char* name);

}  // namespace freshcrm::projection
