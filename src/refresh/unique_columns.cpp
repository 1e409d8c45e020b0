#include "refresh/unique_columns.hpp"

extern "C" {
#include "catalog/pg_index.h"
#include "utils/syscache.h"
}

namespace freshcrm::refresh {

namespace {

bool IsOfNotNull(Relation table, const FormData_pg_index* index) {
    for (int i = 0; i < index->indnkeyatts; ++i) {
        const AttrNumber attnum = index->indkey.values[i];
        if (attnum <= 0 || !TupleDescAttr(RelationGetDescr(table), attnum - 1)->attnotnull) {
            return false;
        }
    }
    return true;
}

List* KeyColumns(const FormData_pg_index* index) {
    List* columns = NIL;
    for (int i = 0; i < index->indnkeyatts; ++i) {
        columns = lappend_int(columns, index->indkey.values[i]);
    }
    return columns;
}

}  // namespace

List* UniqueColumns(Relation table) {
    List* found = NIL;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        HeapTuple row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
        if (!HeapTupleIsValid(row)) {
            continue;
        }
        const auto* index = reinterpret_cast<Form_pg_index>(GETSTRUCT(row));
        if (index->indisunique && index->indisvalid && (index->indisprimary || found == NIL) &&
            heap_attisnull(row, Anum_pg_index_indpred, nullptr) && IsOfNotNull(table, index)) {
            found = KeyColumns(index);
        }
        ReleaseSysCache(row);
    }
    return found;
}

}  // namespace freshcrm::refresh
