// Whether a refresh would change anything: exact where it is known, and else the answer is that it
// may.
//
// A view is unchanged when the snapshot that its last refresh was made with sees every change of
// its sources that has been committed (watch/changes.hpp), all of them are watched, its definition
// is the same, and what it shows follows from these alone (sources.hpp).
#pragma once

#include "refresh/registered.hpp"

namespace freshcrm::refresh {

// Both are to be called under the settings of a refresh (scope.hpp).
bool IsUnchanged(Oid matview);

// What the refresh that now begins will show at least: to be called with the view locked, before
// the statement that reads. Its snapshot is null where no later question can be answered by it.
Seen LookBeforeRefresh(Oid matview);

// The view has other rows now: a change for the views that read it.
void NoteRefreshed(Oid matview);

}  // namespace freshcrm::refresh
