// Which transaction of this backend something happened in.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/xact.h"
#include "storage/proc.h"
}

namespace freshcrm::pg {

// Another one in each transaction of a backend, known before it writes; never invalid within one.
inline LocalTransactionId CurrentTransactionNumber() {
#if PG_VERSION_NUM >= 170000
    return MyProc->vxid.lxid;
#else
    return MyProc->lxid;
#endif
}

// The subtransaction that is running, told from those of all other transactions of the backend.
// What it has locked stays locked for as long as it is running.
struct RunningSubtransaction {
    LocalTransactionId transaction;
    SubTransactionId number;

    bool operator==(const RunningSubtransaction&) const = default;
};

inline RunningSubtransaction CurrentSubtransaction() {
    return {CurrentTransactionNumber(), GetCurrentSubTransactionId()};
}

}  // namespace freshcrm::pg
