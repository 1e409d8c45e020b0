// Rows of freshcrm.queue: changes that are followed after the transaction that made them.
//
// Those of projections of mode async, and of those with on_error stale what could not be followed.
// A row is added by the transaction that made the changes, and removed by the one that follows them
// (drain.hpp), so that it is there exactly as long as they are not: whatever is rolled back or
// killed, and however long a transaction runs before it commits.
//
// The table is read and written as its owner, in its latest state.
#pragma once

#include "projection/changes.hpp"

extern "C" {
#include "datatype/timestamp.h"
}

namespace freshcrm::projection {

// Locks the table until the end of the transaction; invalid when there is none: the extension has
// been dropped.
Oid LockQueue();

// Adds a row that stands for all keys.
void QueueEverything(int32 projection);

// Adds rows for changes, of this error or null when they have not been followed yet.
// FinishChanges() is to follow.
void QueueChanges(Changes* changes, const char* error);

// What has failed, so far.
struct Failed {
    int attempts;
    TimestampTz since;  // when it was queued first; 0: now
    const char* error;
};

// Adds rows for keys that could not be recomputed, or for a NULL key.
void QueueKeys(const Projection* projection, KeySet* keys, const Failed& failed);
void QueueNullKey(const Projection* projection, const Failed& failed);

// Which rows.
struct Due {
    TimestampTz before;  // they have not been tried since
    bool early;          // also those whose time to be tried again has not come
    bool own;            // also those of this transaction; else they are for after its end
};

struct QueuedBatch {
    List* changes;  // of Changes*, each of another source
    KeySet keys;
    bool null_key;      // a row of the view may have come whose key is NULL
    bool everything;    // all keys
    int64 rows;         // none: the queue has no more
    int attempts;       // the most of any row before
    TimestampTz since;  // when the first of them was queued
};

// Takes some rows out of the queue, those that nobody else is following at the moment. In the
// current memory context; what no longer fits the lineage stands for everything.
QueuedBatch TakeQueued(Projection* projection, const Due& due);

// They could not be followed.
void MarkFailed(int32 projection, const Due& due, const char* error);

// The ids of the projections that have rows, a list of integers.
List* QueuedProjections(const Due& due);

// When the next row is to be tried again; 0 when there is none.
TimestampTz NextRetry();

// Something has changed: has some of the rows of a projection that failed tried again soon.
void HurryRetries(int32 projection);

// Removes all rows that have been committed; what they stand for is recomputed in another way.
void ForgetQueued(int32 projection);

// The last error of a projection's rows; null when there is none.
char* LastError(int32 projection);

// What has been committed by now, as text, and whether rows of a projection from before that are
// still there.
char* CommittedByNow();
enum class Pending { kNone, kSome, kFailing };
Pending PendingSince(int32 projection, const char* committed);

}  // namespace freshcrm::projection
