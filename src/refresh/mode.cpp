#include "refresh/mode.hpp"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_statistic.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/syscache.h"
}

namespace freshcrm::refresh {

namespace {

constexpr double kSmallestBloatedBytes = 8.0 * 1024 * 1024;
constexpr double kBloat = 4;
constexpr double kFewRows = 1000;

// What a value of the column takes in a row, on average; negative: unknown.
double AverageWidth(Oid relid, const FormData_pg_attribute* column) {
    if (column->attlen > 0) {
        return column->attlen;
    }
    HeapTuple row = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
                                    Int16GetDatum(column->attnum), BoolGetDatum(false));
    if (!HeapTupleIsValid(row)) {
        return -1;
    }
    const auto* statistic = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(row));
    const double filled = 1 - static_cast<double>(statistic->stanullfrac);
    const double width = filled * statistic->stawidth;
    ReleaseSysCache(row);
    return width;
}

// Negative: unknown.
double BytesOfRow(Relation relation) {
    TupleDesc desc = RelationGetDescr(relation);
    double bytes = MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData);
    for (int i = 0; i < desc->natts; ++i) {
        const double width = AverageWidth(RelationGetRelid(relation), TupleDescAttr(desc, i));
        if (width < 0) {
            return -1;
        }
        bytes += width;
    }
    return bytes;
}

double StatisticOf(PGFunction function, Relation relation) {
    return static_cast<double>(
        DatumGetInt64(DirectFunctionCall1(function, ObjectIdGetDatum(RelationGetRelid(relation)))));
}

}  // namespace

bool IsUsableUniqueIndex(Relation index) {
    const Form_pg_index form = index->rd_index;
    if (!form->indisunique || !form->indimmediate || !form->indisvalid ||
        index->rd_rel->relam != BTREE_AM_OID || RelationGetIndexPredicate(index) != NIL) {
        return false;
    }
    // Expressions and system columns are not above zero.
    for (int i = 0; i < form->indnatts; ++i) {
        if (form->indkey.values[i] <= 0) {
            return false;
        }
    }
    return form->indnatts > 0;
}

bool HasUsableUniqueIndex(Relation matview) {
    bool found = false;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(matview)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        found = found || IsUsableUniqueIndex(index);
        index_close(index, AccessShareLock);
    }
    return found;
}

bool IsBloated(Relation matview) {
    const double bytes = static_cast<double>(RelationGetNumberOfBlocks(matview)) * BLCKSZ;
    if (bytes < kSmallestBloatedBytes) {
        return false;
    }
    // Negative: unknown.
    const auto analyzed = static_cast<double>(matview->rd_rel->reltuples);
    const double rows = Max(analyzed, StatisticOf(pg_stat_get_live_tuples, matview));
    // After a reset of the statistics there are few rows of either kind.
    if (StatisticOf(pg_stat_get_dead_tuples, matview) > kBloat * Max(rows, kFewRows)) {
        return true;
    }
    const double row = BytesOfRow(matview);
    return analyzed >= 0 && row >= 0 && rows * row * kBloat < bytes;
}

Mode ChooseMode(Oid matview, const char** why) {
    Relation relation = table_open(matview, AccessShareLock);
    const char* reason =
        !relation->rd_rel->relispopulated ? "it was never populated"
        : !HasUsableUniqueIndex(relation)
            ? "it has no unique index that REFRESH MATERIALIZED VIEW CONCURRENTLY accepts"
        : IsBloated(relation) ? "its file is mostly empty, and a plain refresh writes a new one"
                              : nullptr;
    table_close(relation, NoLock);
    if (why != nullptr) {
        *why = reason;
    }
    return reason == nullptr ? Mode::kConcurrently : Mode::kPlain;
}

}  // namespace freshcrm::refresh
