// What slots of a scope are found by: a hash of the bytes of its values.
//
// So only columns of types whose values are equal just when their bytes are can be scope columns.
// The bytes mean nothing in another database, where enum labels have other OIDs, nor need they:
// slots are not dumped. But they stay as they are when a label, a type or a table is renamed.
#pragma once

#include "projection/collection.hpp"

namespace freshcrm::projection {

struct ScopeKey {
    std::uint8_t bytes[16];
};

// One for all rows where there is no scope column. May leave garbage in the current context.
ScopeKey ScopeKeyOf(const ScopeColumn* columns, int count, const Datum* values, const bool* nulls);

bool IsScopeType(Oid type, Oid collation);

}  // namespace freshcrm::projection
