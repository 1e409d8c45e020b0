// The background worker that follows what is in freshcrm.queue: one a database, while there is
// something to do.
//
// It is started by who queues something, needs no shared_preload_libraries, and leaves when the
// queue has been empty for a second, so that nothing of it is in the way of DROP DATABASE. The
// postmaster starts it again after a crash. What failed is tried again later by a successor that
// is not connected to the database before its time.
//
// No wake-up is lost: who queues holds ROW EXCLUSIVE on freshcrm.queue from before it reads
// freshcrm.worker until after it has woken what it found there. The worker, before it leaves, takes
// its name out, and then needs SHARE on freshcrm.queue to look for the last time.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// The worker is to be woken, or started, when this transaction commits or is prepared.
void WakeAtCommit();
bool WakesAtCommit();

// To be called before it is committed or prepared, by who may raise errors, and after.
void PrepareToWake();
void Wake();
void ForgetToWake();

// Starts it, if it is not running.
void StartWorker();

}  // namespace freshcrm::projection
