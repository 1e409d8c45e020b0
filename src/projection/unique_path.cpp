#include "projection/unique_path.hpp"

#include "projection/equalities.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "utils/rel.h"
}

namespace freshcrm::projection {

namespace {

// Columns whose values a key determines, of the occurrences on a path.
struct Determined {
    const PlainFrom* from;
    const FlatPath* flat;
    List* occurrences;  // those on the path
    Bitmapset** columns;
    Bitmapset* rows;  // occurrences of which the key determines one row
};

const WalkedEquality* EqualityOfCondition(const PlainFrom* from,
                                          const core::PathCondition* condition) {
    return static_cast<WalkedEquality*>(list_nth(from->view->equalities, condition->equality));
}

bool Involves(const core::PathCondition* condition, int occurrence) {
    return condition->enter.occurrence == occurrence || condition->probe.occurrence == occurrence;
}

bool HasColumn(const Determined& determined, const WalkedColumn& column) {
    return bms_is_member(column.occurrence, determined.rows) ||
           bms_is_member(column.column, determined.columns[column.occurrence]);
}

void AddColumn(Determined* determined, const WalkedColumn& column) {
    determined->columns[column.occurrence] =
        bms_add_member(determined->columns[column.occurrence], column.column);
}

// An index under which two rows that are equal by the type's own equality cannot be.
bool IsUniqueKey(Relation index, Oid relid, const Bitmapset* columns) {
    const Form_pg_index form = index->rd_index;
    if (!form->indisunique || !form->indimmediate || !form->indisvalid ||
        RelationGetIndexPredicate(index) != NIL) {
        return false;
    }
    for (int i = 0; i < form->indnkeyatts; ++i) {
        const AttrNumber attnum = form->indkey.values[i];
        if (attnum <= 0 || !bms_is_member(attnum, columns)) {
            return false;
        }
        Oid type;
        int32 typmod;
        Oid collation;
        get_atttypetypmodcoll(relid, attnum, &type, &typmod, &collation);
        if (!op_in_opfamily(EqualityOf(type), index->rd_opfamily[i]) ||
            index->rd_indcollation[i] != collation) {
            return false;
        }
    }
    return true;
}

bool DetermineOneRow(Oid relid, const Bitmapset* columns) {
    Relation table = table_open(relid, AccessShareLock);
    bool unique = false;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        unique = unique || IsUniqueKey(index, relid, columns);
        index_close(index, AccessShareLock);
    }
    table_close(table, NoLock);
    return unique;
}

// Whether the condition is an equality of the view as it stands there, and holds in each row of the
// view, but for an outer join of the table that the path sets out from.
bool IsCertain(const PlainFrom* from, const FlatPath& flat, const core::PathCondition* condition) {
    const WalkedEquality* equality = EqualityOfCondition(from, condition);
    const bool as_it_stands =
        (condition->enter == equality->left && condition->probe == equality->right) ||
        (condition->enter == equality->right && condition->probe == equality->left);
    if (!as_it_stands || equality->element || !equality->interchangeable ||
        equality->not_from != nullptr || condition->enter.column <= 0 ||
        condition->probe.column <= 0) {
        return false;
    }
    const bool of_changed = Involves(condition, flat.changed);
    ListCell* cell;
    foreach (cell, equality->scopes) {
        const int scope = lfirst_int(cell);
        if (scope != 0 && !(of_changed && scope == OccurrenceAt(*from->view, flat.changed).scope)) {
            return false;
        }
    }
    return true;
}

bool AreCertain(const Determined& determined) {
    ListCell* cell;
    foreach (cell, determined.flat->conditions) {
        if (!IsCertain(determined.from, *determined.flat,
                       static_cast<core::PathCondition*>(lfirst(cell)))) {
            return false;
        }
    }
    foreach (cell, determined.flat->key) {
        if (static_cast<core::ColumnRef*>(lfirst(cell))->column <= 0) {
            return false;
        }
    }
    return true;
}

// Every table of the path is there in each row of the view.
bool AreThere(const Determined& determined) {
    const FlatPath& flat = *determined.flat;
    ListCell* cell;
    foreach (cell, flat.tables) {
        const PlainTable& table = determined.from->tables[lfirst_int(cell)];
        if (!table.plain || table.nullable) {
            return false;
        }
    }
    const PlainTable& changed = determined.from->tables[flat.changed];
    if (!changed.plain || (changed.nullable && !changed.alone)) {
        return false;
    }
    Bitmapset* equalities = nullptr;
    foreach (cell, flat.conditions) {
        const auto* condition = static_cast<core::PathCondition*>(lfirst(cell));
        if (Involves(condition, flat.changed)) {
            equalities = bms_add_member(equalities, condition->equality);
        }
    }
    return !changed.nullable || bms_num_members(equalities) == list_length(changed.on);
}

// One step; returns whether it determined more.
bool GoBack(Determined* determined) {
    bool more = false;
    ListCell* cell;
    foreach (cell, determined->occurrences) {
        const int occurrence = lfirst_int(cell);
        if (!bms_is_member(occurrence, determined->rows) &&
            DetermineOneRow(OccurrenceAt(*determined->from->view, occurrence).relid,
                            determined->columns[occurrence])) {
            determined->rows = bms_add_member(determined->rows, occurrence);
            more = true;
        }
    }
    foreach (cell, determined->flat->conditions) {
        const auto* condition = static_cast<core::PathCondition*>(lfirst(cell));
        if (HasColumn(*determined, condition->enter) != HasColumn(*determined, condition->probe)) {
            AddColumn(determined, condition->enter);
            AddColumn(determined, condition->probe);
            more = true;
        }
    }
    return more;
}

}  // namespace

bool DeterminesRow(const PlainFrom* from, const FlatPath& flat) {
    const int count = list_length(from->view->occurrences);
    Determined determined{from, &flat, lappend_int(list_copy(flat.tables), flat.changed), nullptr,
                          nullptr};
    determined.columns =
        static_cast<Bitmapset**>(palloc0(sizeof(Bitmapset*) * static_cast<Size>(count)));
    if (!AreCertain(determined) || !AreThere(determined)) {
        return false;
    }
    ListCell* cell;
    foreach (cell, flat.key) {
        AddColumn(&determined, *static_cast<core::ColumnRef*>(lfirst(cell)));
    }
    while (GoBack(&determined)) {
    }
    return bms_is_member(flat.changed, determined.rows);
}

}  // namespace freshcrm::projection
