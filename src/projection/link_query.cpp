#include "projection/link_query.hpp"

#include "pg/names.hpp"
#include "projection/array_rows.hpp"
#include "projection/generated.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
}

namespace freshcrm::projection {

using core::ColumnRef;
using core::PathCondition;

namespace {

// Whether a condition is one with the changed row.
bool IsOfRow(const PathWriter& writer, const PathCondition& condition) {
    return condition.probe.occurrence == writer.changed;
}

// The value of a condition with the changed row as the tables have it. `more` gets what is to be
// read besides them.
const char* LinkValue(const PathWriter& writer, const PathCondition& condition, StringInfo more) {
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
bool AddLink(const PathWriter& writer, const PathCondition& condition) {
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
void AppendLinkConditions(const PathWriter& writer, const KeyColumn* keys, Key key,
                          StringInfo sql) {
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
const char* LinksQuery(const PathWriter& writer, const KeyColumn* keys, bool many) {
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

}  // namespace

void SetLinks(const PathWriter& writer, const KeyColumn* keys) {
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

}  // namespace freshcrm::projection
