#include "core/lineage.hpp"

#include <algorithm>
#include <deque>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr int kNone = -1;

// The equalities that hold in every joined row that a row of `changed` takes part in.
std::vector<bool> CertainEqualities(const LineageGraph& graph, int changed) {
    std::vector<bool> entered(graph.scopes.size(), false);
    for (int scope = graph.occurrence_scope[changed]; scope != kNone;
         scope = graph.scopes[scope].parent) {
        entered[scope] = true;
    }
    const auto enter_outer_joins_around = [&](int occurrence) {
        bool grown = false;
        for (int scope = graph.occurrence_scope[occurrence];
             scope != kNone && graph.scopes[scope].outer_join; scope = graph.scopes[scope].parent) {
            grown = grown || !entered[scope];
            entered[scope] = true;
        }
        return grown;
    };

    for (bool grown = true; grown;) {
        grown = false;
        for (const Equality& equality : graph.equalities) {
            if (entered[equality.scope]) {
                grown |= enter_outer_joins_around(equality.left.occurrence);
                grown |= enter_outer_joins_around(equality.right.occurrence);
            }
        }
    }
    std::vector<bool> certain;
    certain.reserve(graph.equalities.size());
    for (const Equality& equality : graph.equalities) {
        certain.push_back(entered[equality.scope]);
    }
    return certain;
}

// A column whose value the search knows.
struct Known {
    ColumnRef column;
    ColumnRef source;  // the column of the changed row or of a joined table that has the value
    int joins;         // how many tables were read to know it
    int last_join;     // in Search::joins_, or kNone
    int equality;      // the one it was reached by; kNone for a column of a row at hand
};

class Search {
  public:
    Search(const LineageGraph& graph, int changed)
        : graph_(graph), certain_(CertainEqualities(graph, changed)) {
        AddRow(changed, 0, kNone);
    }

    // Breadth-first by the number of joins: a value passed on by an equality costs nothing and goes
    // to the front, a table to be read goes to the back.
    std::optional<LineagePath> Run() {
        while (!queue_.empty()) {
            const Known known = queue_.front();
            queue_.pop_front();
            if (IsSettled(known.column)) {
                continue;
            }
            settled_.push_back(known.column);
            if (known.column == graph_.key) {
                return PathTo(known);
            }
            Follow(known);
        }
        return std::nullopt;
    }

  private:
    struct Join {
        PathJoin join;
        int previous;
    };

    bool IsSettled(const ColumnRef& column) const {
        return std::find(settled_.begin(), settled_.end(), column) != settled_.end();
    }

    // All columns of a row at hand are known; those that no equality and no key names lead nowhere.
    void AddRow(int occurrence, int joins, int last_join) {
        const auto add = [&](const ColumnRef& column) {
            if (column.occurrence == occurrence) {
                queue_.push_back({column, column, joins, last_join, kNone});
            }
        };
        add(graph_.key);
        for (std::size_t i = 0; i < graph_.equalities.size(); ++i) {
            if (certain_[i]) {
                add(graph_.equalities[i].left);
                add(graph_.equalities[i].right);
            }
        }
    }

    void ReadTable(const Known& known, const ColumnRef& enter, int equality) {
        joins_.push_back({{enter, known.source, equality}, known.last_join});
        AddRow(enter.occurrence, known.joins + 1, static_cast<int>(joins_.size()) - 1);
    }

    void Follow(const Known& known) {
        for (std::size_t i = 0; i < graph_.equalities.size(); ++i) {
            if (!certain_[i]) {
                continue;
            }
            const Equality& equality = graph_.equalities[i];
            if (equality.left == known.column) {
                Cross(known, equality.right, static_cast<int>(i));
            }
            if (equality.right == known.column) {
                Cross(known, equality.left, static_cast<int>(i));
            }
        }
        if (known.equality != kNone) {
            ReadTable(known, known.column, known.equality);
        }
    }

    void Cross(const Known& known, const ColumnRef& to, int equality) {
        if (IsSettled(to)) {
            return;
        }
        if (graph_.equalities[equality].interchangeable) {
            queue_.push_front({to, known.source, known.joins, known.last_join, equality});
        } else {
            ReadTable(known, to, equality);
        }
    }

    LineagePath PathTo(const Known& known) const {
        LineagePath path{known.source, {}, known.source};
        for (int i = known.last_join; i != kNone; i = joins_[i].previous) {
            path.joins.push_back(joins_[i].join);
        }
        std::reverse(path.joins.begin(), path.joins.end());
        if (!path.joins.empty()) {
            path.start = path.joins.front().probe;
        }
        return path;
    }

    const LineageGraph& graph_;
    const std::vector<bool> certain_;
    std::deque<Known> queue_;
    std::vector<ColumnRef> settled_;
    std::vector<Join> joins_;
};

}  // namespace

std::optional<LineagePath> FindPath(const LineageGraph& graph, int changed_occurrence) {
    return Search(graph, changed_occurrence).Run();
}

}  // namespace freshcrm::core
