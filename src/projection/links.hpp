// Links: the locks that keep a projection right when one transaction links a row to another that a
// second transaction changes.
//
// A lead is inserted for a customer while the customer is renamed: neither transaction sees the
// other's row, so that the one who renames does not find the new lead's key, and the one who
// inserts computes it with the old name. Therefore, for each mapped path (lineage.hpp):
//
//   - Who changes rows locks exclusively, before the queries that find keys, the values by which
//   the
//     path sets out from them, old and new.
//   - Who makes rows through which paths go, or changes what leads them on, locks the same values
//   in
//     share mode, found by going the paths backwards from the keys that are to be recomputed,
//     before these are read.
//
// So one of them waits for the end of the other, and sees its rows: what is read after a lock has
// been taken is read with a snapshot taken after it (design.md section 4). Links that were there
// before need no lock, since the queries find them. Going backwards is done again until it finds
// nothing new: what has been waited for may have led further.
//
// Direct paths need no links: their value is the key, which is locked itself. Option full locks all
// keys; where a user's query maps, nothing is known of how it goes, and one lock for the table
// stands for all values.
#pragma once

#include "projection/changes.hpp"

namespace freshcrm::projection {

// For the writer: before TraceKeys(). A list of Changes*.
void LockChangedLinks(Projection* projection, const List* changes);

// For the recompute of the keys that these changes lead to. Within Maintain().
void LockNewLinks(Projection* projection, const List* changes, const KeySet* keys);

// For any recompute of keys: what two tables make together (halves.hpp). Where rows of both go at
// once, neither leads to the key any more, and it is looked for in the projection's table
// (trace.cpp). Who may be putting it there, whatever led to it, locks the links of both in share
// mode, so that one waits for the other: who takes the rows away finds the key, or who recomputes
// it finds no rows. Within Maintain().
void LockHalfLinks(Projection* projection, const KeySet* keys);

}  // namespace freshcrm::projection
