// A set of values of one type: keys, or values of a column that lead to keys.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// Plain memory: everything is in `context`. Values are copied in and detoasted. NULLs are not
// members.
struct KeySet {
    MemoryContext context;
    Oid type;
    int16 length;
    bool by_value;
    char align;
    FmgrInfo* compare;  // null for a type that cannot be sorted: what occurs twice then stays
    Oid collation;
    int count;
    int capacity;
    Datum* values;
};

KeySet MakeKeySet(MemoryContext context, Oid type, Oid collation);

void Add(KeySet* set, Datum value);

// Sorts the values and removes what occurs twice. Adding to the set afterwards undoes it.
void SortUnique(KeySet* set);

// An array of the values [first, first + count).
Datum ToArray(const KeySet* set, int first, int count);

}  // namespace freshcrm::projection
