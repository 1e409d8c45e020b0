// Recompute: makes the target equal the view for given keys, writing only what differs.
//
// All functions are to be called within Maintain(). They raise 21000 when the view returns a key
// twice, 40001 when a transaction above READ COMMITTED would overwrite a row version that it cannot
// see, and whatever the view's expressions raise.
#pragma once

#include "projection/patching.hpp"
#include "projection/projection.hpp"

extern "C" {
#include "utils/snapshot.h"
}

namespace freshcrm::projection {

struct Counts {
    int64 inserted;
    int64 updated;
    int64 deleted;
    int64 unchanged;
};

// An empty set of keys of the projection.
KeySet MakeProjectionKeys(const Projection* projection, MemoryContext context);

enum class Write {
    kIfDifferent,  // by tag
    kAlways,       // also over a row whose tag is right, for a repair of its columns
};

// The keys of a set that has been sorted: locked, then read with a fresh snapshot, compared with
// the target, and written. `affected` is all that can differ there; it counts only where the tag
// decides.
Counts RecomputeKeys(Projection* projection, KeySet* keys, Write write = Write::kIfDifferent,
                     const Effect& affected = kWholeRow);

// The same for keys whose patches turned out not to be certain: they are locked.
void RecomputeLocked(Projection* projection, KeySet* keys, const Effect& affected);

// RecomputeKeys(), and patches of other keys.
void RecomputeAndPatch(Projection* projection, const List* changes, KeySet* keys,
                       PatchedKeys* patched, const Effect& affected);

// All keys of the view and the target, locked, then read with `snapshot`: null for a fresh one.
// Raises 23502 too, for a NULL key.
Counts RecomputeAll(Projection* projection, Snapshot snapshot = nullptr);

// Raises 23502 when the view returns a row whose key is NULL.
void CheckNoNullKey(Projection* projection);

// For the key's column of this number.
[[noreturn]] void RaiseNullKey(const Projection* projection, int key);

// Sees that the view's keys differ. Diffs come in the order of the view's keys, so that a key that
// comes twice comes twice in a row.
struct KeyChecker {
    Projection* projection;
    bool has_previous;
    Datum* previous;
    MemoryContext context;
};

KeyChecker MakeKeyChecker(Projection* projection);

// Raises 21000 when the key is that of the previous call.
void CheckUnique(KeyChecker* checker, const Datum* key);

}  // namespace freshcrm::projection
