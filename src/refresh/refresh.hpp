// Refreshes of registered materialized views.
//
// A refresh runs as the view's owner, with search_path = pg_catalog, pg_temp and pinned settings
// (pg/owner_scope.hpp), whoever asks for it: as REFRESH MATERIALIZED VIEW does from PostgreSQL 17
// on. It is one statement REFRESH in a subtransaction, so that its error is an outcome.
//
// Of the runs of one view only one is under way: each holds an exclusive lock of the view, in the
// class of advisory locks with a fourth field of our own, to the end of its transaction. Another
// one does not wait. A REFRESH that somebody types beside is told by the lock that it has on the
// view.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "datatype/timestamp.h"
}

namespace freshcrm::refresh {

enum class Status { kRefreshed, kUnchanged, kRunning, kFailed };

// refreshed, unchanged, running, failed
const char* StatusName(Status status);

// Negative: not known.
struct RowCounts {
    int64 inserted = -1;
    int64 updated = -1;
    int64 deleted = -1;
};

struct Outcome {
    Status status;
    const char* mode;  // concurrently or plain; null when nothing was refreshed
    RowCounts rows;
    double milliseconds;
    int sqlstate;       // of a failure
    const char* error;  // its message; null
};

// auto, concurrently, plain: raises 22023 for others.
enum class Wish { kAuto, kConcurrently, kPlain };
Wish ParseWish(const char* mode);

// Raises 42P01 and 42809.
void CheckIsMatview(Oid matview);

// Raises 42501 for who is neither its owner nor a member of the role that is.
void CheckOwner(Oid matview);

// For who may: the owner, members of the owner's role, and the roles it was granted to. Raises
// 22004, 42809, 42704 and 42501. `mode` may be null, which is auto.
//
// auto answers kUnchanged where nothing that the view shows can have changed since its last refresh
// (unchanged.hpp). A failure is reported as a warning, too; a cancelled statement, and what an
// administrator does, are raised.
Outcome Refresh(Oid matview, const char* mode);

// As the view's schedule has it; `history` is the row that says it is running.
Outcome RefreshScheduled(Oid matview, int64 history);

void GrantRefresh(Oid matview, const char* grantee, bool granted);

// Called at the end of a REFRESH MATERIALIZED VIEW, whoever ran it.
void FollowRefresh();

// Called when something has been dropped.
void ForgetDropped();

}  // namespace freshcrm::refresh
