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

List* AllTriggerTables(const List* tables) {
    List* all = NIL;
    ListCell* cell;
    foreach (cell, tables) {
        all = list_concat_unique_oid(all, TriggerTables(lfirst_oid(cell)));
    }
    list_sort(all, list_oid_cmp);
    return all;
}

List* AllTriggerTables(const Lineage* lineage) {
    List* tables = NIL;
    for (int i = 0; i < lineage->source_count; ++i) {
        tables = lappend_oid(tables, lineage->sources[i].relid);
    }
    return AllTriggerTables(tables);
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
