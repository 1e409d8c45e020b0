// Draining: following what is in freshcrm.queue (queue.hpp).
//
// What an entry leads to is looked for when it is followed, after its transaction has committed, so
// that a link that another transaction makes at the same time is found by one of the two, whichever
// is followed after both have committed. So mode async needs no locks in the writer. Entries of
// on_error stale are of projections whose writers do take locks; following them takes the same.
#pragma once

#include "projection/queue.hpp"

namespace freshcrm::projection {

struct Drained {
    int64 rows;
    bool failed;  // not all of them
};

// Follows some entries of a projection in the current transaction. What fails is tried key by key,
// and what of that fails is put back with the error. Raises only errors that another attempt may
// not meet: of classes 40 and 57, and 55P03.
Drained DrainBatch(int32 projection, const Due& due);

// All that have been committed, and those of the current transaction: nobody else may write to what
// the projection reads, or has and has not committed.
void DrainAll(int32 projection);

// CALL freshcrm.drain(): of all projections, or one; committed batch by batch unless `atomic`.
void Drain(Oid target, bool atomic);

}  // namespace freshcrm::projection
