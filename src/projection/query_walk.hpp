// The first half of lineage: from query trees to occurrences, equalities and scopes.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
}

namespace freshcrm::projection {

// The structs are core/lineage.hpp's, as plain memory: the walk calls the server all the time.
struct WalkedScope {
    int parent;
    bool outer_join;
};

struct WalkedOccurrence {
    Oid relid;
    int scope;
    Bitmapset* watched;
};

struct WalkedColumn {
    int occurrence;  // -1: not a column of a base table
    AttrNumber column;

    bool found() const { return occurrence >= 0; }
};

struct WalkedEquality {
    WalkedColumn left;
    WalkedColumn right;
    int scope;
    Oid opno;
    Oid left_type;  // what the operator takes; the column's own type where that is polymorphic
    Oid right_type;
};

struct WalkedView {
    List* scopes;       // of WalkedScope*
    List* occurrences;  // of WalkedOccurrence*
    List* equalities;   // of WalkedEquality*
    List* views;        // of Oid
    WalkedColumn key;
};

// Walks the view's query and resolves the target column `key` (an attribute number of the view).
// Raises 0A000 for what is not traced.
WalkedView WalkView(Oid view, AttrNumber key);

}  // namespace freshcrm::projection
