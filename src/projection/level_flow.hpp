// What the rows and the target columns of a query level are made of, as sets of atoms: columns of
// occurrences of tables, and which rows these have.
//
// The answer is right for any state of the tables: what is not named cannot make a difference,
// whatever else is the case. Where in doubt more is named.
#pragma once

#include "projection/query_level.hpp"

namespace freshcrm::projection {

struct LevelFlow {
    Bitmapset* rows;       // which rows the level has
    Bitmapset* copies;     // how often and in which order they come
    Bitmapset** outputs;   // by resno: the value of a target column
    Bitmapset** replaced;  // by range table index: whether an outer join has NULLs in its place
};

struct Flow {
    WalkedView* view;
    int* first_atom;  // by occurrence: its rows; its column n is as many further
    Bitmapset* met;   // of columns
    bool unknown;     // something was met that is not understood
};

// The same each time for a level.
LevelFlow* FlowOf(Flow* flow, Level* level);

}  // namespace freshcrm::projection
