#include "projection/path_sql.hpp"

#include "pg/names.hpp"
#include "projection/generated.hpp"

extern "C" {
#include "utils/ruleutils.h"
}

namespace freshcrm::projection {

using core::ColumnRef;
using core::PathCondition;

namespace {

int TableNumber(const PathWriter& writer, int occurrence) {
    ListCell* cell;
    foreach (cell, writer.flat.tables) {
        if (lfirst_int(cell) == occurrence) {
            return foreach_current_index(cell);
        }
    }
    return -1;
}

// A column or expression of a table that is called `alias`.
const char* TableColumn(const PathWriter& writer, const ColumnRef& column, const char* alias) {
    const Oid relid = OccurrenceAt(writer.view, column.occurrence).relid;
    Expr* expression = ExpressionOf(writer.view, column);
    if (expression == nullptr) {
        return psprintf("%s.%s", alias,
                        pg::QuotedColumn(relid, static_cast<AttrNumber>(column.column)));
    }
    return psprintf("(%s)", deparse_expression(static_cast<Node*>(copyObjectImpl(expression)),
                                               deparse_context_for(alias, relid), true, true));
}

// A value of the changed row; as an element of an array it is written ANY (array) where the changed
// rows are shown.
const char* StartText(const PathWriter& writer, const ColumnRef& column, bool element) {
    const int number = StartNumber(writer.view, writer.path, column, element);
    switch (writer.form) {
        case Form::kOne:
            return psprintf("$%d", number + 1);
        case Form::kMany:
            return psprintf("c.s%d", number);
        default:
            return psprintf(element ? "ANY (%s)" : "%s", TableColumn(writer, column, "c"));
    }
}

}  // namespace

const WalkedEquality& EqualityAt(const WalkedView& view, int index) {
    return *static_cast<WalkedEquality*>(list_nth(view.equalities, index));
}

int StartNumber(const WalkedView& view, Path* path, const ColumnRef& column, bool element) {
    Expr* expression = ExpressionOf(view, column);
    if (expression == nullptr) {
        expression = GenerationOf(OccurrenceAt(view, column.occurrence).relid,
                                  static_cast<AttrNumber>(column.column));
    }
    for (int i = 0; i < path->start_count; ++i) {
        const Start& start = path->starts[i];
        if (start.element == element && equal(start.expression, expression) &&
            (expression != nullptr || start.column == column.column)) {
            return i;
        }
    }
    Start start{};
    start.column = static_cast<AttrNumber>(expression == nullptr ? column.column : 0);
    start.expression = expression;
    start.element = element;
    start.type = ColumnType(view, column, &start.collation);
    if (element) {
        start.type = get_base_element_type(start.type);
    }
    path->starts[path->start_count] = start;
    return path->start_count++;
}

const char* Operand(const PathWriter& writer, const ColumnRef& column, bool element, Oid type) {
    Oid collation;
    Oid found = ColumnType(writer.view, column, &collation);
    const char* text;
    if (column.occurrence == writer.changed && TableNumber(writer, column.occurrence) < 0) {
        text = StartText(writer, column, element);
        if (element && writer.form == Form::kShown) {
            return text;
        }
        if (element) {
            found = get_base_element_type(found);
        }
    } else {
        text = TableColumn(writer, column, psprintf("t%d", TableNumber(writer, column.occurrence)));
    }
    if (type == InvalidOid || type == found) {
        return text;
    }
    return psprintf("(%s)::%s", text, pg::QualifiedType(type, -1));
}

const char* Condition(const PathWriter& writer, const PathCondition& condition) {
    const WalkedEquality& equality = EqualityAt(writer.view, condition.equality);
    const auto op = [&](bool in_order) {
        return pg::QualifiedOperator(in_order ? equality.opno : get_commutator(equality.opno));
    };
    const bool enters_left = condition.enter == equality.left;
    const Oid enter_type = enters_left ? equality.left_type : equality.right_type;
    const Oid probe_type = enters_left ? equality.right_type : equality.left_type;
    if (!equality.element) {
        return psprintf("%s %s %s", Operand(writer, condition.enter, false, enter_type),
                        op(enters_left), Operand(writer, condition.probe, false, probe_type));
    }
    const bool probe_is_row = condition.probe.occurrence == writer.changed;
    if (enters_left && probe_is_row) {
        return psprintf("%s %s %s", Operand(writer, condition.enter, false, enter_type), op(true),
                        Operand(writer, condition.probe, true, probe_type));
    }
    if (enters_left) {
        return psprintf("%s %s ANY (%s)", Operand(writer, condition.enter, false, enter_type),
                        op(true), Operand(writer, condition.probe, false, InvalidOid));
    }
    return psprintf("%s %s ANY (%s)", Operand(writer, condition.probe, false, probe_type), op(true),
                    Operand(writer, condition.enter, false, InvalidOid));
}

void AppendTables(const PathWriter& writer, StringInfo sql) {
    ListCell* cell;
    foreach (cell, writer.flat.tables) {
        const int number = foreach_current_index(cell);
        appendStringInfo(sql, "%s%s AS t%d", number > 0 ? ", " : "",
                         pg::QualifiedRelation(OccurrenceAt(writer.view, lfirst_int(cell)).relid),
                         number);
    }
}

}  // namespace freshcrm::projection
