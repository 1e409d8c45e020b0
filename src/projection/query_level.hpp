// One query level while it is walked, and what its columns stand for.
#pragma once

#include "projection/passing.hpp"
#include "projection/query_walk.hpp"

namespace freshcrm::projection {

struct LevelFlow;

// What each range table entry of the level stands for, by its index.
struct Level {
    Query* query;
    Level* parent;  // where its outer references point to; null at the top
    int scope;
    const char* name;        // for messages
    Bitmapset* passing;      // the target columns (resno) that a row keeps through the level; see
                             // PassingColumns()
    Bitmapset* carried;      // those whose value is that of a column of a joined row; see
                             // CarriedColumns()
    Bitmapset* occurrences;  // in the level and below it, once it has been walked
    int* occurrence;         // the base table's occurrence, or -1
    Bitmapset** not_null;    // its columns whose NULL leads to no row; see ReduceOuterJoins()
    Level** subquery;        // the level of a subquery, CTE or nested view, or null
    Node** element_of;       // the array that a function unnest() has as its rows, or null
    List* branches;    // of Level*: where the level is a set operation, what its rows come from
    int branch_scope;  // of a branch: its scope
    LevelFlow* flow;   // what its rows are made of, when first needed (level_flow.hpp)
};

// A column that an expression stands for, and the branches of set operations that it comes from.
struct Resolved {
    WalkedColumn column;
    List* branches;  // of scopes
    bool element;    // it is an element of the array `column`
    // Occurrences in levels that choose among their rows, which the value comes out of (LIMIT,
    // DISTINCT ON, windows). The value is that of the column for a row that was chosen; a changed
    // row of these occurrences matters also where it was not, or where others were for its sake.
    Bitmapset* not_from;
    Expr* constant;  // it stands for this constant, and `column` for nothing
};

// Where in a view an expression stands.
struct Place {
    WalkedView* view;
    Level* level;
    int scope;
};

Level* LevelUp(Level* level, Index levels);

// What base columns, immutable expressions over the columns of one base table, or constants an
// expression stands for: through relabeling, join aliases and the output of subqueries. More than
// one where it comes out of a set operation; empty when it stands for none. A list of Resolved*.
List* Resolve(const Place& place, Node* node);

// The same for the target column `resno` of a level.
List* ResolveOutput(WalkedView* view, Level* level, AttrNumber resno);

// The column that stands for an expression over the columns of the occurrence.
WalkedColumn ExpressionColumn(WalkedView* view, int occurrence, Expr* expression);

// The occurrence over whose row alone a condition is, or -1; `rewritten` is it with the row's
// columns as Vars of relation 1.
int OverOneRow(const Place& place, Node* condition, Node** rewritten);

// Records a conjunct of WHERE or ON that is over the columns of one base table, if it holds for
// every row of the table that matters.
void CollectRestriction(const Place& place, Node* conjunct);

}  // namespace freshcrm::projection
