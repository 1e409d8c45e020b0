#include "core/lineage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

namespace freshcrm::core {
namespace {

// A view of leads (occurrence 0, key in column 1) and more, to be completed by each test.
LineageGraph Leads() {
    LineageGraph graph;
    graph.scopes = {{-1, ScopeKind::kSublink}};
    graph.occurrence_scope = {0};
    graph.keys = {{{{0, 1}}, {}}};
    return graph;
}

int AddOccurrence(LineageGraph* graph, int scope = 0) {
    graph->occurrence_scope.push_back(scope);
    return static_cast<int>(graph->occurrence_scope.size()) - 1;
}

int AddScope(LineageGraph* graph, ScopeKind kind, int parent = 0) {
    graph->scopes.push_back({parent, kind});
    return static_cast<int>(graph->scopes.size()) - 1;
}

void Equate(LineageGraph* graph, ColumnRef left, ColumnRef right, int scope = 0,
            bool interchangeable = true) {
    graph->equalities.push_back({left, right, {scope}, interchangeable});
}

// The path where there is one way only.
std::optional<LineagePath> FindPath(const LineageGraph& graph, int changed) {
    const std::vector<LineagePath> paths = FindPaths(graph, changed);
    EXPECT_LE(paths.size(), 1U);
    return paths.empty() ? std::nullopt : std::optional(paths.front());
}

TEST(Lineage, TheKeysOwnTableIsDirect) {
    const auto path = FindPath(Leads(), 0);
    ASSERT_TRUE(path);
    EXPECT_TRUE(path->tables.empty());
    EXPECT_EQ(path->key[0], (ColumnRef{0, 1}));
}

TEST(Lineage, AColumnEqualToTheKeyIsDirect) {
    LineageGraph graph = Leads();
    const int activities = AddOccurrence(&graph);
    Equate(&graph, {activities, 2}, {0, 1});
    const auto path = FindPath(graph, activities);
    ASSERT_TRUE(path);
    EXPECT_TRUE(path->tables.empty());
    EXPECT_EQ(path->key[0], (ColumnRef{activities, 2}));
}

TEST(Lineage, EqualityOfOtherTypesNeedsTheTable) {
    LineageGraph graph = Leads();
    const int activities = AddOccurrence(&graph);
    Equate(&graph, {activities, 2}, {0, 1}, 0, false);
    const auto path = FindPath(graph, activities);
    ASSERT_TRUE(path);
    ASSERT_EQ(path->tables.size(), 1U);
    EXPECT_EQ(path->conditions[0].enter, (ColumnRef{0, 1}));
    EXPECT_EQ(path->conditions[0].probe, (ColumnRef{activities, 2}));
    EXPECT_EQ(path->key[0], (ColumnRef{0, 1}));
}

TEST(Lineage, AnotherColumnIsMappedThroughItsTable) {
    LineageGraph graph = Leads();
    const int customers = AddOccurrence(&graph);
    Equate(&graph, {customers, 1}, {0, 2});
    const auto path = FindPath(graph, customers);
    ASSERT_TRUE(path);
    ASSERT_EQ(path->tables.size(), 1U);
    EXPECT_EQ(path->conditions[0].enter, (ColumnRef{0, 2}));
    EXPECT_EQ(path->conditions[0].probe, (ColumnRef{customers, 1}));
    EXPECT_EQ(path->key[0], (ColumnRef{0, 1}));
}

TEST(Lineage, TwoHops) {
    LineageGraph graph = Leads();
    const int customers = AddOccurrence(&graph);
    const int regions = AddOccurrence(&graph);
    Equate(&graph, {customers, 1}, {0, 2});
    Equate(&graph, {customers, 3}, {regions, 1});
    const auto path = FindPath(graph, regions);
    ASSERT_TRUE(path);
    ASSERT_EQ(path->tables.size(), 2U);
    EXPECT_EQ(path->conditions[0].enter, (ColumnRef{customers, 3}));
    EXPECT_EQ(path->conditions[1].enter, (ColumnRef{0, 2}));
    EXPECT_EQ(path->conditions[1].probe, (ColumnRef{customers, 1}));
}

TEST(Lineage, ValuesPassThroughATableThatNeedNotBeRead) {
    LineageGraph graph = Leads();
    const int a = AddOccurrence(&graph);
    const int b = AddOccurrence(&graph);
    Equate(&graph, {a, 1}, {b, 1});
    Equate(&graph, {b, 1}, {0, 1});
    const auto path = FindPath(graph, a);
    ASSERT_TRUE(path);
    EXPECT_TRUE(path->tables.empty());
}

TEST(Lineage, TakesTheFewestJoins) {
    LineageGraph graph = Leads();
    const int a = AddOccurrence(&graph);
    const int b = AddOccurrence(&graph);
    Equate(&graph, {a, 1}, {b, 1});
    Equate(&graph, {b, 2}, {0, 2});
    Equate(&graph, {a, 3}, {0, 3});
    const auto path = FindPath(graph, a);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->tables.size(), 1U);
    EXPECT_EQ(path->conditions[0].probe, (ColumnRef{a, 3}));
}

TEST(Lineage, WithoutAnEqualityThereIsNoPath) {
    LineageGraph graph = Leads();
    const int other = AddOccurrence(&graph);
    EXPECT_FALSE(FindPath(graph, other));
    const int third = AddOccurrence(&graph);
    Equate(&graph, {other, 1}, {third, 1});
    EXPECT_FALSE(FindPath(graph, other));
    EXPECT_FALSE(FindPath(graph, third));
}

TEST(Lineage, OnBelongsToTheNullableSide) {
    // leads CROSS JOIN c LEFT JOIN n ON n.1 = leads.1 AND n.2 = c.2: a changed c affects all leads,
    // not only those with an n.
    LineageGraph graph = Leads();
    const int c = AddOccurrence(&graph);
    const int nullable = AddScope(&graph, ScopeKind::kOuterJoin);
    const int n = AddOccurrence(&graph, nullable);
    Equate(&graph, {n, 1}, {0, 1}, nullable);
    Equate(&graph, {n, 2}, {c, 2}, nullable);
    EXPECT_TRUE(FindPath(graph, n));
    EXPECT_FALSE(FindPath(graph, c));
    // With n.3 = c.3 in WHERE the joined row must have an n.
    Equate(&graph, {n, 3}, {c, 3}, 0);
    EXPECT_TRUE(FindPath(graph, c));
}

TEST(Lineage, AnInnerJoinOnTheNullableSide) {
    // leads LEFT JOIN (a JOIN b ON a.2 = b.1) ON a.1 = leads.2
    LineageGraph graph = Leads();
    const int nullable = AddScope(&graph, ScopeKind::kOuterJoin);
    const int a = AddOccurrence(&graph, nullable);
    const int b = AddOccurrence(&graph, nullable);
    Equate(&graph, {a, 2}, {b, 1}, nullable);
    Equate(&graph, {a, 1}, {0, 2}, nullable);
    const auto path = FindPath(graph, b);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->tables.size(), 2U);
}

TEST(Lineage, ASublinkOnTheNullableSide) {
    // leads LEFT JOIN c ON c.1 = leads.2, SELECT (… FROM r WHERE r.1 = c.3): the sublink has a
    // value only where there is a c, and there ON holds.
    LineageGraph graph = Leads();
    const int nullable = AddScope(&graph, ScopeKind::kOuterJoin);
    const int c = AddOccurrence(&graph, nullable);
    const int sublink = AddScope(&graph, ScopeKind::kSublink);
    const int r = AddOccurrence(&graph, sublink);
    Equate(&graph, {c, 1}, {0, 2}, nullable);
    Equate(&graph, {r, 1}, {c, 3}, sublink);
    const auto path = FindPath(graph, r);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->tables.size(), 2U);
}

TEST(Lineage, NoPathLeadsThroughASublinkFromOutside) {
    // SELECT (… FROM s WHERE s.1 = leads.1 AND s.2 = o.1) FROM leads, o: the sublink may be empty.
    LineageGraph graph = Leads();
    const int o = AddOccurrence(&graph);
    const int sublink = AddScope(&graph, ScopeKind::kSublink);
    const int s = AddOccurrence(&graph, sublink);
    Equate(&graph, {s, 1}, {0, 1}, sublink);
    Equate(&graph, {s, 2}, {o, 1}, sublink);
    EXPECT_TRUE(FindPath(graph, s));
    EXPECT_FALSE(FindPath(graph, o));
}

TEST(Lineage, NestedSublinksReachOut) {
    LineageGraph graph = Leads();
    const int outer = AddScope(&graph, ScopeKind::kSublink);
    const int l = AddOccurrence(&graph, outer);
    const int inner = AddScope(&graph, ScopeKind::kSublink, outer);
    const int a = AddOccurrence(&graph, inner);
    Equate(&graph, {l, 2}, {0, 1}, outer);
    Equate(&graph, {a, 1}, {l, 1}, inner);
    const auto path = FindPath(graph, a);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->tables.size(), 1U);
    EXPECT_EQ(path->key[0], (ColumnRef{l, 2}));
}

TEST(Lineage, AnotherConditionNarrowsTheQuery) {
    // JOIN c ON c.1 = leads.2 AND c.2 = leads.3
    LineageGraph graph = Leads();
    const int c = AddOccurrence(&graph);
    Equate(&graph, {c, 1}, {0, 2});
    Equate(&graph, {c, 2}, {0, 3});
    const auto path = FindPath(graph, c);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->tables.size(), 1U);
    EXPECT_EQ(path->conditions.size(), 2U);
}

TEST(Lineage, AKeyOfTwoTables) {
    LineageGraph graph = Leads();
    const int a = AddOccurrence(&graph);
    graph.keys[0].columns.push_back({a, 5});
    Equate(&graph, {a, 1}, {0, 2});
    const auto from_leads = FindPath(graph, 0);
    ASSERT_TRUE(from_leads);
    EXPECT_EQ(from_leads->tables, std::vector<int>{a});
    EXPECT_EQ(from_leads->key[0], (ColumnRef{0, 1}));
    EXPECT_EQ(from_leads->key[1], (ColumnRef{a, 5}));
    EXPECT_TRUE(FindPath(graph, a));
}

TEST(Lineage, ARowFromOutsideTakesEveryBranch) {
    // SELECT u.1 FROM (a UNION b) u JOIN c ON c.1 = u.2: a changed c leads through both a and b, a
    // changed a through itself only.
    LineageGraph graph;
    graph.scopes = {{-1, ScopeKind::kSublink},
                    {0, ScopeKind::kBranch, 0, true},
                    {0, ScopeKind::kBranch, 0, true}};
    graph.occurrence_scope = {1, 2, 0};
    graph.keys = {{{{0, 1}}, {1}}, {{{1, 1}}, {2}}};
    graph.equalities = {{{2, 1}, {0, 2}, {0, 1}, true}, {{2, 1}, {1, 2}, {0, 2}, true}};
    const auto from_c = FindPaths(graph, 2);
    ASSERT_EQ(from_c.size(), 2U);
    EXPECT_EQ(from_c[0].tables, std::vector<int>{0});
    EXPECT_EQ(from_c[1].tables, std::vector<int>{1});
    ASSERT_EQ(FindPaths(graph, 0).size(), 1U);
    EXPECT_TRUE(FindPaths(graph, 0)[0].tables.empty());
    // Rows of the right side of EXCEPT do not come out.
    graph.scopes[2].produces = false;
    EXPECT_EQ(FindPaths(graph, 2).size(), 1U);
    EXPECT_EQ(FindPaths(graph, 1).size(), 1U);
    // One branch without a way is no way.
    graph.scopes[2].produces = true;
    graph.equalities.pop_back();
    EXPECT_TRUE(FindPaths(graph, 2).empty());
}

TEST(Lineage, ABranchInsideAnOuterJoin) {
    // c LEFT JOIN LATERAL (l WHERE l.1 = c.1 UNION ALL d WHERE d.1 = c.1) x LEFT JOIN o ON o.1 =
    // x.2
    LineageGraph graph = Leads();
    const int x = AddScope(&graph, ScopeKind::kOuterJoin);
    graph.scopes.push_back({x, ScopeKind::kBranch, 0, true});
    graph.scopes.push_back({x, ScopeKind::kBranch, 0, true});
    const int l = AddOccurrence(&graph, 2);
    const int d = AddOccurrence(&graph, 3);
    const int o = AddOccurrence(&graph, AddScope(&graph, ScopeKind::kOuterJoin));
    graph.equalities = {{{l, 1}, {0, 1}, {2}, true}, {{d, 1}, {0, 1}, {3}, true}};
    // Without a condition on x it may have no row.
    EXPECT_TRUE(FindPaths(graph, o).empty());
    graph.equalities.push_back({{o, 1}, {l, 2}, {4, 2}, true});
    EXPECT_TRUE(FindPaths(graph, o).empty());
    graph.equalities.push_back({{o, 1}, {d, 2}, {4, 3}, true});
    EXPECT_EQ(FindPaths(graph, o).size(), 2U);
}

TEST(Lineage, ARowThatWasChosenAmongOthers) {
    // c LEFT JOIN LATERAL (l WHERE l.1 = c.1 ORDER BY … LIMIT 1) x JOIN o ON o.1 = x.2
    LineageGraph graph = Leads();
    const int l = AddOccurrence(&graph);
    const int o = AddOccurrence(&graph);
    Equate(&graph, {l, 1}, {0, 1});
    Equate(&graph, {o, 1}, {l, 2});
    graph.equalities[1].not_from = {l};
    ASSERT_TRUE(FindPath(graph, o));
    EXPECT_EQ(FindPath(graph, o)->tables, std::vector<int>{l});
    ASSERT_TRUE(FindPath(graph, l));
    // What leads on from the chosen row does not lead on from one that was not.
    graph.equalities[0] = {{0, 1}, {o, 2}, {0}, true};
    EXPECT_TRUE(FindPath(graph, o));
    EXPECT_FALSE(FindPath(graph, l));
}

// What must hold of any path found in any graph: it starts at the changed occurrence, each join is
// probed with what is known by then, and the key is a column of the row or table at its end.
TEST(Lineage, PathsOfRandomGraphsAreWellFormed) {
    std::mt19937 random(42);
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    int found = 0;
    for (int round = 0; round < 5000; ++round) {
        LineageGraph graph = Leads();
        for (int i = 0; i < below(4); ++i) {
            AddScope(&graph, below(2) == 0 ? ScopeKind::kOuterJoin : ScopeKind::kSublink,
                     below(static_cast<int>(graph.scopes.size())));
        }
        const int scopes = static_cast<int>(graph.scopes.size());
        for (int i = 0; i < 1 + below(6); ++i) {
            AddOccurrence(&graph, below(scopes));
        }
        const int occurrences = static_cast<int>(graph.occurrence_scope.size());
        for (int i = 0; i < below(12); ++i) {
            const ColumnRef left{below(occurrences), 1 + below(3)};
            const ColumnRef right{below(occurrences), 1 + below(3)};
            if (left.occurrence != right.occurrence) {
                Equate(&graph, left, right, below(scopes), below(2) == 0);
            }
        }
        for (int changed = 0; changed < occurrences; ++changed) {
            const auto path = FindPath(graph, changed);
            if (!path) {
                continue;
            }
            ++found;
            std::vector<int> known = {changed};
            const auto is_known = [&](int occurrence) {
                return std::find(known.begin(), known.end(), occurrence) != known.end();
            };
            for (std::size_t i = 0; i < path->tables.size(); ++i) {
                EXPECT_EQ(path->conditions[i].enter.occurrence, path->tables[i]);
                EXPECT_TRUE(is_known(path->conditions[i].probe.occurrence));
                EXPECT_FALSE(is_known(path->tables[i]));
                known.push_back(path->tables[i]);
            }
            for (const PathCondition& condition : path->conditions) {
                EXPECT_TRUE(is_known(condition.enter.occurrence));
                EXPECT_TRUE(is_known(condition.probe.occurrence));
            }
            EXPECT_TRUE(is_known(path->key[0].occurrence));
        }
    }
    EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace freshcrm::core
