#include "projection/mapping.hpp"

#include "pg/names.hpp"
#include "projection/array_rows.hpp"
#include "projection/generated.hpp"
#include "projection/wanted_index.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/ruleutils.h"
}

namespace freshcrm::projection {

namespace {

using core::ColumnRef;
using core::PathCondition;

const WalkedEquality& EqualityAt(const WalkedView& view, int index) {
    return *static_cast<WalkedEquality*>(list_nth(view.equalities, index));
}

enum class Form {
    kOne,    // the changed row's starts are $1, $2, …
    kMany,   // the changed rows' starts are c.s0, c.s1, …, of arrays $1, $2, …
    kShown,  // the changed rows are a table `changed`, called c
    kLinks,  // there is no changed row
};

// Writes the queries of one path. The tables to be read are t0, t1, … in order.
struct Writer {
    const WalkedView& view;
    const FlatPath& flat;
    int changed;
    Path* path;
    Form form;
};

int TableNumber(const Writer& writer, int occurrence) {
    ListCell* cell;
    foreach (cell, writer.flat.tables) {
        if (lfirst_int(cell) == occurrence) {
            return foreach_current_index(cell);
        }
    }
    return -1;
}

// The number of the start for a column of the changed row, added when it is new.
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

// A column or expression of a table that is called `alias`.
const char* TableColumn(const Writer& writer, const ColumnRef& column, const char* alias) {
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
const char* StartText(const Writer& writer, const ColumnRef& column, bool element) {
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

// An operand of a condition, cast to what the operator takes.
const char* Operand(const Writer& writer, const ColumnRef& column, bool element, Oid type) {
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

const char* Condition(const Writer& writer, const PathCondition& condition) {
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

void AppendTables(const Writer& writer, StringInfo sql) {
    ListCell* cell;
    foreach (cell, writer.flat.tables) {
        const int number = foreach_current_index(cell);
        appendStringInfo(sql, "%s%s AS t%d", number > 0 ? ", " : "",
                         pg::QualifiedRelation(OccurrenceAt(writer.view, lfirst_int(cell)).relid),
                         number);
    }
}

const char* Query(const Writer& writer) {
    // Conditions and key first: they say which starts there are.
    StringInfoData where;
    initStringInfo(&where);
    ListCell* cell;
    foreach (cell, writer.flat.conditions) {
        appendStringInfo(&where, "%s%s", foreach_current_index(cell) > 0 ? " AND " : " WHERE ",
                         Condition(writer, *static_cast<PathCondition*>(lfirst(cell))));
    }
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "SELECT DISTINCT ");
    foreach (cell, writer.flat.key) {
        appendStringInfo(
            &sql, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
            Operand(writer, *static_cast<ColumnRef*>(lfirst(cell)), false, InvalidOid));
    }
    appendStringInfoString(&sql, " FROM ");
    if (writer.form == Form::kShown) {
        appendStringInfoString(&sql, "changed AS c, ");
    }
    if (writer.form == Form::kMany) {
        appendStringInfo(&sql, "%s, ", StartRows(*writer.path));
    }
    AppendTables(writer, &sql);
    appendStringInfoString(&sql, where.data);
    return sql.data;
}

// Whether a condition is one with the changed row.
bool IsOfRow(const Writer& writer, const PathCondition& condition) {
    return condition.probe.occurrence == writer.changed;
}

// The value of a condition with the changed row as the tables have it. `more` gets what is to be
// read besides them.
const char* LinkValue(const Writer& writer, const PathCondition& condition, StringInfo more) {
    const WalkedEquality& equality = EqualityAt(writer.view, condition.equality);
    const bool enters_left = condition.enter == equality.left;
    if (enters_left || !equality.element) {
        return Operand(writer, condition.enter, false,
                       enters_left ? equality.left_type : equality.right_type);
    }
    const char* alias = psprintf("e%d", more->len);
    appendStringInfo(more, ", unnest(%s) AS %s(v)",
                     Operand(writer, condition.enter, false, InvalidOid), alias);
    return psprintf("%s.v", alias);
}

// Adds the condition's link, unless its operator has no hash function. Returns whether.
bool AddLink(const Writer& writer, const PathCondition& condition) {
    const WalkedEquality& equality = EqualityAt(writer.view, condition.equality);
    const bool enters_left = condition.enter == equality.left;
    RegProcedure left;
    RegProcedure right;
    if (!op_hashjoinable(equality.opno, equality.left_type) ||
        !get_op_hash_functions(equality.opno, &left, &right)) {
        return false;
    }
    Path* path = writer.path;
    const int start =
        StartNumber(writer.view, path, condition.probe, equality.element && enters_left);
    if (!IsBinaryCoercible(path->starts[start].type,
                           enters_left ? equality.right_type : equality.left_type)) {
        return false;
    }
    Link* link = &path->links[path->link_count++];
    link->start = start;
    link->collation = path->starts[start].collation;
    fmgr_info(enters_left ? right : left, &link->hash_start);
    fmgr_info(enters_left ? left : right, &link->hash_read);
    return true;
}

// The tables' own conditions, and that their key is what `key(i)` is compared with.
template <typename Key>
void AppendLinkConditions(const Writer& writer, const KeyColumn* keys, Key key, StringInfo sql) {
    const char* separator = " WHERE ";
    ListCell* cell;
    foreach (cell, writer.flat.conditions) {
        const auto& condition = *static_cast<PathCondition*>(lfirst(cell));
        if (!IsOfRow(writer, condition)) {
            appendStringInfo(sql, "%s%s", separator, Condition(writer, condition));
            separator = " AND ";
        }
    }
    foreach (cell, writer.flat.key) {
        const auto& column = *static_cast<ColumnRef*>(lfirst(cell));
        const int i = foreach_current_index(cell);
        if (column.occurrence != writer.changed) {
            appendStringInfo(sql, "%s%s", separator,
                             key(Operand(writer, column, false, InvalidOid), keys[i], i));
            separator = " AND ";
        }
    }
}

const char* KeyRows(const KeyColumn* keys, int count) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) {
        types[i] = keys[i].type;
    }
    return ArrayRows(count, types, "k", "k");
}

// From keys back to the values of the links.
const char* LinksQuery(const Writer& writer, const KeyColumn* keys, bool many) {
    StringInfoData values;
    StringInfoData more;
    StringInfoData sql;
    initStringInfo(&values);
    initStringInfo(&more);
    initStringInfo(&sql);
    writer.path->link_count = 0;
    ListCell* cell;
    foreach (cell, writer.flat.conditions) {
        const auto& condition = *static_cast<PathCondition*>(lfirst(cell));
        if (IsOfRow(writer, condition) && AddLink(writer, condition)) {
            appendStringInfo(&values, "%s%s", values.len > 0 ? ", " : "",
                             LinkValue(writer, condition, &more));
        }
    }
    appendStringInfo(&sql, "SELECT DISTINCT %s FROM ", values.len > 0 ? values.data : "0");
    if (many) {
        appendStringInfo(&sql, "%s, ", KeyRows(keys, list_length(writer.flat.key)));
    }
    AppendTables(writer, &sql);
    appendStringInfoString(&sql, more.data);
    AppendLinkConditions(
        writer, keys,
        [&](const char* operand, const KeyColumn& key, int i) {
            const pg::TypeEquality equals = pg::EqualityOfType(key.type);
            return psprintf("%s%s %s %s%s", operand, equals.cast, equals.op,
                            many ? psprintf("k.k%d", i) : psprintf("$%d", i + 1), equals.cast);
        },
        &sql);
    return sql.data;
}

void SetLinks(const Writer& writer, const KeyColumn* keys) {
    Path* path = writer.path;
    path->links = static_cast<Link*>(
        palloc0(sizeof(Link) * static_cast<Size>(list_length(writer.flat.conditions))));
    path->links_one = LinksQuery(writer, keys, false);
    path->links_many = LinksQuery(writer, keys, true);
    ListCell* cell;
    foreach (cell, writer.flat.tables) {
        path->tables =
            list_append_unique_oid(path->tables, OccurrenceAt(writer.view, lfirst_int(cell)).relid);
    }
}

void SetKnownKeys(const WalkedView& view, int changed, const FlatPath& flat, Path* path) {
    const Size count = static_cast<Size>(list_length(flat.key));
    auto* known = static_cast<int*>(palloc(sizeof(int) * count));
    bool any = false;
    ListCell* cell;
    foreach (cell, flat.key) {
        const auto& column = *static_cast<ColumnRef*>(lfirst(cell));
        const bool of_row = column.occurrence == changed;
        known[foreach_current_index(cell)] = of_row ? StartNumber(view, path, column, false) : -1;
        any = any || of_row;
    }
    path->known_keys = any ? known : nullptr;
}

bool IsKeyColumn(const WalkedView& view, int number, const ColumnRef& column) {
    ListCell* cell;
    foreach (cell, view.keys) {
        const auto* key = static_cast<WalkedKey*>(lfirst(cell));
        if (*static_cast<ColumnRef*>(list_nth(key->columns, number)) == column) {
            return true;
        }
    }
    return false;
}

bool IsLinked(const FlatPath& flat, const ColumnRef& column) {
    ListCell* cell;
    foreach (cell, flat.conditions) {
        const auto* condition = static_cast<PathCondition*>(lfirst(cell));
        if (condition->probe == column || condition->enter == column) {
            return true;
        }
    }
    return false;
}

// A column that only equals the key's is not NULL where there is a row of the view.
void MarkKeyStarts(const WalkedView& view, int changed, const FlatPath& flat, Path* path) {
    ListCell* cell;
    foreach (cell, flat.key) {
        const auto& column = *static_cast<ColumnRef*>(lfirst(cell));
        if (column.occurrence == changed && !IsLinked(flat, column) &&
            IsKeyColumn(view, foreach_current_index(cell), column)) {
            path->starts[StartNumber(view, path, column, false)].of_key = true;
        }
    }
}

}  // namespace

Path MakePath(const WalkedView& view, int changed, const FlatPath& flat, const KeyColumn* keys) {
    const Size most_starts =
        static_cast<Size>(list_length(flat.conditions)) + static_cast<Size>(list_length(flat.key));
    Path path{};
    path.starts = static_cast<Start*>(palloc0(sizeof(Start) * most_starts));
    if (flat.tables == NIL) {
        path.key_starts =
            static_cast<int*>(palloc(sizeof(int) * static_cast<Size>(list_length(flat.key))));
        ListCell* cell;
        foreach (cell, flat.key) {
            path.key_starts[foreach_current_index(cell)] =
                StartNumber(view, &path, *static_cast<ColumnRef*>(lfirst(cell)), false);
        }
        MarkKeyStarts(view, changed, flat, &path);
        return path;
    }
    path.query_one = Query({view, flat, changed, &path, Form::kOne});
    path.query_many = Query({view, flat, changed, &path, Form::kMany});
    path.query_shown = Query({view, flat, changed, &path, Form::kShown});
    path.indexes = HopIndexes(view, flat);
    SetKnownKeys(view, changed, flat, &path);
    MarkKeyStarts(view, changed, flat, &path);
    SetLinks({view, flat, changed, &path, Form::kLinks}, keys);
    return path;
}

Bitmapset* LinkingColumns(const WalkedView& view, int occurrence, const FlatPath& flat) {
    Bitmapset* columns = nullptr;
    const auto add = [&](const ColumnRef& column) {
        if (column.occurrence != occurrence) {
            return;
        }
        if (Expr* expression = ExpressionOf(view, column)) {
            Bitmapset* attributes = nullptr;
            pull_varattnos(reinterpret_cast<Node*>(expression), 1, &attributes);
            for (int i = bms_next_member(attributes, -1); i >= 0;
                 i = bms_next_member(attributes, i)) {
                columns = bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
            }
        } else {
            columns = AddWithOrigin(columns, OccurrenceAt(view, occurrence).relid,
                                    static_cast<AttrNumber>(column.column));
        }
    };
    ListCell* cell;
    foreach (cell, flat.conditions) {
        add(static_cast<PathCondition*>(lfirst(cell))->enter);
        add(static_cast<PathCondition*>(lfirst(cell))->probe);
    }
    foreach (cell, flat.key) {
        add(*static_cast<ColumnRef*>(lfirst(cell)));
    }
    return columns;
}

const char* StartRows(const Path& path) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path.start_count)));
    for (int i = 0; i < path.start_count; ++i) {
        types[i] = path.starts[i].type;
    }
    return ArrayRows(path.start_count, types, "c", "s");
}

bool SamePath(const Path& a, const Path& b, int key_count) {
    if (a.start_count != b.start_count || a.direct() != b.direct()) {
        return false;
    }
    for (int i = 0; i < a.start_count; ++i) {
        if (a.starts[i].column != b.starts[i].column ||
            a.starts[i].element != b.starts[i].element ||
            a.starts[i].of_key != b.starts[i].of_key ||
            !equal(a.starts[i].expression, b.starts[i].expression)) {
            return false;
        }
    }
    return a.direct()
               ? memcmp(a.key_starts, b.key_starts, sizeof(int) * static_cast<Size>(key_count)) == 0
               : strcmp(a.query_many, b.query_many) == 0;
}

}  // namespace freshcrm::projection
