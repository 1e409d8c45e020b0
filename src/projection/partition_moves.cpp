#include "projection/partition_moves.hpp"

#include "pg/spi.hpp"
#include "projection/flush.hpp"
#include "projection/maintain.hpp"
#include "projection/partitions.hpp"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

bool HasRowsOf(Oid table, Oid parent) {
    return table == parent || (get_rel_relispartition(parent) &&
                               list_member_oid(get_partition_ancestors(parent), table));
}

// No writer of it is waited for where its parent is locked against all that read the view, but a
// partition of what was detached is not locked itself.
void ReadTable(Changes* changes, Oid relid, bool is_new) {
    Relation table = table_open(relid, ShareLock);
    RowReader reader = BeginRows(changes, table);
    TupleTableSlot* slot = table_slot_create(table, nullptr);
    Snapshot snapshot = pg::RegisterFreshSnapshot();
    TableScanDesc scan = table_beginscan(table, snapshot, 0, nullptr);
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        CHECK_FOR_INTERRUPTS();
        AddRow(&reader, slot, is_new);
    }
    table_endscan(scan);
    UnregisterSnapshot(snapshot);
    ExecDropSingleTupleTableSlot(slot);
    table_close(table, NoLock);
}

Changes* ReadMoves(Projection* projection, Source* source, const List* moves) {
    Changes* changes = MakeChanges(projection, source);
    ListCell* cell;
    foreach (cell, moves) {
        const auto* move = static_cast<PartitionMove*>(lfirst(cell));
        if (!HasRowsOf(source->relid, move->parent)) {
            continue;
        }
        ListCell* leaf;
        foreach (leaf, find_all_inheritors(move->partition, ShareLock, nullptr)) {
            if (get_rel_relkind(lfirst_oid(leaf)) == RELKIND_RELATION) {
                ReadTable(changes, lfirst_oid(leaf), move->attached);
            }
        }
    }
    return changes;
}

}  // namespace

List* PartitionMoves(const Node* command) {
    if (!IsA(command, AlterTableStmt)) {
        return NIL;
    }
    const auto* alter = reinterpret_cast<const AlterTableStmt*>(command);
    // It is the only subcommand then.
    const auto* subcommand = static_cast<AlterTableCmd*>(linitial(alter->cmds));
    if (subcommand->subtype != AT_AttachPartition && subcommand->subtype != AT_DetachPartition) {
        return NIL;
    }
    // As the command has found them, in the search_path of the session.
    auto* move = static_cast<PartitionMove*>(palloc(sizeof(PartitionMove)));
    move->parent = RangeVarGetRelid(alter->relation, NoLock, true);
    move->partition = RangeVarGetRelid(castNode(PartitionCmd, subcommand->def)->name, NoLock, true);
    move->attached = subcommand->subtype == AT_AttachPartition;
    // Indexes have partitions, too.
    const bool of_table = OidIsValid(move->parent) && OidIsValid(move->partition) &&
                          get_rel_relkind(move->parent) == RELKIND_PARTITIONED_TABLE;
    return of_table ? list_make1(move) : NIL;
}

List* MovedTables(const List* moves) {
    List* tables = NIL;
    ListCell* cell;
    foreach (cell, moves) {
        tables = list_concat(
            tables, find_all_inheritors(static_cast<PartitionMove*>(lfirst(cell))->partition,
                                        NoLock, nullptr));
    }
    return tables;
}

void FollowMoves(Projection* projection, const List* moves) {
    if (moves == NIL) {
        return;
    }
    Maintain(projection, [&] {
        List* changes = NIL;
        for (int i = 0; i < projection->lineage->source_count; ++i) {
            changes =
                lappend(changes, ReadMoves(projection, &projection->lineage->sources[i], moves));
        }
        RecomputeChanges(projection, changes);
    });
}

}  // namespace freshcrm::projection
