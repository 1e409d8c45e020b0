// The plain part of a view: its own level, and the subqueries and views in its FROM, as far as they
// only join, choose by WHERE and compute. A row of the view is made of one row of each table there.
//
// For each table of it: what reads its columns, apart from what is looked at one by one
// (patchable.cpp).
#pragma once

#include "projection/query_level.hpp"

namespace freshcrm::projection {

// An expression of a level.
struct PlainPlace {
    Level* level;
    Node* node;
};

// Of an occurrence; all is empty where it stands elsewhere.
struct PlainTable {
    bool plain;
    bool nullable;         // on the nullable side of an outer join
    List* on;              // then: the conjuncts of its ON clause,
    bool alone;            // when it is all of that side
    Bitmapset* elsewhere;  // attributes that something else reads
    List* conditions;      // over its row alone, as Vars of relation 1
};

struct PlainFrom {
    WalkedView* view;
    List* levels;        // of Level*: the plain ones
    List* single;        // of Level*: others in FROM that are joined without a condition
    List* used;          // of Level*: whose rows something else reads
    PlainTable* tables;  // of each occurrence
};

// Null when the view itself is not plain.
PlainFrom* ReadPlainFrom(WalkedView* view);

// Follows columns through subqueries and joins to where they are computed.
PlainPlace Descend(const PlainFrom* from, PlainPlace place);

// The level of the scalar sublink, or of the subquery in FROM, that the expression is, and the
// number of its output; null when it is none, or one that is more than that.
Level* QueryOfOutput(const PlainFrom* from, const PlainPlace& place, AttrNumber* output);

// Whether a query, but for aggregates over all of its rows, returns or aggregates just those that
// FROM and WHERE leave.
bool KeepsRows(const Query* query);

// Marks all that the expression reads.
void MarkElsewhere(PlainFrom* from, const PlainPlace& place);

// The conditions that AND connects.
List* Conjuncts(Node* quals);

}  // namespace freshcrm::projection
