// Collections: the rows of a projection whose scope columns have the same values, or all of them,
// and of which of them the tag is kept (create_collection_etag()).
//
// Two tables: freshcrm.collection says for which columns; freshcrm.collection_slot has, for each
// scope, the hash of its rows (core/multiset_hash.hpp) in parts (collection_slots.hpp). The former
// is dumped, the latter is not: a restored database computes tags of rows until the restore is
// complete and the slots are filled again (collection_fill.hpp).
#pragma once

#include "core/multiset_hash.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pg_list.h"
#include "utils/snapshot.h"
}

namespace freshcrm::projection {

// What tags of the collections of a projection are made of.
struct CollectionSource {
    int32 projection;
    Oid target;
    List* columns;  // the target's column for each of the view's, in its order: C strings
    std::uint8_t secret[core::kSecretBytes];
};

struct ScopeColumn {
    int column;  // of the view, from 0
    const char* name;
    AttrNumber attnum;  // in the target
    Oid type;
    int32 typmod;
    Oid collation;
    // How a value's bytes are found; of character(n) without the blanks at the end.
    int16 length;
    bool by_value;
    bool padded;
};

struct Collection {
    int32 id;
    int count;
    ScopeColumn* columns;  // in the view's order
};

// Those of a projection whose tag is kept.
struct Collections {
    std::uint8_t secret[core::kSecretBytes];
    int count;
    Collection* items;
    Bitmapset* columns;  // all scope columns: their numbers in the view, from 1
    int view_columns;
};

// In its latest state, without the statements that FindTarget() runs: reading a tag is short.
// Raises 42704 when the table is no projection.
CollectionSource* FindCollectionSource(Oid target);

// The number of the view's column of this name in the target, from 0. Raises 42703.
int FindScopeColumn(const CollectionSource* source, const char* name);

// The scope columns of these numbers, in ascending order. Raises 55000 when the target has lost
// one.
ScopeColumn* FindScopeColumns(const CollectionSource* source, const int* columns, int count);

// The collections of a projection in their latest state: those whose slots are filled, or all. Null
// when there is none.
enum class Which { kFilled, kAll };
Collections* LoadCollections(const CollectionSource* source, Which which);

// The collection of exactly these columns, as the snapshot has it; 0 when it has none. Null for its
// latest state.
int32 FindCollection(int32 projection, const ScopeColumn* columns, int count, Snapshot snapshot);

// The rows of freshcrm.collection. Within a transaction that keeps writers from the target.
int32 AddCollection(int32 projection, const ScopeColumn* columns, int count);
void RemoveCollection(int32 id);
void RemoveCollections(int32 projection);

// As sessions keep what they know of the projection.
void ForgetLoaded(Oid target);

}  // namespace freshcrm::projection
