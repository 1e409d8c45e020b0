#include "projection/feed.hpp"

extern "C" {
#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

Oid SortOperator(Oid aggregate) {
    HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
    if (!HeapTupleIsValid(tuple)) {
        elog(ERROR, "cache lookup failed for aggregate %u", aggregate);
    }
    const Oid sort = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple))->aggsortop;
    ReleaseSysCache(tuple);
    return sort;
}

// max and min are those with a sort operator; it says by which order.
bool ReadOrder(const Aggref* aggregate, Oid type, PatchColumn* column) {
    const Oid sort = SortOperator(aggregate->aggfnoid);
    Oid family;
    Oid input;
    int16 strategy;
    if (!OidIsValid(sort) || !get_ordering_op_properties(sort, &family, &input, &strategy)) {
        return false;
    }
    const TypeCacheEntry* order =
        lookup_type_cache(type, TYPECACHE_CMP_PROC | TYPECACHE_BTREE_OPFAMILY);
    if (order->btree_opf != family || !OidIsValid(order->cmp_proc)) {
        return false;
    }
    column->feed = strategy == BTGreaterStrategyNumber ? Feed::kMax : Feed::kMin;
    fmgr_info_cxt(order->cmp_proc, &column->function, CurrentMemoryContext);
    column->collation = aggregate->inputcollid;
    return true;
}

// Widens what is summed to the type of the sum.
bool ReadSum(const Aggref* aggregate, PatchColumn* column) {
    Oid cast = InvalidOid;
    Oid add = F_INT8PL;
    switch (aggregate->aggfnoid) {
        case F_SUM_INT2:
            cast = F_INT8_INT2;
            break;
        case F_SUM_INT4:
            cast = F_INT8_INT4;
            break;
        case F_SUM_INT8:
            cast = F_NUMERIC_INT8;
            add = F_NUMERIC_ADD;
            break;
        case F_SUM_NUMERIC:
            add = F_NUMERIC_ADD;
            break;
        default:
            return false;
    }
    const Oid type = add == F_INT8PL ? INT8OID : NUMERICOID;
    if (OidIsValid(cast)) {
        Expr* widened = reinterpret_cast<Expr*>(makeFuncExpr(
            cast, type, list_make1(column->value), InvalidOid, InvalidOid, COERCE_IMPLICIT_CAST));
        column->value = widened;
        column->attnum = 0;
    }
    column->feed = Feed::kSum;
    get_typlenbyval(type, &column->length, &column->by_value);
    column->exact_removal = add == F_INT8PL;
    fmgr_info_cxt(add, &column->function, CurrentMemoryContext);
    return true;
}

}  // namespace

PatchColumn* NewColumn(Feed feed, AttrNumber resno, Expr* value) {
    auto* column = static_cast<PatchColumn*>(palloc0(sizeof(PatchColumn)));
    column->feed = feed;
    column->column = resno - 1;
    column->value = value;
    if (value != nullptr) {
        if (IsA(value, Var)) {
            column->attnum = reinterpret_cast<Var*>(value)->varattno;
        }
        get_typlenbyval(exprType(reinterpret_cast<Node*>(value)), &column->length,
                        &column->by_value);
        column->collation = exprCollation(reinterpret_cast<Node*>(value));
    }
    return column;
}

bool ReadFeed(const Aggref* aggregate, PatchColumn* column) {
    switch (aggregate->aggfnoid) {
        case F_COUNT_:
        case F_COUNT_ANY:
            column->feed = Feed::kCount;
            return true;
        case F_BOOL_AND:
        case F_EVERY:
            column->feed = Feed::kAnd;
            return true;
        case F_BOOL_OR:
            column->feed = Feed::kOr;
            return true;
        default:
            return ReadSum(aggregate, column) ||
                   (aggregate->aggfnoid < FirstNormalObjectId && column->value != nullptr &&
                    ReadOrder(aggregate, exprType(reinterpret_cast<Node*>(column->value)), column));
    }
}

}  // namespace freshcrm::projection
