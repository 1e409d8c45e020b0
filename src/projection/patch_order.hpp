// Whether what a trigger sees of a statement's rows may be applied as patches (patch.hpp).
//
// A patch says what changes, not what is: it must be applied once, and in order. A statement of a
// trigger, in the middle of an outer statement, has its changes followed before those of the outer
// one are seen; a recompute in between would have seen rows whose patches are still to come. So the
// rows of a statement are patches only if nothing has been followed since it began; and patches
// that wait (mode commit) are given up when any key of the projection is recomputed meanwhile
// (Projection::recomputed) or a subtransaction is rolled back.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// Something was captured or recomputed in this transaction, now.
void RememberFollowed();

// Since the statement began whose trigger this is: it runs under that statement's snapshot.
bool FollowedSinceStatement();

}  // namespace freshcrm::projection
