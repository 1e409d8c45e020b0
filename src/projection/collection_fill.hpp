// Filling the slots of collections from the rows of the table, and checking them against these.
#pragma once

#include "projection/collection.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// create_collection_etag() and drop_collection_etag(): for the owner of the projection. Writers of
// the projection wait to the end of the transaction. `names`: C strings, none for the whole table.
// Raise 42501, 42704 (no projection, no such collection), 42703, 42701 (a column twice), 54011 (too
// many), 42710 (it is kept), 0A000 (a type whose equal values can differ in their bytes; a
// projection that its table may be written to past it), 55000 (restored, and not compared since),
// 55006 (the projection is being written).
void CreateCollection(Oid target, const List* names);
void DropCollection(Oid target, const List* names);

// Fills all collections of a projection anew, with writers kept out to the end of the transaction.
// Not while it is being written.
void FillCollections(Oid target);

// Before others may write to the target past the projection. Raises 0A000 where a tag is kept.
void RefuseWithCollections(Oid target);

// Calls `wrong` with the scope columns of each filled collection whose slots are not those of the
// rows, both as one fresh snapshot sees them. By one number a collection, made of the hashes of all
// its scopes with factors that nobody can foresee: of wrong ones it is right by chance in 2^63
// cases once.
using WrongCollection = void (*)(void* arg, const Collection& collection);
void CheckCollections(Oid target, WrongCollection wrong, void* arg);

// Checks them, and fills them anew where one is wrong, or not filled. Waits for writers then.
void MendCollections(const Projection* projection, WrongCollection wrong, void* arg);

}  // namespace freshcrm::projection
