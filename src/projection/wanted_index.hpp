// The indexes that a projection's queries want, derived from the equalities of lineage: those by
// which a mapping query enters its tables, and those by which the view reads its tables for one
// key.
#pragma once

#include "projection/mapping.hpp"

namespace freshcrm::projection {

// A column or expression that is compared by equality.
struct IndexColumn {
    AttrNumber attnum;  // 0: `expression`
    Expr* expression;   // over the table's columns, as Vars of relation 1
    Oid opno;           // has the column on its left
    Oid collation;
};

struct WantedIndex {
    Oid relid;
    List* columns;  // of IndexColumn*
    List* quals;    // of Expr*, as above: hold for all rows that are looked for
};

// One for each table that the path enters by an equality with an index; a list of WantedIndex*.
List* HopIndexes(const WalkedView& view, const FlatPath& flat);

// One for each occurrence that can be read by equalities, starting from a given key; the same ones
// united. A list of WantedIndex*.
List* ReadIndexes(const WalkedView& view);

}  // namespace freshcrm::projection
