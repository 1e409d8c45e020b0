#include "projection/partitions.hpp"

extern "C" {
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
}

namespace freshcrm::projection {

namespace {

List* TablesOf(const Lineage* lineage) {
    List* tables = NIL;
    for (int i = 0; i < lineage->source_count; ++i) {
        tables = lappend_oid(tables, lineage->sources[i].relid);
    }
    return tables;
}

}  // namespace

List* TriggerTables(Oid table) {
    if (get_rel_relkind(table) == RELKIND_MATVIEW) {
        return NIL;
    }
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
    return AllTriggerTables(TablesOf(lineage));
}

List* MaterializedViews(const List* tables) {
    List* views = NIL;
    ListCell* cell;
    foreach (cell, tables) {
        if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_MATVIEW) {
            views = lappend_oid(views, lfirst_oid(cell));
        }
    }
    list_sort(views, list_oid_cmp);
    return views;
}

List* MaterializedViews(const Lineage* lineage) {
    return MaterializedViews(TablesOf(lineage));
}

List* AllWrittenTables(const List* tables) {
    List* all = list_concat(AllTriggerTables(tables), MaterializedViews(tables));
    list_sort(all, list_oid_cmp);
    return all;
}

List* AllWrittenTables(const Lineage* lineage) {
    return AllWrittenTables(TablesOf(lineage));
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
