// A path through the graph as SQL: the pieces that its queries are made of.
//
// The tables to be read are called t0, t1, … in their order, the changed row or rows c.
#pragma once

#include "projection/mapping.hpp"

extern "C" {
#include "lib/stringinfo.h"
}

namespace freshcrm::projection {

enum class Form {
    kOne,    // the changed row's starts are $1, $2, …
    kMany,   // the changed rows' starts are c.s0, c.s1, …, of arrays $1, $2, …
    kShown,  // the changed rows are a table `changed`, called c
    kLinks,  // there is no changed row
};

// Writes the queries of one path.
struct PathWriter {
    const WalkedView& view;
    const FlatPath& flat;
    int changed;
    Path* path;
    Form form;
};

const WalkedEquality& EqualityAt(const WalkedView& view, int index);

// The number of the start for a column of the changed row, added when it is new.
int StartNumber(const WalkedView& view, Path* path, const core::ColumnRef& column, bool element);

// An operand of a condition, cast to what the operator takes; as it is when `type` is invalid.
const char* Operand(const PathWriter& writer, const core::ColumnRef& column, bool element,
                    Oid type);

const char* Condition(const PathWriter& writer, const core::PathCondition& condition);

// "schema.table AS t0, …"
void AppendTables(const PathWriter& writer, StringInfo sql);

}  // namespace freshcrm::projection
