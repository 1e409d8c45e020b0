#include "projection/generated.hpp"

extern "C" {
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
}

namespace freshcrm::projection {

namespace {

struct GeneratedColumn {
    int index;  // from 0
    ExprState* value;
};

List* GeneratedColumns(Oid relid, int column_count) {
    List* columns = NIL;
    for (int i = 0; i < column_count; ++i) {
        Expr* expression = GenerationOf(relid, static_cast<AttrNumber>(i + 1));
        if (expression != nullptr) {
            auto* column = static_cast<GeneratedColumn*>(palloc(sizeof(GeneratedColumn)));
            *column = {i, ExecInitExpr(expression_planner(expression), nullptr)};
            columns = lappend(columns, column);
        }
    }
    return columns;
}

// Where the row has a value already, it has been computed.
void Compute(const List* columns, ExprContext* context, TupleTableSlot* row) {
    context->ecxt_scantuple = row;
    ListCell* cell;
    foreach (cell, columns) {
        const auto* column = static_cast<GeneratedColumn*>(lfirst(cell));
        if (row->tts_isnull[column->index]) {
            row->tts_values[column->index] =
                ExecEvalExprSwitchContext(column->value, context, &row->tts_isnull[column->index]);
        }
    }
}

}  // namespace

Expr* GenerationOf(Oid relid, AttrNumber attnum) {
    if (get_attgenerated(relid, attnum) != ATTRIBUTE_GENERATED_STORED ||
        (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE && !get_rel_relispartition(relid))) {
        return nullptr;
    }
    Relation relation = table_open(relid, AccessShareLock);
    Node* expression = build_column_default(relation, attnum);
    table_close(relation, NoLock);
    return reinterpret_cast<Expr*>(expression);
}

Bitmapset* AddWithOrigin(Bitmapset* columns, Oid relid, AttrNumber attnum) {
    columns = bms_add_member(columns, attnum);
    Bitmapset* origin = nullptr;
    pull_varattnos(reinterpret_cast<Node*>(GenerationOf(relid, attnum)), 1, &origin);
    for (int i = -1; (i = bms_next_member(origin, i)) >= 0;) {
        columns = bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
    }
    return columns;
}

Tuplestorestate* WithGenerated(Oid relid, Tuplestorestate* rows) {
    Relation relation = table_open(relid, AccessShareLock);
    TupleDesc desc = CreateTupleDescCopy(RelationGetDescr(relation));
    table_close(relation, NoLock);
    const List* columns = GeneratedColumns(relid, desc->natts);
    if (columns == NIL) {
        return rows;
    }
    Tuplestorestate* complete = tuplestore_begin_heap(false, false, work_mem);
    TupleTableSlot* stored = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    TupleTableSlot* row = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
    ExprContext* context = CreateStandaloneExprContext();
    tuplestore_select_read_pointer(rows, 0);
    tuplestore_rescan(rows);
    while (tuplestore_gettupleslot(rows, true, false, stored)) {
        CHECK_FOR_INTERRUPTS();
        ExecCopySlot(row, stored);
        Compute(columns, context, row);
        tuplestore_puttupleslot(complete, row);
        ResetExprContext(context);
    }
    FreeExprContext(context, true);
    ExecDropSingleTupleTableSlot(row);
    ExecDropSingleTupleTableSlot(stored);
    return complete;
}

}  // namespace freshcrm::projection
