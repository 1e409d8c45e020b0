// Lineage as a graph: from a changed row to the keys of the view rows it may affect.
//
// A view is seen as its *occurrences* of base tables (a table used twice occurs twice) and the
// *equalities* between their columns. For a changed row of one occurrence, FindPaths() looks for
// the shortest way from its columns to the key's, along equalities that are certain to hold in
// every joined row that the changed row takes part in. The keys found may be more than those
// affected, never fewer.
//
// Where an equality holds is said by its *scopes*. Scopes form a tree under the whole query
// (scope 0):
//   - the nullable side of an outer join, and the ON clause that belongs to it: its equalities hold
//     in the joined rows in which that side is not null-extended;
//   - a sublink, or another subquery that has a row even when nothing takes part in it: its
//     equalities hold for the rows that take part;
//   - a branch of a set operation: its equalities hold for the rows that come from it.
// A changed row takes part in all scopes around its occurrence. And since equality is strict, where
// an equality holds both its sides are there, and take part in the scopes around them: outer joins
// are not null-extended.
#pragma once

#include <vector>

namespace freshcrm::core {

struct ColumnRef {
    int occurrence;
    int column;

    friend bool operator==(const ColumnRef&, const ColumnRef&) = default;
};

enum class ScopeKind {
    kSublink,  // also the whole query
    kOuterJoin,
    kBranch,
};

struct Scope {
    int parent;  // -1 for the whole query; else a scope with a smaller number
    ScopeKind kind;
    // Of a branch: which set operation it belongs to, and whether rows of the result come from it
    // (the right side of EXCEPT and INTERSECT only decides which do).
    int set_operation = -1;
    bool produces = false;
};

// Two columns that are equal, or a column that is equal to an element of an array (`right`).
struct Equality {
    ColumnRef left;
    ColumnRef right;
    std::vector<int>
        scopes;  // that of the condition first, then the branches its columns come from
    // Values of the two columns can stand for each other: the operator takes the same type on both
    // sides.
    bool interchangeable;
    bool element = false;
    // Occurrences whose changed rows it is not certain for: they are below a level that chooses
    // among its rows (LIMIT, DISTINCT ON, a window), and the equality is one of the rows chosen.
    std::vector<int> not_from = {};
};

// The columns of the key. Where it comes out of a set operation there is one for each branch.
struct Key {
    std::vector<ColumnRef> columns;
    std::vector<int> scopes;
};

struct LineageGraph {
    std::vector<Scope> scopes;          // [0] is the whole query
    std::vector<int> occurrence_scope;  // innermost scope of each occurrence
    std::vector<Equality> equalities;
    std::vector<Key> keys;
};

// `enter`, a column of a table read on the way, equals by the operator of `equality` the column
// `probe` of the changed row or of a table read before.
struct PathCondition {
    ColumnRef enter;
    ColumnRef probe;
    int equality;
};

// Without tables to read the path is direct: the changed row itself has the key.
struct LineagePath {
    std::vector<int> tables;  // occurrences to be read, in order
    std::vector<PathCondition> conditions;
    std::vector<ColumnRef> key;  // columns of the changed row or of the tables read
};

// The paths that together lead to every affected key: one, or one for each way that a row can take
// through the branches of set operations. None when some key could not be reached.
// Throws std::length_error when there are more than a thousand ways.
std::vector<LineagePath> FindPaths(const LineageGraph& graph, int changed_occurrence);

}  // namespace freshcrm::core
