// Catalog changes that SQL allows to a table's owner only.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/table.h"
#include "commands/trigger.h"
#include "storage/lockdefs.h"
}

namespace freshcrm::pg {

// ALTER TABLE … ENABLE ALWAYS or REPLICA TRIGGER, also of a row trigger's copies on partitions.
// `when` is a TRIGGER_FIRES_ constant.
inline void SetTriggerFiring(Oid table, const char* trigger, char when) {
    CommandCounterIncrement();
    Relation relation = table_open(table, ShareRowExclusiveLock);
#if PG_VERSION_NUM < 160000
    EnableDisableTriggerNew(relation, trigger, when, false, true, ShareRowExclusiveLock);
#else
    EnableDisableTrigger(relation, trigger, InvalidOid, when, false, true, ShareRowExclusiveLock);
#endif
    table_close(relation, NoLock);
}

}  // namespace freshcrm::pg
