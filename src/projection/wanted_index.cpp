#include "projection/wanted_index.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

const WalkedScope& ScopeAt(const WalkedView& view, int scope) {
    return *static_cast<WalkedScope*>(list_nth(view.scopes, scope));
}

// The scope is that of the occurrence or around it.
bool IsAround(const WalkedView& view, int scope, int occurrence) {
    int inner = OccurrenceAt(view, occurrence).scope;
    while (inner >= 0 && inner != scope) {
        inner = ScopeAt(view, inner).parent;
    }
    return inner == scope;
}

bool SameColumn(const IndexColumn& a, const IndexColumn& b) {
    return a.attnum == b.attnum && equal(a.expression, b.expression);
}

bool HasColumn(const List* columns, const IndexColumn& column) {
    ListCell* cell;
    foreach (cell, columns) {
        if (SameColumn(*static_cast<IndexColumn*>(lfirst(cell)), column)) {
            return true;
        }
    }
    return false;
}

bool SameColumns(const List* a, const List* b) {
    bool same = list_length(a) == list_length(b);
    ListCell* cell;
    foreach (cell, a) {
        same = same && HasColumn(b, *static_cast<IndexColumn*>(lfirst(cell)));
    }
    return same;
}

void AddColumn(const WalkedView& view, WantedIndex* index, const WalkedColumn& column, Oid opno) {
    // A constant of a key picks out a branch, no rows. An index takes immutable functions only,
    // more strictly than CheckImmutable().
    if (auto* expression = reinterpret_cast<Node*>(ExpressionOf(view, column));
        expression != nullptr &&
        (!contain_var_clause(expression) || contain_mutable_functions(expression))) {
        return;
    }
    auto* added = static_cast<IndexColumn*>(palloc0(sizeof(IndexColumn)));
    added->expression = ExpressionOf(view, column);
    added->attnum = static_cast<AttrNumber>(added->expression == nullptr ? column.column : 0);
    added->opno = opno;
    (void)ColumnType(view, column, &added->collation);
    if (!HasColumn(index->columns, *added)) {
        index->columns = lappend(index->columns, added);
    }
}

// Adds the column that is entered by an equality; an index does not find arrays by an element.
void AddEntered(const WalkedView& view, WantedIndex* index, const WalkedEquality& equality,
                const WalkedColumn& enter) {
    if (enter == equality.left) {
        AddColumn(view, index, enter, equality.opno);
    } else if (!equality.element) {
        AddColumn(view, index, enter, get_commutator(equality.opno));
    }
}

WantedIndex* MakeIndex(Oid relid, List* quals) {
    auto* index = static_cast<WantedIndex*>(palloc(sizeof(WantedIndex)));
    *index = {relid, NIL, quals};
    return index;
}

// Reads the view as a query for one key does: from the tables that have the key along equalities.
class KeyRead {
  public:
    explicit KeyRead(const WalkedView& view) : view_(view) {}

    List* Run() {
        AddKeys();
        bool news = true;
        while (news) {
            news = false;
            for (int i = 0; i < list_length(view_.occurrences); ++i) {
                news = (!list_member_int(read_, i) && Enter(i)) || news;
            }
        }
        return indexes_;
    }

  private:
    // A key of several columns may be of several tables: the first is read by it, the others by
    // what links them to the first.
    void AddKeys() {
        ListCell* cell;
        foreach (cell, view_.keys) {
            List* columns = static_cast<WalkedKey*>(lfirst(cell))->columns;
            ListCell* column;
            foreach (column, columns) {
                const int occurrence = static_cast<WalkedColumn*>(lfirst(column))->occurrence;
                if (!list_member_int(read_, occurrence)) {
                    (void)Enter(occurrence);
                }
            }
        }
    }

    // Whether the equality holds for the rows of the occurrence that are looked for, given a row of
    // `probe`.
    bool Restricts(const WalkedEquality& equality, int occurrence, int probe) const {
        ListCell* cell;
        foreach (cell, equality.scopes) {
            const int scope = lfirst_int(cell);
            if (!IsAround(view_, scope, occurrence) &&
                !(ScopeAt(view_, scope).kind == core::ScopeKind::kBranch &&
                  IsAround(view_, scope, probe))) {
                return false;
            }
        }
        return true;
    }

    // Reads the occurrence by what has been read, else by the key, if that leads to it.
    bool Enter(int occurrence) {
        const WalkedOccurrence& table = OccurrenceAt(view_, occurrence);
        WantedIndex* index = MakeIndex(table.relid, table.quals);
        bool linked = false;
        ListCell* cell;
        foreach (cell, view_.equalities) {
            const auto& equality = *static_cast<WalkedEquality*>(lfirst(cell));
            const bool is_left = equality.left.occurrence == occurrence;
            const WalkedColumn& enter = is_left ? equality.left : equality.right;
            const WalkedColumn& probe = is_left ? equality.right : equality.left;
            if (enter.occurrence == occurrence && list_member_int(read_, probe.occurrence) &&
                !bms_is_member(occurrence, equality.not_from) &&
                Restricts(equality, occurrence, probe.occurrence)) {
                AddEntered(view_, index, equality, enter);
                linked = true;
            }
        }
        linked = linked || AddKeyColumns(occurrence, index);
        if (linked) {
            read_ = lappend_int(read_, occurrence);
            AddIndex(index);
        }
        return linked;
    }

    bool AddKeyColumns(int occurrence, WantedIndex* index) const {
        bool found = false;
        ListCell* cell;
        foreach (cell, view_.keys) {
            ListCell* column;
            foreach (column, static_cast<WalkedKey*>(lfirst(cell))->columns) {
                const auto& key = *static_cast<WalkedColumn*>(lfirst(column));
                if (key.occurrence == occurrence) {
                    Oid collation;
                    const Oid type = ColumnType(view_, key, &collation);
                    AddColumn(view_, index, key, lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr);
                    found = true;
                }
            }
        }
        return found;
    }

    void AddIndex(WantedIndex* index) {
        if (index->columns == NIL) {
            return;
        }
        ListCell* cell;
        foreach (cell, indexes_) {
            auto* other = static_cast<WantedIndex*>(lfirst(cell));
            if (other->relid == index->relid && SameColumns(other->columns, index->columns)) {
                other->quals = list_intersection(other->quals, index->quals);
                return;
            }
        }
        indexes_ = lappend(indexes_, index);
    }

    const WalkedView& view_;
    List* read_ = NIL;  // occurrences
    List* indexes_ = NIL;
};

}  // namespace

List* HopIndexes(const WalkedView& view, const FlatPath& flat) {
    List* indexes = NIL;
    ListCell* table;
    foreach (table, flat.tables) {
        const int occurrence = lfirst_int(table);
        WantedIndex* index = MakeIndex(OccurrenceAt(view, occurrence).relid, NIL);
        ListCell* cell;
        foreach (cell, flat.conditions) {
            const auto& condition = *static_cast<core::PathCondition*>(lfirst(cell));
            if (condition.enter.occurrence == occurrence) {
                AddEntered(
                    view, index,
                    *static_cast<WalkedEquality*>(list_nth(view.equalities, condition.equality)),
                    condition.enter);
            }
        }
        if (index->columns != NIL) {
            indexes = lappend(indexes, index);
        }
    }
    return indexes;
}

List* ReadIndexes(const WalkedView& view) {
    return KeyRead(view).Run();
}

}  // namespace freshcrm::projection
