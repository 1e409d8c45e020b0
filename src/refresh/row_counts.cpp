#include "refresh/row_counts.hpp"

#include "pg/heap_changes.hpp"
#include "refresh/mode.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "pgstat.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"
}

#include <algorithm>

namespace freshcrm::refresh {

namespace {

constexpr int64 kMostRows = 1000000;

struct KeyColumn {
    AttrNumber number;
    Oid collation;
    FmgrInfo* hash;
};

struct Keys {
    int columns;
    KeyColumn* column;
    uint64* hashes[2];  // of rows that came, and of those that went
    int64 count[2];
};

// False when a column of the index cannot be hashed.
bool ReadKey(Relation relation, Relation index, Keys* keys) {
    const Form_pg_index form = index->rd_index;
    keys->columns = form->indnkeyatts;
    keys->column = static_cast<KeyColumn*>(palloc0(sizeof(KeyColumn) * form->indnkeyatts));
    for (int k = 0; k < keys->columns; ++k) {
        const AttrNumber number = form->indkey.values[k];
        const Oid type = TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid;
        TypeCacheEntry* entry = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC_FINFO);
        if (!OidIsValid(entry->hash_extended_proc_finfo.fn_oid)) {
            return false;
        }
        keys->column[k] = {number, index->rd_indcollation[k], &entry->hash_extended_proc_finfo};
    }
    return true;
}

// Of the first index that CONCURRENTLY could use. False when there is none that can be hashed.
bool FindKey(Relation relation, Keys* keys) {
    bool found = false;
    List* indexes = RelationGetIndexList(relation);
    for (int i = 0; !found && i < list_length(indexes); ++i) {
        Relation index = index_open(list_nth_oid(indexes, i), AccessShareLock);
        found = IsUsableUniqueIndex(index) && ReadKey(relation, index, keys);
        index_close(index, AccessShareLock);
    }
    return found;
}

uint64 HashKey(const Keys* keys, TupleTableSlot* slot) {
    uint64 hash = 0;
    for (int k = 0; k < keys->columns; ++k) {
        bool isnull;
        const KeyColumn& column = keys->column[k];
        const Datum value = slot_getattr(slot, column.number, &isnull);
        const uint64 part = isnull ? 1
                                   : DatumGetUInt64(FunctionCall2Coll(column.hash, column.collation,
                                                                      value, Int64GetDatum(0)));
        hash = hash_combine64(hash, part);
    }
    return hash;
}

// How many hashes both lists have.
int64 InBoth(Keys* keys) {
    for (int i = 0; i < 2; ++i) {
        std::sort(keys->hashes[i], keys->hashes[i] + keys->count[i]);
    }
    int64 both = 0;
    int64 went = 0;
    for (int64 came = 0; came < keys->count[0]; ++came) {
        while (went < keys->count[1] && keys->hashes[1][went] < keys->hashes[0][came]) {
            ++went;
        }
        if (went < keys->count[1] && keys->hashes[1][went] == keys->hashes[0][came]) {
            ++both;
            ++went;
        }
    }
    return both;
}

// Negative: not known.
int64 CountUpdated(Oid matview, const Written& written, Snapshot old_rows) {
    Relation relation = table_open(matview, AccessShareLock);
    Keys keys{};
    int64 updated = -1;
    if (pg::IsHeap(relation) && FindKey(relation, &keys)) {
        const int64 most[] = {written.inserted, written.deleted};
        for (int i = 0; i < 2; ++i) {
            keys.hashes[i] = static_cast<uint64*>(MemoryContextAllocHuge(
                CurrentMemoryContext, sizeof(uint64) * static_cast<Size>(most[i])));
        }
        const Snapshot now = RegisterSnapshot(GetLatestSnapshot());
        struct Collector {
            Keys* keys;
            const int64* most;
        } collector = {&keys, most};
        pg::EachChangedRow(
            relation, old_rows, now,
            [](void* arg, TupleTableSlot* row, bool is_new) {
                auto* into = static_cast<Collector*>(arg);
                const int which = is_new ? 0 : 1;
                int64& count = into->keys->count[which];
                if (count < into->most[which]) {
                    into->keys->hashes[which][count++] = HashKey(into->keys, row);
                }
            },
            &collector);
        UnregisterSnapshot(now);
        updated = InBoth(&keys);
    }
    table_close(relation, AccessShareLock);
    return updated;
}

}  // namespace

Written WrittenSoFar(Oid relation) {
    const Datum oid = ObjectIdGetDatum(relation);
    return {pgstat_track_counts,
            DatumGetInt64(DirectFunctionCall1(pg_stat_get_xact_tuples_inserted, oid)),
            DatumGetInt64(DirectFunctionCall1(pg_stat_get_xact_tuples_deleted, oid))};
}

RowCounts CountChangedRows(Oid matview, const Written& before, Snapshot old_rows) {
    const Written after = WrittenSoFar(matview);
    if (!before.known || !after.known) {
        return {};
    }
    const Written written = {true, after.inserted - before.inserted,
                             after.deleted - before.deleted};
    RowCounts counts{written.inserted, 0, written.deleted};
    if (written.inserted == 0 || written.deleted == 0) {
        return counts;
    }
    counts.updated = std::max(written.inserted, written.deleted) > kMostRows
                         ? -1
                         : CountUpdated(matview, written, old_rows);
    if (counts.updated < 0) {
        return {};
    }
    counts.inserted -= counts.updated;
    counts.deleted -= counts.updated;
    return counts;
}

}  // namespace freshcrm::refresh
