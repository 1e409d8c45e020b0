// Rows that MERGE moves to another partition.
//
// PostgreSQL 15 puts such a row into the transition tables of DELETE and INSERT
// (nodeModifyTable.c, ExecCrossPartitionUpdate), but calls the statement triggers of the actions
// alone that the MERGE names: one that only updates shows it to none. So partitioned tables have a
// row trigger of INSERT OR DELETE besides, which looks for rows that move and leaves all others to
// the statement triggers. UPDATE shows its moved rows to those: to see them twice does no harm.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace freshcrm::projection {

// Whether a trigger of this pg_trigger.tgtype is one for moved rows.
bool IsForMovedRows(int16 type);

// Whether what fired such a trigger may belong to a move. Of the row that was deleted that is
// certain; one that was inserted counts when its transaction has moved any row before. Cheap: it
// is asked for each row that is inserted or deleted.
bool MayBeMoved(const TriggerData* trigger);

}  // namespace freshcrm::projection
