#include "projection/partitions.hpp"

extern "C" {
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
}

namespace freshcrm::projection {

List* TriggerTables(Oid table) {
    List* tables = list_make1_oid(table);
    if (get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE) {
        tables = find_all_inheritors(table, NoLock, nullptr);
    }
    if (get_rel_relispartition(table)) {
        tables = list_concat(tables, get_partition_ancestors(table));
    }
    list_sort(tables, list_oid_cmp);
    return tables;
}

bool ChangesThrough(Oid table, Oid named) {
    if (table == named) {
        return true;
    }
    return (get_rel_relispartition(named) &&
            list_member_oid(get_partition_ancestors(named), table)) ||
           (get_rel_relispartition(table) &&
            list_member_oid(get_partition_ancestors(table), named));
}

}  // namespace freshcrm::projection
