// A set of tuples of values: keys, or values of changed rows that lead to keys. What does not fit
// into work_mem goes to disk.
//
//     KeySet set = MakeKeySet(context, shape);
//     Add(&set, tuple); …
//     SortUnique(&set);
//     for (KeySet piece; NextPiece(&set, 1000, &piece);) { … Tuple(&piece, i) … }
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/resowner.h"
}

namespace freshcrm::projection {

struct KeySetColumn {
    Oid type;
    Oid collation;
    int16 length;
    bool by_value;
    char align;
    FmgrInfo* compare;  // null for a type that cannot be sorted
    Oid less;           // the operator of the same order
};

// What all sets of tuples of the same columns share.
struct KeyShape {
    int width;
    KeySetColumn* columns;
    bool sortable;  // all columns are
};

struct KeySpill;

// Plain memory: everything is in the context given to MakeKeySet(), temporary files belong to the
// resource owner of that moment. Values are copied in and detoasted. A tuple with a NULL is no
// member.
struct KeySet {
    MemoryContext context;  // of the tuples in memory
    ResourceOwner owner;
    int width;
    KeySetColumn* columns;
    bool sortable;  // else what occurs twice stays, and all stays in memory
    int count;      // in memory
    int capacity;
    int next;         // the first that NextPiece() has not returned
    Datum* values;    // `width` for each tuple
    Size bytes;       // used in memory
    Size most_bytes;  // from where on it goes to disk: work_mem
    KeySpill* spill;  // has all tuples once it is there and the set is sorted
};

// In the current memory context.
KeyShape MakeKeyShape(int width);
void SetColumn(KeyShape* shape, int number, Oid type, Oid collation);

// Of columns with a type and a collation.
template <typename Column>
KeyShape ShapeOf(const Column* columns, int width) {
    KeyShape shape = MakeKeyShape(width);
    for (int i = 0; i < width; ++i) {
        SetColumn(&shape, i, columns[i].type, columns[i].collation);
    }
    return shape;
}

// The columns of the shape are not copied.
KeySet MakeKeySet(MemoryContext context, const KeyShape& shape);

inline const Datum* Tuple(const KeySet* set, int index) {
    return set->values + static_cast<Size>(index) * static_cast<Size>(set->width);
}

inline bool IsEmpty(const KeySet* set) {
    return set->count == 0 && set->spill == nullptr;
}

// Not after SortUnique().
void Add(KeySet* set, const Datum* tuple);

// Sorts the tuples and removes what occurs twice.
void SortUnique(KeySet* set);

// The next tuples of a sorted set, in order: at most `most`, and no more than fit into work_mem.
// They are good until the next call. Returns false at the end.
bool NextPiece(KeySet* set, int most, KeySet* piece);

// The order of tuples, of the set or such as could be members; below, at and above zero.
int CompareTuples(const KeySet* set, const Datum* a, const Datum* b);

// Of a sorted set that is in memory.
bool Contains(const KeySet* set, const Datum* tuple);

// Makes the pieces of a sorted set come again from the first, and tuples be added again. Returns
// false where that cannot be: its tuples were on disk, and are gone.
bool Rewind(KeySet* set);

// Gives back the memory of the tuples and temporary files; the end of the set's resource owner does
// it too.
void FreeTuples(KeySet* set);

// Arrays of the values of a piece, one a column.
void ToArrays(const KeySet* piece, Datum* arrays);

}  // namespace freshcrm::projection
