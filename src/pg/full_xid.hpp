// Transaction ids that do not wrap around.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/transam.h"
}

namespace freshcrm::pg {

// Of a transaction that is running, or of one that a snapshot taken now mentions.
inline FullTransactionId Widen(TransactionId xid) {
    const FullTransactionId next = ReadNextFullTransactionId();
    uint32 epoch = EpochFromFullTransactionId(next);
    if (xid > XidFromFullTransactionId(next)) {
        --epoch;
    }
    return FullTransactionIdFromEpochAndXid(epoch, xid);
}

}  // namespace freshcrm::pg
