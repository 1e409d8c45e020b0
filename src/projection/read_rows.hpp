// Reading of changed rows: what triggers see, or a backfill, becomes changes.
#pragma once

#include "projection/changes.hpp"

extern "C" {
#include "access/tupconvert.h"
#include "commands/trigger.h"
}

namespace freshcrm::projection {

// A materialized view that this transaction has refreshed.
struct Refresh {
    Oid matview;
    bool by_rows;  // CONCURRENTLY: only rows that differ came and went
};

// Where changes come from: one of the two.
struct ChangeEvent {
    const TriggerData* trigger;
    const Refresh* refresh;
};

// Adds what the trigger saw: the rows of its transition tables, or its row; everything for a
// TRUNCATE. Updates that leave every watched column as it was, bit for bit, are left out. Of a
// refresh the rows that this transaction has removed and made, also by refreshes before, or
// everything.
void ReadEvent(Changes* changes, const ChangeEvent& event);

// Adds changed rows of the table `table`, which is the source or of the same partition tree.
struct RowReader {
    Changes* changes;
    TupleDesc desc;                  // of the source
    TupleConversionMap* conversion;  // from `table`; null: the same shape
    TupleTableSlot* converted_old;
    TupleTableSlot* converted_new;
    ExprContext* expressions;
    bool patching;  // changes may be patches
};

RowReader BeginRows(Changes* changes, Relation table);
void AddRow(RowReader* reader, TupleTableSlot* slot, bool is_new);

// Whether these attributes are the same in both rows, bit for bit.
bool SameColumns(const RowReader* reader, const Bitmapset* columns, TupleTableSlot* before,
                 TupleTableSlot* after);

}  // namespace freshcrm::projection
