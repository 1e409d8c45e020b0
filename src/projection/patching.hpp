// Patching: from the patches of changes (patch.hpp) to rows of the target.
#pragma once

#include "projection/changes.hpp"

namespace freshcrm::projection {

// What is to become of the row of a key.
struct PatchedKey {
    const Datum* key;
    const Source* source;
    const Patch* patch;
};

struct PatchedKeys {
    MemoryContext context;
    PatchedKey* items;
    int count;
    int capacity;
};

PatchedKeys MakePatchedKeys(MemoryContext context);

// Adds the keys that patches lead to. Queries, of mapped paths, read with the active snapshot,
// within Maintain().
void TracePatches(const Changes* changes, PatchedKeys* patched);

// Sorts them, and leaves out those that are recomputed anyway: a sorted set, in memory.
void SettlePatchedKeys(PatchedKeys* patched, const KeySet* keys);

// Once the keys are locked: leaves out those that mapped paths do not lead to any more, since
// another transaction has moved what they led through, and adds them to `again`, which is empty.
// (Such a transaction locks the links that it makes, not those that were.) Within Maintain().
void TracePatchesAgain(const List* changes, PatchedKeys* patched, KeySet* again);

// Writes the rows of keys that are locked, as they follow from the latest ones. Adds to `again` the
// keys for which that is not certain. Needs not be within Maintain() where the projection's layout
// is harmless.
void ApplyPatches(Projection* projection, const PatchedKeys* patched, KeySet* again);

}  // namespace freshcrm::projection
