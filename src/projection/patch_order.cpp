#include "projection/patch_order.hpp"

extern "C" {
#include "access/xact.h"
#include "storage/proc.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// The last time, by the server's count of commands: it goes up with each statement that comes after
// one that wrote, however deep within.
LocalTransactionId transaction = InvalidLocalTransactionId;
CommandId followed = FirstCommandId;

}  // namespace

void RememberFollowed() {
    transaction = MyProc->lxid;
    followed = GetCurrentCommandId(false);
}

bool FollowedSinceStatement() {
    return transaction == MyProc->lxid && followed > GetActiveSnapshot()->curcid;
}

}  // namespace freshcrm::projection
