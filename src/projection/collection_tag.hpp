// The tag of a collection: what a client compares to know whether a list is still as it has it.
//
// It is the SHA-256 of a row in canonical form (core/digest.hpp) of these columns:
//     'collection'  the version of this form: 1
//     'name'        of each scope column, in the view's order
//     'scope'       the tag of the row of their values (etag/row_digest.hpp)
//     'rows'        u64: how many rows there are
//     'sum'         32 bytes: core/multiset_hash.hpp
// so that it says of which scope it is, and changes when a row comes, goes or changes: a row's own
// tag covers all columns of the view. It is the same whether it is kept or computed of the rows. It
// does not survive that the projection is dropped and created again, which has another secret.
#pragma once

#include "projection/scope.hpp"

namespace freshcrm::projection {

// 64 hexadecimal characters, in the active snapshot, for the rows that the current user may see.
// Computed of the rows where the tag of these scope columns is not kept, or row-level security is
// in force for the user. Raises 42704 (no projection), 42501 (without SELECT on version_etag or a
// scope column), and what ReadScope() raises.
char* CollectionEtag(Oid target, Jsonb* json);

}  // namespace freshcrm::projection
