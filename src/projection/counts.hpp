// How the changes of a projection were applied, counted for all sessions of the server: whether
// keys are patched or recomputed, and whether that changed anything.
//
// The counts are in shared memory, which needs no shared_preload_libraries: they fit into what the
// server has to spare; preloaded, they have their place for sure. They begin at 0 when the server
// starts, are not undone by a rollback, and end some time after the projection does. Where there is
// no memory, or there are more projections in the server than counters, nothing is counted and
// nothing else happens.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

enum class Applied {
    kPatched,     // keys changed without a query
    kNarrow,      // keys of which some columns were recomputed
    kWholeRow,    // keys recomputed with all their columns
    kEverything,  // times that all keys were recomputed
};

// Finds or makes the memory, once a session. The server raises an error when there is none, so that
// this is done in a subtransaction. None can begin in a parallel query, where nothing is done, nor
// at the end of a savepoint, where changes may be followed: so this is called when a projection is
// loaded, and not by those below.
void AttachCounts();

// To be called when the work is done. The first call for a projection that has no counter yet reads
// freshcrm.projection, to give it that of one that is gone.
void CountApplied(Projection* projection, Applied how, uint64 keys);

// Rows that were recomputed or patched and not written, since nothing in them differed.
void CountUnchanged(Projection* projection, uint64 rows);

// Those of Applied in its order, then those of CountUnchanged().
inline constexpr int kCounts = 5;

// False when the projection of this database is not counted, or is not known to be: a session's
// first call in a parallel query, see AttachCounts().
bool ReadCounts(int32 id, uint64* counts);

// Once a backend, or in the postmaster when preloaded.
void InitCounts();

}  // namespace freshcrm::projection
