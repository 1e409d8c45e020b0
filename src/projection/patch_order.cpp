#include "projection/patch_order.hpp"

#include "pg/transaction.hpp"

extern "C" {
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
    transaction = pg::CurrentTransactionNumber();
    followed = GetCurrentCommandId(false);
}

bool FollowedSinceStatement() {
    return transaction == pg::CurrentTransactionNumber() && followed > GetActiveSnapshot()->curcid;
}

}  // namespace freshcrm::projection
