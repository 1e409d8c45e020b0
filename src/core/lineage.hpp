// Lineage as a graph: from a changed row to the keys of the view rows it may affect.
//
// A view is seen as its *occurrences* of base tables (a table used twice occurs twice) and the
// *equalities* between their columns. For a changed row of one occurrence, FindPath() looks for the
// cheapest way from its columns to the key column, along equalities that are certain to hold in
// every joined row that the changed row takes part in. The keys found may be more than those
// affected, never fewer.
//
// Where an equality holds is said by its *scope*. Scopes form a tree under the whole query (scope
// 0):
//   - the nullable side of an outer join, and the ON clause that belongs to it: its equalities hold
//     in the joined rows in which that side is not null-extended;
//   - a sublink: its equalities hold for the rows that take part in the sublink.
// A changed row takes part in all scopes around its occurrence. And since equality is strict, where
// an equality holds both its sides are there: the outer joins around them are not null-extended
// either.
#pragma once

#include <optional>
#include <vector>

namespace freshcrm::core {

struct ColumnRef {
    int occurrence;
    int column;

    friend bool operator==(const ColumnRef&, const ColumnRef&) = default;
};

struct Scope {
    int parent;       // -1 for the whole query
    bool outer_join;  // the nullable side of an outer join; else a sublink (or the whole query)
};

struct Equality {
    ColumnRef left;
    ColumnRef right;
    int scope;
    // Values of the two columns can stand for each other: their types are the same to the operator.
    bool interchangeable;
};

struct LineageGraph {
    std::vector<Scope> scopes;          // [0] is the whole query
    std::vector<int> occurrence_scope;  // innermost scope of each occurrence
    std::vector<Equality> equalities;
    ColumnRef key;
};

// One table to be read on the way: the rows of `enter.occurrence` whose `enter.column` equals, by
// the operator of `equality`, the value of `probe`, a column of the changed row or of an earlier
// join.
struct PathJoin {
    ColumnRef enter;
    ColumnRef probe;
    int equality;
};

// Without joins the path is direct: the changed row itself has the key, in `key`.
struct LineagePath {
    ColumnRef start;  // the column of the changed row that the path begins at
    std::vector<PathJoin> joins;
    ColumnRef key;  // the column that has the key: of the changed row or of the last join
};

// The path with the fewest joins, or nothing when the key cannot be reached.
std::optional<LineagePath> FindPath(const LineageGraph& graph, int changed_occurrence);

}  // namespace freshcrm::core
