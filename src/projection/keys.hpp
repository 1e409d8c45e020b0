// A set of tuples of values: keys, or values of changed rows that lead to keys.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

struct KeySetColumn {
    Oid type;
    Oid collation;
    int16 length;
    bool by_value;
    char align;
    FmgrInfo* compare;  // null for a type that cannot be sorted
};

// Plain memory: everything is in `context`. Values are copied in and detoasted. A tuple with a NULL
// is no member.
struct KeySet {
    MemoryContext context;
    int width;
    KeySetColumn* columns;
    bool sortable;  // all columns are; else what occurs twice stays
    int count;
    int capacity;
    Datum* values;  // `width` for each tuple
};

KeySet MakeKeySet(MemoryContext context, int width, const Oid* types, const Oid* collations);

inline const Datum* Tuple(const KeySet* set, int index) {
    return set->values + static_cast<Size>(index) * static_cast<Size>(set->width);
}

void Add(KeySet* set, const Datum* tuple);

// Sorts the tuples and removes what occurs twice. Adding to the set afterwards undoes it.
void SortUnique(KeySet* set);

// Arrays of the values of the tuples [first, first + count), one a column.
void ToArrays(const KeySet* set, int first, int count, Datum* arrays);

}  // namespace freshcrm::projection
