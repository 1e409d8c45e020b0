// What changed in a base table, as the values from which paths to keys start.
#pragma once

#include "projection/keys.hpp"
#include "projection/patch.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// What a projection has still to follow of one of its base tables.
struct Changes {
    Projection* projection;
    Source* source;
    Mode mode;              // the projection's, when the first of them came: when they are due
    MemoryContext context;  // owns all of this
    KeySet* starts;         // one a path: tuples of its starts
    bool null_key;          // a row of the view may have come whose key is NULL
    bool any_row;
    bool new_rows;          // one came, or is another now
    bool new_links;         // paths of other rows may go through it as they did not before
    bool everything;        // not known row by row: all keys are affected
    Effect affected;        // what the rows can affect, of those that triggers have shown
    Tuplestorestate* rows;  // the changed rows, old and new, for a user's mapping query; or null
    KeySet keys;            // where they have been mapped already
    PatchList patches;      // of the only path, beside its starts
    uint64 recomputed;      // the projection's, when the first of them came
    bool nested;            // one came in a subtransaction
    bool reading;           // or an error has left it half read
    bool keep;              // a flush follows it that may be undone: it is to be followed again
};

// None yet. In a context of its own below the current one.
Changes* MakeChanges(Projection* projection, Source* source);

// After they have been followed: frees them, or makes them ready to be followed again.
void FinishChanges(Changes* changes);

// Makes what a flush has followed in part, before an error, ready to be followed again.
void RewindChanges(Changes* changes);

bool AnyChange(const Changes* changes);

// Whether they are nothing but patches.
bool OnlyPatches(const Changes* changes);

// Has the keys recomputed that the patches were for.
void GiveUpPatches(Changes* changes);

// A subtransaction has been rolled back: patches that may have come in it are not certain any more.
void DoubtPatches(Changes* changes);

// Gives up patches that are not certain any more, and unites the others, for a flush.
void SettlePatches(Changes* changes);

// Where the projection of some Changes* has been loaded anew since: makes them changes of what it
// is now, if what they hold means the same there. The keys of patches are recomputed then, since
// what a patch adds may not.
void MoveTo(Projection* projection, const List* list);

// The same of a list of Changes*: any of them, all of them, each of them.
bool AnyChange(const List* list);
bool OnlyPatches(const List* list);
void SettleAll(const List* list);
void FinishAll(const List* list);

}  // namespace freshcrm::projection
