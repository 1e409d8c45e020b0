// Collections: the rows of a projection whose scope columns have the same values, or all of them,
// and which collections have a tag that is kept (create_collection_etag()).
//
// What is kept is in two tables: freshcrm.collection says of which columns,
// freshcrm.collection_slot has for each scope the hash of its rows (core/multiset_hash.hpp), in
// parts (collection_slots.hpp).
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

// In its latest state, without the statements that FindTarget() runs: reading a tag is short.
// Raises 42704 when the table is no projection.
CollectionSource* FindCollectionSource(Oid target);

}  // namespace freshcrm::projection
