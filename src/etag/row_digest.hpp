// The entity tag of a row: SHA-256 over the canonical form (core/digest.hpp) of its columns, as 64
// lower-case hexadecimal characters.
//
// What counts: the columns' values, types and order. What does not: names and attribute numbers of
// columns, dropped columns, OIDs, settings (TimeZone, DateStyle, IntervalStyle, extra_float_digits,
// bytea_output, search_path, client_encoding, lc_*), the database's encoding, TOAST and
// compression.
//
// README.md has the form of each type, byte by byte. Types without a send function, and
// pseudo-types but record, are refused with 0A000.
//
// The same value in another representation is another value: numeric 1.0 and 1.00, float 0 and -0,
// interval 1 mon and 30 days, json with other white space, char(3) and char(4). Every NaN of float4
// and float8 is the same. Values of type oid are digested as numbers. Renaming a type, an enum
// label or an object that a reg* value points to changes the tags of the rows that use it.
#pragma once

#include "etag/value_digest.hpp"

namespace freshcrm::etag {

inline constexpr std::size_t kTagBytes = core::kSha256HexChars + 1;  // with the terminating zero

// Digests rows of one shape, one after the other; palloc'ed in a context of its own below `keep`,
// and gone with that. Not reentrant.
struct RowDigester;

// Throws pg::Error 0A000 for a column of a type that cannot be digested. `desc` is not kept; the
// digester must not outlive a change of the row's or a column's type.
RowDigester* MakeRowDigester(TupleDesc desc, MemoryContext keep);

// The digest of a row with an entry in `values` and `nulls` for each attribute of the descriptor,
// dropped ones included (and ignored). Toasted values are detoasted; memory used for a row is freed
// before the return. Raises what send functions raise, as a server error or as pg::ServerError.
// Needs a transaction.
core::Sha256Digest DigestRow(RowDigester* digester, const Datum* values, const bool* nulls);
// The tag: in hexadecimal, with a terminating zero.
void DigestRow(RowDigester* digester, const Datum* values, const bool* nulls, char* hex);

// The digest of a row of `count` columns, each of the type of the digester's only column.
core::Sha256Digest DigestElements(RowDigester* digester, const Datum* values, const bool* nulls,
                                  int count);

// Digests composite values, each by the row type in its own header; follows changes of that type.
struct RecordDigester;
RecordDigester* MakeRecordDigester(MemoryContext keep);

// The digest of the row that `record` is: that of DigestRow() over its attributes.
core::Sha256Digest DigestRecord(RecordDigester* digester, HeapTupleHeader record);

}  // namespace freshcrm::etag
