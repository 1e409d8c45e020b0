#include "projection/truncated.hpp"

#include "pg/heap_changes.hpp"
#include "pg/memory.hpp"
#include "projection/partitions.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_class.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
}

namespace freshcrm::projection {

namespace {

// Lives in a context of the (sub)transaction, whose end takes it out of the list.
struct Emptied {
    MemoryContext context;
    const Projection* projection;
    List* tables;  // OIDs, in order
    Emptied* next;
};

Emptied* first = nullptr;

void Unlink(void* gone) {
    for (Emptied** link = &first; *link != nullptr; link = &(*link)->next) {
        if (*link == gone) {
            *link = (*link)->next;
            return;
        }
    }
}

// A partitioned table has no rows but those of its partitions, whose triggers fire as well.
bool IsEmptyForMe(Oid relid) {
    Relation table = table_open(relid, AccessShareLock);
    const bool empty = CheckRelationLockedByMe(table, AccessExclusiveLock, false) &&
                       (table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
                        (pg::IsHeap(table) && RelationGetNumberOfBlocks(table) == 0));
    table_close(table, NoLock);
    return empty;
}

List* EmptyTables(const Projection* projection) {
    List* empty = NIL;
    ListCell* cell;
    foreach (cell, AllTriggerTables(projection->lineage)) {
        if (IsEmptyForMe(lfirst_oid(cell))) {
            empty = lappend_oid(empty, lfirst_oid(cell));
        }
    }
    return empty;
}

}  // namespace

void RememberEmptyTables(const Projection* projection) {
    ForgetEmptyTables(projection);
    MemoryContext context =
        AllocSetContextCreate(CurTransactionContext, "freshcrm truncated", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* emptied = static_cast<Emptied*>(palloc(sizeof(Emptied)));
    *emptied = {context, projection, EmptyTables(projection), first};
    pg::OnReset(context, Unlink, emptied);
    MemoryContextSwitchTo(caller);
    first = emptied;
}

void ForgetEmptyTables(const Projection* projection) {
    for (Emptied* emptied = first; emptied != nullptr; emptied = emptied->next) {
        if (emptied->projection->id == projection->id) {
            MemoryContextDelete(emptied->context);
            return;
        }
    }
}

bool IsKnownEmpty(const Projection* projection, Oid table) {
    for (const Emptied* emptied = first; emptied != nullptr; emptied = emptied->next) {
        if (emptied->projection == projection) {
            return list_member_oid(emptied->tables, table);
        }
    }
    return false;
}

}  // namespace freshcrm::projection
