// Lineage of a view: for each base table, how a changed row leads to the keys it may affect.
//
// Read from the view's analysed query tree (the stored rewrite rule, nested views expanded), never
// from SQL text. This file turns the tree into the graph of core/lineage.hpp and the paths found
// there into queries.
//
// Refused with 0A000, naming the table or clause and the reason: a table without a fallback that no
// chain of equalities links to the key, and what traceable.hpp lists.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

#include "projection/effect.hpp"
#include "projection/fallback.hpp"
#include "projection/kept_state.hpp"
#include "projection/keys.hpp"

namespace freshcrm::projection {

// A value of a changed row that a path starts from: of a column, of an expression over the row, or
// each element of an array.
struct Start {
    AttrNumber column;  // 0: `expression`
    Expr* expression;   // over the row's columns, as Vars of relation 1
    bool element;
    bool of_key;  // a column of the key comes from here and no condition of the path holds for
                  // NULL: a row of the view can have a NULL key by it
    Oid type;     // of the value; of one element
    Oid collation;
    KeptState state;  // of `expression`
};

// What a mapped path goes by from the changed row to the first table that it reads: a start, and
// what equals it there. Both ends lock the value (links.hpp).
struct Link {
    int start;
    FmgrInfo hash_start;  // both hash equal values alike
    FmgrInfo hash_read;
    Oid collation;
};

// One way from a changed row of a base table to keys. Direct: the starts are the key. Mapped:
// queries give the keys, of one row's starts ($1, $2, …) or of arrays of starts. The row may be of
// either image, old or new.
struct Path {
    int start_count;
    Start* starts;
    KeyShape* shape;        // of sets of starts (keys.hpp), when first needed
    int* key_starts;        // direct: for each key column the start that it is
    const char* query_one;  // null when direct
    const char* query_many;
    const char* query_shown;  // the same over a table `changed`, as in option mapping
    List* indexes;            // of WantedIndex*, in the order of the tables read
    SPIPlanPtr plan_one;      // prepared when first needed
    SPIPlanPtr plan_many;

    // Mapped, and the row itself has part of the key: for each key column the start that it is, or
    // -1; else null. The rest of an old row's key cannot be found by the queries when the statement
    // has removed what it came from, too; but the target still has it.
    int* known_keys;
    SPIPlanPtr plan_known;

    // Mapped: queries that go back from one key ($1, $2, …) or arrays of keys to the values of the
    // links, and the tables that they and the queries above read.
    int link_count;
    Link* links;
    const char* links_one;
    const char* links_many;
    SPIPlanPtr plan_links_one;
    SPIPlanPtr plan_links_many;
    List* tables;  // OIDs

    bool direct() const { return query_one == nullptr; }
};

struct RowPatch;

// A base table of the view.
struct Source {
    Oid relid;
    Bitmapset* watched;  // attributes that the view reads; an update of others changes nothing
    bool whole_row;      // it reads the row as one value, with whatever columns the table has
    Effect of_rows;      // what rows that come and go affect
    Effect* of_columns;  // by attribute, of those watched: what it affects that they are others
    Bitmapset* linking;  // attributes by which paths of other rows go through its rows
    int path_count;      // at least one for each occurrence in the view, the same ones united; none
                         // with a fallback
    Path* paths;
    const Fallback* fallback;  // or null
    SPIPlanPtr user_plan;      // of `fallback`, prepared when first needed (user_mapping.hpp)
    List* reads;      // of WantedIndex*: the indexes by which the view reads the table for a key
    int64 shape;      // ShapeOf() (packed.hpp), when first needed; else 0
    RowPatch* patch;  // how its changes are applied without a query (patch.hpp), or null
};

// A key column: its attribute number in the view, its type and collation.
struct KeyColumn {
    AttrNumber attnum;
    Oid type;
    Oid collation;
};

struct Lineage {
    int source_count;
    Source* sources;
    int view_count;
    Oid* views;  // the view itself and the views nested in it
    int key_count;
    KeyColumn* keys;
};

// Whether the view's attribute is a column of the key.
bool IsKey(const Lineage* lineage, int attnum);

// Traces the view `source` with the key columns of these names (a list of C strings). The caller
// holds a lock on the view. `fallbacks`, a list of Fallback*, must live as long as the result.
// Allocated in the current memory context.
// Raises 42809 (not a view), 42703 (no such key column), 42701 (a key column twice), 0A000 (cannot
// be traced), 42883 (a key's type has no order).
Lineage* TraceLineage(Oid source, const List* keys, const List* fallbacks);

}  // namespace freshcrm::projection
