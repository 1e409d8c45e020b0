#include "core/lineage.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <stdexcept>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr int kNone = -1;
constexpr std::size_t kMaxWays = 1000;

template <typename T>
bool Contains(const std::vector<T>& values, const T& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

// Which scopes a joined row with a changed row in it is known to take part in.
class EnteredScopes {
  public:
    EnteredScopes(const LineageGraph& graph, int changed)
        : graph_(graph), entered_(graph.scopes.size(), false) {
        for (int scope = graph.occurrence_scope[changed]; scope != kNone;
             scope = graph.scopes[scope].parent) {
            entered_[scope] = true;
        }
    }

    void Enter(int scope) { entered_[scope] = true; }

    bool Entered(int scope) const { return entered_[scope]; }

    // The scope and all around it.
    bool EnteredThrough(int scope) const {
        for (; scope != kNone; scope = graph_.scopes[scope].parent) {
            if (!entered_[scope]) {
                return false;
            }
        }
        return true;
    }

    bool EnteredThrough(const std::vector<int>& scopes) const {
        return std::all_of(scopes.begin(), scopes.end(),
                           [&](int scope) { return EnteredThrough(scope); });
    }

    // Whether the condition holds. It is strict: a value that comes out of the branch of a set
    // operation is there, whatever outer joins are around that.
    bool Holds(const Equality& equality) const {
        return EnteredThrough(equality.scopes.front()) &&
               std::all_of(equality.scopes.begin() + 1, equality.scopes.end(), [&](int scope) {
                   return graph_.scopes[scope].kind == ScopeKind::kBranch ? Reachable(scope)
                                                                          : EnteredThrough(scope);
               });
    }

    // The same, but outer joins on the way may be null-extended.
    bool Reachable(int scope) const {
        for (; scope != kNone; scope = graph_.scopes[scope].parent) {
            if (!entered_[scope] && graph_.scopes[scope].kind != ScopeKind::kOuterJoin) {
                return false;
            }
        }
        return true;
    }

    // A row of the occurrence is there, and so takes part in what is around it. (A branch is
    // entered by choice: what holds for a row of it says so itself.) Says whether that is news.
    bool EnterAround(int occurrence) {
        bool news = false;
        for (int scope = graph_.occurrence_scope[occurrence]; scope != kNone;
             scope = graph_.scopes[scope].parent) {
            if (graph_.scopes[scope].kind != ScopeKind::kBranch && !entered_[scope]) {
                entered_[scope] = true;
                news = true;
            }
        }
        return news;
    }

  private:
    const LineageGraph& graph_;
    std::vector<bool> entered_;
};

// The equalities that hold where the scopes are entered, and in the joined rows that these imply.
std::vector<bool> CertainEqualities(const LineageGraph& graph, int changed, EnteredScopes* scopes) {
    const auto holds = [&](const Equality& equality) {
        return scopes->Holds(equality) && !Contains(equality.not_from, changed);
    };
    for (bool news = true; news;) {
        news = false;
        for (const Equality& equality : graph.equalities) {
            if (holds(equality)) {
                news |= scopes->EnterAround(equality.left.occurrence);
                news |= scopes->EnterAround(equality.right.occurrence);
            }
        }
    }
    std::vector<bool> certain;
    certain.reserve(graph.equalities.size());
    for (const Equality& equality : graph.equalities) {
        certain.push_back(holds(equality));
    }
    return certain;
}

// Looks for the way from rows at hand to one column with the fewest further tables.
class Search {
  public:
    struct Found {
        ColumnRef source;  // the column of a row at hand or a table read that has the value
        std::vector<PathCondition> reads;  // one a table, in order
    };

    Search(const LineageGraph& graph, const std::vector<bool>& certain,
           const std::vector<int>& at_hand, const ColumnRef& target)
        : graph_(graph), certain_(certain), at_hand_(at_hand), target_(target) {
        for (const int occurrence : at_hand) {
            AddRow(occurrence, kNone);
        }
    }

    // Breadth-first by the number of tables read: a value passed on by an equality costs nothing
    // and goes to the front, a table to be read goes to the back.
    std::optional<Found> Run() {
        while (!queue_.empty()) {
            const Known known = queue_.front();
            queue_.pop_front();
            if (Contains(settled_, known.column)) {
                continue;
            }
            settled_.push_back(known.column);
            if (known.column == target_) {
                return FoundAt(known);
            }
            Follow(known);
        }
        return std::nullopt;
    }

  private:
    // A column whose value is known.
    struct Known {
        ColumnRef column;
        ColumnRef source;
        int last_read;  // in reads_, or kNone
        int equality;   // the one it was reached by; kNone for a column of a row at hand
    };

    struct Read {
        PathCondition condition;
        int previous;
    };

    // All columns of a row are known; those that no equality names lead nowhere.
    void AddRow(int occurrence, int last_read) {
        const auto add = [&](const ColumnRef& column) {
            if (column.occurrence == occurrence) {
                queue_.push_back({column, column, last_read, kNone});
            }
        };
        add(target_);
        for (std::size_t i = 0; i < graph_.equalities.size(); ++i) {
            if (certain_[i]) {
                add(graph_.equalities[i].left);
                add(graph_.equalities[i].right);
            }
        }
    }

    bool AtHand(int occurrence, int last_read) const {
        for (int i = last_read; i != kNone; i = reads_[i].previous) {
            if (reads_[i].condition.enter.occurrence == occurrence) {
                return true;
            }
        }
        return Contains(at_hand_, occurrence);
    }

    // What is at hand is not read again: the table need not have the row, and has others.
    void ReadTable(const Known& known, const ColumnRef& enter, int equality) {
        if (AtHand(enter.occurrence, known.last_read)) {
            return;
        }
        reads_.push_back({{enter, known.source, equality}, known.last_read});
        AddRow(enter.occurrence, static_cast<int>(reads_.size()) - 1);
    }

    void Follow(const Known& known) {
        for (std::size_t i = 0; i < graph_.equalities.size(); ++i) {
            const Equality& equality = graph_.equalities[i];
            if (certain_[i] && equality.left == known.column) {
                Cross(known, equality.right, static_cast<int>(i));
            }
            if (certain_[i] && equality.right == known.column) {
                Cross(known, equality.left, static_cast<int>(i));
            }
        }
        if (known.equality != kNone) {
            ReadTable(known, known.column, known.equality);
        }
    }

    void Cross(const Known& known, const ColumnRef& to, int equality) {
        if (Contains(settled_, to)) {
            return;
        }
        if (graph_.equalities[equality].interchangeable) {
            queue_.push_front({to, known.source, known.last_read, equality});
        } else {
            ReadTable(known, to, equality);
        }
    }

    Found FoundAt(const Known& known) const {
        Found found{known.source, {}};
        for (int i = known.last_read; i != kNone; i = reads_[i].previous) {
            found.reads.push_back(reads_[i].condition);
        }
        std::reverse(found.reads.begin(), found.reads.end());
        return found;
    }

    const LineageGraph& graph_;
    const std::vector<bool>& certain_;
    const std::vector<int>& at_hand_;
    const ColumnRef target_;
    std::deque<Known> queue_;
    std::vector<ColumnRef> settled_;
    std::vector<Read> reads_;
};

// Adds the certain equalities between rows at hand that the search did not need: they narrow down
// what a query finds.
void AddConditions(const LineageGraph& graph, const std::vector<bool>& certain,
                   const std::vector<int>& at_hand, LineagePath* path) {
    const auto position = [&](const ColumnRef& column) {
        return std::find(at_hand.begin(), at_hand.end(), column.occurrence) - at_hand.begin();
    };
    const auto missing = static_cast<std::ptrdiff_t>(at_hand.size());
    for (std::size_t i = 0; i < graph.equalities.size(); ++i) {
        const Equality& equality = graph.equalities[i];
        const auto left = position(equality.left);
        const auto right = position(equality.right);
        const bool used =
            std::any_of(path->conditions.begin(), path->conditions.end(),
                        [&](const PathCondition& c) { return c.equality == static_cast<int>(i); });
        if (!certain[i] || used || equality.element || left == missing || right == missing) {
            continue;
        }
        const bool from_left = left < right;
        path->conditions.push_back({from_left ? equality.right : equality.left,
                                    from_left ? equality.left : equality.right,
                                    static_cast<int>(i)});
    }
}

// The path where the scopes are entered.
std::optional<LineagePath> FindPath(const LineageGraph& graph, int changed, EnteredScopes scopes) {
    const std::vector<bool> certain = CertainEqualities(graph, changed, &scopes);
    const auto key = std::find_if(graph.keys.begin(), graph.keys.end(), [&](const Key& candidate) {
        return scopes.EnteredThrough(candidate.scopes);
    });
    if (key == graph.keys.end()) {
        return std::nullopt;
    }
    LineagePath path;
    std::vector<int> at_hand = {changed};
    for (const ColumnRef& target : key->columns) {
        const auto found = Search(graph, certain, at_hand, target).Run();
        if (!found) {
            return std::nullopt;
        }
        for (const PathCondition& read : found->reads) {
            path.conditions.push_back(read);
            path.tables.push_back(read.enter.occurrence);
            at_hand.push_back(read.enter.occurrence);
        }
        path.key.push_back(found->source);
    }
    if (!path.tables.empty()) {
        AddConditions(graph, certain, at_hand, &path);
    }
    return path;
}

// Goes through the ways that a row can take through set operations, from `next` on.
class Ways {
  public:
    Ways(const LineageGraph& graph, int changed) : graph_(graph), changed_(changed) {}

    // False when a way has no path.
    bool Explore(int next, const EnteredScopes& scopes) {
        const int count = static_cast<int>(graph_.scopes.size());
        for (; next < count; ++next) {
            const Scope& scope = graph_.scopes[next];
            if (scope.kind == ScopeKind::kBranch && !Decided(scope.set_operation, scopes) &&
                scopes.Reachable(scope.parent)) {
                return Choose(scope.set_operation, next, scopes);
            }
        }
        auto path = FindPath(graph_, changed_, scopes);
        if (!path) {
            return false;
        }
        if (paths_.size() == kMaxWays) {
            throw std::length_error("the view has too many branches of set operations");
        }
        paths_.push_back(std::move(*path));
        return true;
    }

    std::vector<LineagePath> Take() { return std::move(paths_); }

  private:
    bool Decided(int set_operation, const EnteredScopes& scopes) const {
        for (std::size_t i = 0; i < graph_.scopes.size(); ++i) {
            if (graph_.scopes[i].set_operation == set_operation &&
                scopes.Entered(static_cast<int>(i))) {
                return true;
            }
        }
        return false;
    }

    bool Choose(int set_operation, int first, const EnteredScopes& scopes) {
        for (int i = first; i < static_cast<int>(graph_.scopes.size()); ++i) {
            if (graph_.scopes[i].set_operation == set_operation && graph_.scopes[i].produces) {
                EnteredScopes chosen = scopes;
                chosen.Enter(i);
                if (!Explore(first + 1, chosen)) {
                    return false;
                }
            }
        }
        return true;
    }

    const LineageGraph& graph_;
    const int changed_;
    std::vector<LineagePath> paths_;
};

}  // namespace

std::vector<LineagePath> FindPaths(const LineageGraph& graph, int changed_occurrence) {
    Ways ways(graph, changed_occurrence);
    if (!ways.Explore(0, EnteredScopes(graph, changed_occurrence))) {
        return {};
    }
    return ways.Take();
}

}  // namespace freshcrm::core
