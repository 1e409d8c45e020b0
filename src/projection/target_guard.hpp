// The guard of a target: a statement trigger that refuses every write but those of upkeep.
//
// Upkeep runs as the table's owner in a security-restricted operation (pg/owner_scope.hpp); the
// guard lets through what runs so, whatever statement it is, and keeps no state of its own. It
// fires in the replication roles origin and local only: an apply worker, or a load under
// session_replication_role = replica, writes freely. It is a fence, not a wall: the owner may
// disable or drop it, as any trigger. That makes nothing stale, so the projection's state stays
// current, but freshcrm.projections names it as a problem, and a repair restores the guard.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace freshcrm::projection {

// The body of freshcrm.guard_target(). Raises 42809, as the server does for a materialized view,
// unless the write is upkeep's or the table holds no projection whose triggers are complete.
void GuardTarget(const TriggerData* trigger);

bool IsGuard(const Trigger& trigger);

// Puts the guard on a table that has none, or none that fires at every write, as the current user.
// Within SPI.
void CreateGuard(Oid target);

// Takes it away where there is one; the table may be gone.
void DropGuard(Oid target);

}  // namespace freshcrm::projection
