// The first half of lineage: from query trees to occurrences, equalities and scopes.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
}

#include "core/lineage.hpp"
#include "projection/fallback.hpp"

namespace freshcrm::projection {

// A copy in the current memory context.
template <typename T>
T* Make(const T& value) {
    auto* copy = static_cast<T*>(palloc(sizeof(T)));
    *copy = value;
    return copy;
}

// The structs are those of core/lineage.hpp as plain memory, since the walk calls the server all
// the time.
struct WalkedScope {
    int parent;
    core::ScopeKind kind;
    int set_operation;
    bool produces;
};

struct WalkedOccurrence {
    Oid relid;
    int scope;
    Bitmapset* watched;
    List* expressions;  // of Expr* over the columns of the table, as Vars of relation 1
    bool whole_row;     // its row is read as one value
    List* quals;        // the same: what holds for each row that matters to the query
};

// `column` is an attribute number, or -1 - n for the occurrence's expression n.
using WalkedColumn = core::ColumnRef;

struct WalkedEquality {
    WalkedColumn left;
    WalkedColumn right;
    List* scopes;  // of integers
    bool element;  // `right` is an array, one of whose elements equals `left`
    bool interchangeable;
    Oid opno;
    Oid left_type;   // what the operator takes; the column's own type where that is polymorphic
    Oid right_type;  // of an element, where `right` is an array
    Bitmapset* not_from;  // occurrences whose changed rows it does not hold for; see Resolved
};

struct WalkedKey {
    List* columns;  // of WalkedColumn*
    List* scopes;   // of integers
};

struct Level;
struct Place;

struct WalkedView {
    List* scopes;       // of WalkedScope*
    List* occurrences;  // of WalkedOccurrence*
    List* equalities;   // of WalkedEquality*
    List* keys;         // of WalkedKey*
    List* views;        // of Oid
    int set_operations;
    Oid owner;  // of the view
    const List* fallbacks;
    Level* top;      // of the view's own query (query_level.hpp)
    List* sublinks;  // of Level*, of the queries of sublinks
};

// Walks the view's query and resolves the target columns `keys` (attribute numbers of the view).
// Raises 0A000 for what is not traced and has no fallback. Where every table has one the key need
// not be resolved: `keys` of the result is empty then.
WalkedView* WalkView(Oid view, const List* keys, const List* fallbacks);

// The level of a sublink's query, walked.
Level* WalkSublinkQuery(const Place& place, Query* query);

// Refuses a clause through which no row can be followed, where an occurrence below it (the first
// number and those after it) has no fallback.
void RequireFallbacks(const WalkedView& view, int first, const char* what, const char* reason);

const WalkedOccurrence& OccurrenceAt(const WalkedView& view, int index);

// The expression that a column of an occurrence stands for; null for a plain column.
Expr* ExpressionOf(const WalkedView& view, const WalkedColumn& column);

// The type and collation of a column or expression.
Oid ColumnType(const WalkedView& view, const WalkedColumn& column, Oid* collation);

}  // namespace freshcrm::projection
