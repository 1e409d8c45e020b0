// Changes as bytes, to be kept in a table and read by another transaction.
//
// The bytes mean something only to the lineage that they were made for: ShapeOf() tells one from
// another.
#pragma once

#include "projection/changes.hpp"

namespace freshcrm::projection {

// What the pieces are handed to, one by one: some kilobytes each and how many values are in it.
struct PieceHandler {
    void (*piece)(void* arg, bytea* content, int values);
    void* arg;
};

// Sorts what is packed; FinishChanges() or RewindChanges() is to follow.
void PackChanges(Changes* changes, const PieceHandler& handler);
void PackKeys(KeySet* keys, const PieceHandler& handler);

// Adds what was packed.
void UnpackChanges(Changes* changes, const bytea* content);
void UnpackKeys(KeySet* keys, const bytea* content);

// A number that is another one when bytes would mean something else: the types of the key, and of a
// source the values that its paths start from and what the paths are.
int64 ShapeOfKeys(const Projection* projection);
int64 ShapeOf(const Projection* projection, Source* source);

// Whether the rows that wait for a user's mapping query are of the columns that the table has: a
// transaction can give it others after it has written to it. Else they cannot even be read.
bool RowsFit(const Changes* changes);

}  // namespace freshcrm::projection
