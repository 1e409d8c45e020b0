// Waiting for a projection of mode async to show what has been committed.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// Waits until the projection shows all that was committed before the call, or until `microseconds`
// have passed. Returns whether it does: false at once when some of it cannot be followed. Raises
// 42704 when it is no projection, 55000 when the transaction itself has written what is followed
// after its end.
bool WaitFor(Oid target, int64 microseconds);

}  // namespace freshcrm::projection
