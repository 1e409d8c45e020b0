// When a projection is kept, and what becomes of a write when that fails.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

enum class Mode {
    kImmediate,  // at the end of the statement that writes
    kCommit,     // once, before the transaction commits or is prepared
};

// Raises 22023 for a name that is none, 0A000 for a mode or policy of a later version.
Mode ModeNamed(const char* name);
void CheckErrorPolicy(const char* name);

}  // namespace freshcrm::projection
