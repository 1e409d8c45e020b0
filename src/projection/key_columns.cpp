#include "projection/key_columns.hpp"

#include "pg/names.hpp"
#include "projection/equalities.hpp"
#include "projection/traceable.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
}

namespace freshcrm::projection {

namespace {

bool InsideOuterJoin(const WalkedView& view, int scope) {
    for (; scope >= 0; scope = static_cast<WalkedScope*>(list_nth(view.scopes, scope))->parent) {
        if (static_cast<WalkedScope*>(list_nth(view.scopes, scope))->kind ==
            core::ScopeKind::kOuterJoin) {
            return true;
        }
    }
    return false;
}

// Why the column cannot be one of the key, or null.
const char* ColumnReason(const WalkedView& view, const Resolved& resolved, Oid type) {
    if (resolved.element) {
        return "It is an element of an array.";
    }
    if (resolved.not_from != nullptr) {
        return "It comes out of a subquery that chooses its rows by LIMIT, DISTINCT ON or a "
               "window.";
    }
    if (resolved.constant != nullptr) {
        return nullptr;
    }
    const WalkedOccurrence& occurrence = OccurrenceAt(view, resolved.column.occurrence);
    Oid collation;
    const Oid found = ColumnType(view, resolved.column, &collation);
    if (EqualityOf(found) != EqualityOf(type)) {
        return psprintf(
            "It has type %s and stands for a value of type %s, which has another equality.",
            format_type_be(type), format_type_be(found));
    }
    if (InsideOuterJoin(view, occurrence.scope)) {
        return psprintf(
            "Table %s stands on the nullable side of an outer join, so that the key can be NULL.",
            pg::RelationForMessage(occurrence.relid));
    }
    return nullptr;
}

// Adds the key of these columns (Resolved*). A constant, which says what branch of a set operation
// a row is from, goes along with a column of a table there; a branch of constants only reads no
// table, or is not to be traced.
void AddKey(WalkedView* view, const List* columns) {
    int table = -1;
    ListCell* cell;
    foreach (cell, columns) {
        const auto* column = static_cast<Resolved*>(lfirst(cell));
        table = table < 0 ? column->column.occurrence : table;
    }
    if (table < 0) {
        return;
    }
    WalkedKey key{NIL, NIL};
    foreach (cell, columns) {
        const auto* column = static_cast<Resolved*>(lfirst(cell));
        const WalkedColumn found = column->constant == nullptr
                                       ? column->column
                                       : ExpressionColumn(view, table, column->constant);
        key.columns = lappend(key.columns, Make(found));
        key.scopes = list_concat_unique_int(key.scopes, column->branches);
    }
    view->keys = lappend(view->keys, Make(key));
}

// One key for each branch of the set operations that it comes from; `done` has the columns
// (Resolved*) before those from `next` on. False when one cannot be resolved and no table needs it.
bool AddKeys(WalkedView* view, Level* top, const List* done, const List* keys, int next) {
    if (next == list_length(keys)) {
        AddKey(view, done);
        return true;
    }
    const auto resno = static_cast<AttrNumber>(list_nth_int(keys, next));
    const char* what =
        psprintf("key column \"%s\" of %s",
                 get_tle_by_resno(top->query->targetList, resno)->resname, top->name);
    const Oid type =
        exprType(reinterpret_cast<Node*>(get_tle_by_resno(top->query->targetList, resno)->expr));
    List* resolved = ResolveOutput(view, top, resno);
    const char* reason = resolved == NIL || !bms_is_member(resno, top->passing)
                             ? KeyReason(top->query, resno)
                             : nullptr;
    ListCell* cell;
    foreach (cell, resolved) {
        if (reason == nullptr) {
            reason = ColumnReason(*view, *static_cast<Resolved*>(lfirst(cell)), type);
        }
    }
    if (reason != nullptr) {
        RequireFallbacks(*view, 0, what, reason);
        return false;
    }
    foreach (cell, resolved) {
        if (!AddKeys(view, top, lappend(list_copy(done), lfirst(cell)), keys, next + 1)) {
            return false;
        }
    }
    return true;
}

}  // namespace

void SetKeys(WalkedView* view, Level* top, const List* keys) {
    if (keys == NIL || !AddKeys(view, top, NIL, keys, 0)) {
        view->keys = NIL;
    } else if (view->keys == NIL) {
        RequireFallbacks(*view, 0, psprintf("the key of %s", top->name),
                         "It consists of constants.");
    }
}

}  // namespace freshcrm::projection
