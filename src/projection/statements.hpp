// The SQL of a projection: what it reads and writes. All names are qualified and quoted; a
// statement is prepared when it is first needed. To be called with SPI connected, as the
// projection's owner.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// A diff puts what the view returns beside what the target holds, key by key. Its rows have the
// columns of the view, then the target's key columns and its tag; the side that lacks the key is
// NULL.
//   one:  parameters: the key's columns; a row even when neither side has it
//   many: parameters: an array for each key column; in the order of the view's keys, those that it
//         lacks last
//   all:  no parameter; in the same order
// After the tag come the target's values of the scope columns of kept collections, in the view's
// order.
SPIPlanPtr DiffOne(Projection* projection);
SPIPlanPtr DiffMany(Projection* projection);
SPIPlanPtr DiffAll(Projection* projection);

// The same of a set of columns that has none of the key: of the others a row that both sides have
// has what the target holds. After the tag come the target's values of the set, in its order.
SPIPlanPtr DiffOne(Projection* projection, NarrowDiff* narrow);
SPIPlanPtr DiffMany(Projection* projection, NarrowDiff* narrow);

// As DiffAll, and the target's columns after that, in the view's order.
SPIPlanPtr VerifyAll(Projection* projection);

// A row when the view returns one whose key is NULL.
SPIPlanPtr NullKey(Projection* projection);

// Parameters: the key's columns. The tag that the target has for the key.
SPIPlanPtr StoredTag(Projection* projection);

// Parameters: the view's columns, then the tag. An update finds its row by the key among them.
SPIPlanPtr Insert(Projection* projection);
SPIPlanPtr Update(Projection* projection);

// Parameters: the key's columns.
SPIPlanPtr Remove(Projection* projection);

// The number of the view's columns.
inline int ColumnCount(const Projection* projection) {
    return projection->columns->natts;
}

}  // namespace freshcrm::projection
