#include "projection/array_rows.hpp"

namespace freshcrm::projection {

namespace {

// unnest() of these makes a column of each attribute.
bool AnyRowType(int count, const Oid* types) {
    for (int i = 0; i < count; ++i) {
        if (type_is_rowtype(types[i])) {
            return true;
        }
    }
    return false;
}

}  // namespace

const char* ArrayRows(int count, const Oid* types, const char* alias, const char* prefix) {
    StringInfoData sql;
    initStringInfo(&sql);
    if (AnyRowType(count, types)) {
        appendStringInfoString(&sql, "(SELECT ");
        for (int i = 0; i < count; ++i) {
            appendStringInfo(&sql, "%s($%d)[i] AS %s%d", i > 0 ? ", " : "", i + 1, prefix, i);
        }
        appendStringInfo(&sql, " FROM generate_subscripts($1, 1) AS i) AS %s", alias);
        return sql.data;
    }
    appendStringInfoString(&sql, "unnest(");
    for (int i = 0; i < count; ++i) {
        appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 1);
    }
    appendStringInfo(&sql, ") AS %s(", alias);
    for (int i = 0; i < count; ++i) {
        appendStringInfo(&sql, "%s%s%d", i > 0 ? ", " : "", prefix, i);
    }
    appendStringInfoChar(&sql, ')');
    return sql.data;
}

}  // namespace freshcrm::projection
