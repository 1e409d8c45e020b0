#include "projection/moved_rows.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "executor/tuptable.h"
}

namespace freshcrm::projection {

namespace {

// The last transaction that moved a row. The insertion of a move fires right after its deletion.
TransactionId moved_in = InvalidTransactionId;

// A heap marks the old version of a row that has gone to another partition, where it lies in its
// page; a copy of it would not tell.
bool HasLeft(const TriggerData* trigger) {
    return !TTS_IS_BUFFERTUPLE(trigger->tg_trigslot) ||
           HeapTupleHeaderIndicatesMovedPartitions(trigger->tg_trigtuple->t_data);
}

}  // namespace

bool IsForMovedRows(int16 type) {
    return TRIGGER_FOR_ROW(type) && !TRIGGER_FOR_UPDATE(type);
}

bool MayBeMoved(const TriggerData* trigger) {
    const TransactionId current = GetTopTransactionIdIfAny();
    if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && HasLeft(trigger)) {
        moved_in = current;
        return true;
    }
    return TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && moved_in == current;
}

}  // namespace freshcrm::projection
