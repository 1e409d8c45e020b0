// Lineage of a view: for each base table, how a changed row leads to the keys it may affect.
//
// Read from the view's analysed query tree (the stored rewrite rule, nested views expanded), never
// from SQL text. This file turns the tree into the graph of core/lineage.hpp and the paths found
// there into queries.
//
// Traced in this version: inner, left and right joins, nested views and subqueries that only join
// and filter, and scalar, EXISTS and ARRAY sublinks at any depth, linked by equality of columns.
// Anything else is refused with 0A000, naming the table or clause and the reason.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::projection {

// One way from a changed row of a base table to keys. Direct: column `start` of the row is the key.
// Mapped: the queries give the keys; their parameter is the value of `start` (query_one) or an
// array of such values (query_many), and rows may be changed rows of either image, old or new.
struct Path {
    AttrNumber start;
    bool is_key;            // `start` is the key column itself, whose NULL is an error
    Oid parameter_type;     // of the values of `start`, as the operator takes them
    const char* query_one;  // null when direct
    const char* query_many;
    SPIPlanPtr plan_one;  // prepared when first needed
    SPIPlanPtr plan_many;

    bool direct() const { return query_one == nullptr; }
};

// A base table of the view.
struct Source {
    Oid relid;
    Bitmapset*
        watched;     // attribute numbers that the view reads; an update of others changes nothing
    int path_count;  // one for each occurrence in the view, the same ones united
    Path* paths;
};

struct Lineage {
    int source_count;
    Source* sources;
    int view_count;
    Oid* views;      // the view itself and the views nested in it
    AttrNumber key;  // the key's attribute number in the view
    Oid key_type;    // its type and collation
    Oid key_collation;
};

// Traces the view `source` with the key column named `key`. The caller holds a lock on the view.
// Allocated in the current memory context.
// Raises 42809 (not a view), 42703 (no such key column), 0A000 (cannot be traced), 42883 (the key's
// type has no equality).
Lineage* TraceLineage(Oid source, const char* key);

}  // namespace freshcrm::projection
