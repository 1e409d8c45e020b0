// What writes of rows do to the collections of a projection, gathered while they are made and then
// added to the slots, scope by scope.
//
//     CollectionDeltas* deltas = BeginDeltas(projection->collections);  // null: none is kept
//     NoteRow(deltas, &before, &after);                                 // for each row written
//     ApplyDeltas(deltas);
//
// In the subtransaction of the writes: with an error in between these are undone, and what was
// gathered goes with the memory context. Between a write and ApplyDeltas() only triggers that the
// user has put on the target can ask for a tag; they get that of before the statement.
#pragma once

#include "projection/collection_slots.hpp"

namespace freshcrm::projection {

// A row as the target has it: the columns of the view (of which the scope columns are read), and
// the tag that is stored with them.
struct RowImage {
    const Datum* values;
    const bool* nulls;
    std::string_view tag;
};

// The text of a tag, which may be NULL where somebody has written to the target directly.
std::string_view TagText(Datum tag, bool null);

// The scope that a row is in.
ScopeKey KeyOf(const Collection& collection, const RowImage& row);

// In the current memory context. Null for null.
struct CollectionDeltas;
CollectionDeltas* BeginDeltas(const Collections* collections);

// A row that there was, and one that is there now; either may be null. Does nothing for no deltas.
// Writes to slots, in a command of its own, when it has gathered as many scopes as memory is for.
void NoteRow(CollectionDeltas* deltas, const RowImage* before, const RowImage* after);

// Frees the deltas. Begins a command of its own where there is something to write.
void ApplyDeltas(CollectionDeltas* deltas);

// Room for values of the view's columns, for a RowImage that is made of something else.
struct RowBuffer {
    Datum* values;
    bool* nulls;
};
RowBuffer* BufferOf(CollectionDeltas* deltas);

}  // namespace freshcrm::projection
