// The slots of collections: rows of freshcrm.collection_slot that add up to the hash of a scope.
//
// The hash of the rows of a scope is a sum, so it may be in any number of parts. A transaction that
// changes rows of a scope adds what it changes to a slot that nobody else is writing at the time,
// and where there is none it makes another one. So
//   - nobody waits for a slot, and writers of one scope neither queue up nor deadlock there;
//   - a slot is written with the rows it stands for, in the same (sub)transaction, so that the
//     slots which a snapshot sees add up to the hash of the rows which it sees, whatever is rolled
//     back;
//   - there are about as many slots as there have been writers at a time: who finds more than
//     kManySlots that are free adds one to its own and deletes it.
// Above READ COMMITTED a transaction may see an older version of a slot than the latest. Were it to
// write a newer one it would see both, its own and that older one: only versions that its snapshot
// sees are written then.
#pragma once

#include "projection/scope_key.hpp"

namespace freshcrm::projection {

// Adds to the hashes of scopes. What it writes is seen by later commands only, so that it writes a
// scope once a command.
struct SlotWriter;
SlotWriter* OpenSlots();
void AddToScope(SlotWriter* writer, int32 collection, const ScopeKey& scope,
                const core::MultisetHash& change);
void CloseSlots(SlotWriter* writer);

// What the snapshot sees of a scope.
core::MultisetHash ReadScopeHash(int32 collection, const ScopeKey& scope, Snapshot snapshot);

// Calls `slot` with each of a collection.
void EachSlot(int32 collection, Snapshot snapshot,
              void (*slot)(void* arg, const ScopeKey& scope, const core::MultisetHash& hash),
              void* arg);

// A collection's slots count when it is marked as filled; that is seen as they are. Null: in the
// latest state.
enum class Fill {
    kNone,
    kFilled,
    // In this transaction, above READ COMMITTED: of rows that its snapshot may not see.
    kNewer,
};
Fill FindFill(int32 collection, Snapshot snapshot);
void MarkFilled(int32 collection);

// And the mark. Nobody else may be writing to the projection.
void RemoveSlots(int32 collection);

}  // namespace freshcrm::projection
