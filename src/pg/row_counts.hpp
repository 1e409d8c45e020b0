// What this transaction has done to a table, as the server counts it for its statistics
// (pgstat_relation.c).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "pgstat.h"
}

namespace freshcrm::pg {

// At its level of subtransactions and all above; what is rolled back is not among it.
inline bool HasCountedRows(const PgStat_TableStatus* counts) {
    for (const PgStat_TableXactStatus* level = counts->trans; level != nullptr;
         level = level->upper) {
        if (level->truncdropped || level->tuples_inserted > 0 || level->tuples_updated > 0 ||
            level->tuples_deleted > 0) {
            return true;
        }
    }
    return false;
}

// False only when the transaction has changed no row of the table for certain. The counts are with
// the relation since something was counted; one that was closed meanwhile, as that of an action of
// a foreign key when its triggers fire, may be without them. Those of another access method may
// not count, and with track_counts off nothing does.
inline bool MayHaveChangedRows(const RelationData* table) {
    const FormData_pg_class* form = table->rd_rel;
    if (!table->pgstat_enabled || form->relkind != RELKIND_RELATION || form->relhassubclass ||
        form->relam != HEAP_TABLE_AM_OID) {
        return true;
    }
    const PgStat_TableStatus* counts = table->pgstat_info;
#if PG_VERSION_NUM < 160000
    if (counts == nullptr) {
        counts = find_tabstat_entry(RelationGetRelid(table));
        return counts != nullptr && HasCountedRows(counts);
    }
#endif
    return counts == nullptr || HasCountedRows(counts);
}

}  // namespace freshcrm::pg
