// Who else holds a lock on a relation, as transactions.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/twophase.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/sinvaladt.h"
}

namespace freshcrm::pg {

// The top transaction id of a holder. Invalid when it has none yet, or has ended, in which case a
// snapshot taken from now on knows that it has. `certain` becomes false where several prepared
// transactions go by the same virtual id.
//
// The virtual id of a transaction stays with it when it is prepared. It is among the prepared ones
// before the session has given it up, so that it is looked for there second. After a restart it
// goes by its transaction id alone (lock.h).
inline TransactionId XidOfHolder(const VirtualTransactionId& holder, bool* certain) {
    if (VirtualTransactionIdIsRecoveredPreparedXact(holder)) {
        return holder.localTransactionId;
    }
    const PGPROC* session = BackendIdGetProc(holder.backendId);
    if (session != nullptr) {
        const TransactionId xid = *static_cast<const volatile TransactionId*>(&session->xid);
        pg_read_barrier();
        // The id of a later transaction comes after its virtual id.
        const auto current = *static_cast<const volatile LocalTransactionId*>(&session->lxid);
        if (TransactionIdIsValid(xid) && current == holder.localTransactionId) {
            return xid;
        }
    }
    pg_read_barrier();
    bool more = false;
    const TransactionId xid = TwoPhaseGetXidByVirtualXID(holder, &more);
    *certain = *certain && !more;
    return xid;
}

// Calls `each` with the top transaction id of every other transaction, prepared ones included, that
// holds a lock on the relation of this database that conflicts with `mode`, and has an id. Returns
// false when there may be others. `mode` is one of which lock.c says that it conflicts with locks
// of the fast path.
template <typename Each>
bool EachHolderOfConflictingLock(Oid relation, LOCKMODE mode, Each each) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
    bool certain = true;
    VirtualTransactionId* holders = GetLockConflicts(&tag, mode, nullptr);
    for (VirtualTransactionId* holder = holders; VirtualTransactionIdIsValid(*holder); ++holder) {
        const TransactionId xid = XidOfHolder(*holder, &certain);
        if (TransactionIdIsValid(xid)) {
            each(xid);
        }
    }
    pfree(holders);
    return certain;
}

}  // namespace freshcrm::pg
