#include "projection/collection_slots.hpp"

#include "pg/indexed_rows.hpp"
#include "pg/new_entries.hpp"
#include "projection/own_tables.hpp"

#include <cstring>
#include <utility>

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// The columns of freshcrm.collection_slot, and of its index.
constexpr AttrNumber kCollection = 1;
constexpr AttrNumber kScope = 2;
constexpr AttrNumber kRows = 3;
constexpr AttrNumber kSum = 4;
constexpr int kSlotColumns = 4;

// More than these that are free are made fewer.
constexpr int kManySlots = 8;
constexpr int kMostCandidates = 16;

// heap_update() tells who does not wait that somebody else is writing the row, but where the server
// checks assertions it insists that nobody asks. There the row is locked first.
#ifdef USE_ASSERT_CHECKING
constexpr bool kLockFirst = true;
#else
constexpr bool kLockFirst = false;
#endif

// The scope of the row that marks a collection as filled.
constexpr ScopeKey kMark{};

Oid SlotRelation(const char* name) {
    return get_relname_relid(name, get_namespace_oid("freshcrm", false));
}

void InitKeys(ScanKey keys, int32 collection, const ScopeKey* scope) {
    ScanKeyInit(&keys[0], kCollection, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(collection));
    ScanKeyInit(&keys[1], kScope, BTEqualStrategyNumber, F_UUID_EQ, PointerGetDatum(scope));
}

core::MultisetHash HashOf(Datum rows, Datum sum) {
    const bytea* bytes = DatumGetByteaPP(sum);
    if (VARSIZE_ANY_EXHDR(bytes) != sizeof(core::Wide)) {
        elog(ERROR, "a slot of a collection has a sum of %d bytes",
             static_cast<int>(VARSIZE_ANY_EXHDR(bytes)));
    }
    return {DatumGetInt64(rows),
            core::FromBytes(std::span<const std::uint8_t, sizeof(core::Wide)>(
                reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(bytes)), sizeof(core::Wide)))};
}

// Reads the slots of a scope, or of a collection.
template <typename Read>
void ReadSlots(ScanKey keys, int count, Snapshot snapshot, Read read) {
    Relation table = table_open(SlotRelation("collection_slot"), AccessShareLock);
    SysScanDesc scan = systable_beginscan(table, SlotRelation("collection_slot_scope"), true,
                                          snapshot, count, keys);
    Datum values[kSlotColumns];
    bool nulls[kSlotColumns];
    for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
         tuple = systable_getnext(scan)) {
        heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
        read(tuple, *reinterpret_cast<ScopeKey*>(DatumGetPointer(values[kScope - 1])),
             HashOf(values[kRows - 1], values[kSum - 1]));
    }
    systable_endscan(scan);
    table_close(table, AccessShareLock);
}

// A slot that nobody else is writing.
struct Candidate {
    ItemPointerData tid;
    core::MultisetHash hash;
    ItemPointerData root;
    bool own;  // written by this transaction
};

// Where this session has last written a scope: most often nobody else is writing there now, and the
// index need not be asked. Whatever has become of the row since, it is looked at again.
struct Hint {
    int32 collection;  // 0: none
    ScopeKey scope;
    ItemPointerData root;
};
constexpr std::uint32_t kHints = 4096;
Hint hints[kHints];

// So often the index is asked all the same, whether there are too many slots.
constexpr std::uint32_t kLookAround = 64;
std::uint32_t writes = 0;

}  // namespace

struct SlotWriter {
    Relation table;
    BlockNumber blocks;  // at least
    SnapshotData latest;
    int32 collection;  // that is being written
    ScopeKey scope;
    Relation index;  // these are null until the index is asked
    IndexScanDesc scan;
    TupleTableSlot* written;
    bytea* sum;
    Candidate candidates[kMostCandidates];
    int count;
};

namespace {

Hint* HintFor(int32 collection, const ScopeKey& scope) {
    std::uint32_t place;
    std::memcpy(&place, scope.bytes, sizeof(place));
    return &hints[(place + static_cast<std::uint32_t>(collection)) % kHints];
}

bool AddCandidate(void* arg, HeapTuple tuple, ItemPointer root) {
    auto* writer = static_cast<SlotWriter*>(arg);
    Datum values[kSlotColumns];
    bool nulls[kSlotColumns];
    heap_deform_tuple(tuple, RelationGetDescr(writer->table), values, nulls);
    if (DatumGetInt32(values[kCollection - 1]) == writer->collection &&
        std::memcmp(DatumGetPointer(values[kScope - 1]), writer->scope.bytes, sizeof(ScopeKey)) ==
            0) {
        writer->candidates[writer->count++] = {
            tuple->t_self, HashOf(values[kRows - 1], values[kSum - 1]), *root,
            TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data))};
    }
    return writer->count < kMostCandidates;
}

void FindByHint(SlotWriter* writer) {
    Hint* hint = HintFor(writer->collection, writer->scope);
    writer->count = 0;
    if (hint->collection == writer->collection &&
        std::memcmp(hint->scope.bytes, writer->scope.bytes, sizeof(ScopeKey)) == 0 &&
        ItemPointerGetBlockNumber(&hint->root) < writer->blocks) {
        pg::FreeRowAt(writer->table, &hint->root, &writer->latest, AddCandidate, writer);
    }
}

void FindByIndex(SlotWriter* writer) {
    if (writer->scan == nullptr) {
        writer->index = index_open(SlotRelation("collection_slot_scope"), RowExclusiveLock);
        writer->scan = index_beginscan(writer->table, writer->index, &writer->latest, 2, 0);
    }
    ScanKeyData keys[2];
    InitKeys(keys, writer->collection, &writer->scope);
    index_rescan(writer->scan, keys, 2, nullptr, 0);
    writer->count = 0;
    pg::EachFreeRow(writer->scan, &writer->latest, AddCandidate, writer);
}

// Its own slot comes first, the others from one on that is not the same for all.
int FirstCandidate(const SlotWriter* writer) {
    for (int i = 0; i < writer->count; ++i) {
        if (writer->candidates[i].own) {
            return i;
        }
    }
    return MyProcPid % writer->count;
}

Snapshot Crosscheck() {
    return IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : InvalidSnapshot;
}

bool LockAtOnce(SlotWriter* writer, Candidate* candidate) {
    TM_FailureData failure;
    TupleTableSlot* locked = table_slot_create(writer->table, nullptr);
    const TM_Result result = table_tuple_lock(writer->table, &candidate->tid, GetActiveSnapshot(),
                                              locked, GetCurrentCommandId(true),
                                              LockTupleNoKeyExclusive, LockWaitSkip, 0, &failure);
    ExecDropSingleTupleTableSlot(locked);
    return result == TM_Ok;
}

void PutRow(SlotWriter* writer, const core::MultisetHash& hash) {
    TupleTableSlot* row = ExecClearTuple(writer->written);
    const auto bytes = core::ToBytes(hash.sum);
    std::memcpy(VARDATA(writer->sum), bytes.data(), bytes.size());
    row->tts_values[kCollection - 1] = Int32GetDatum(writer->collection);
    row->tts_values[kScope - 1] = PointerGetDatum(writer->scope.bytes);
    row->tts_values[kRows - 1] = Int64GetDatum(hash.rows);
    row->tts_values[kSum - 1] = PointerGetDatum(writer->sum);
    std::memset(row->tts_isnull, 0, kSlotColumns);
    ExecStoreVirtualTuple(row);
}

// Of the row that was written last. `unchanged`: it has been moved only.
void InsertIndexEntries(SlotWriter* writer, bool unchanged) {
    ListCell* cell;
    foreach (cell, RelationGetIndexList(writer->table)) {
        Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);
        IndexInfo* info = BuildIndexInfo(index);
        Datum values[INDEX_MAX_KEYS];
        bool nulls[INDEX_MAX_KEYS];
        FormIndexDatum(info, writer->written, nullptr, values, nulls);
        (void)index_insert(index, values, nulls, &writer->written->tts_tid, writer->table,
                           UNIQUE_CHECK_NO, unchanged, info);
        index_close(index, NoLock);
    }
}

// False when somebody else is writing it or has written it since, or this transaction's snapshot
// has an older version of it.
bool TryUpdate(SlotWriter* writer, Candidate* candidate) {
    if (kLockFirst && !LockAtOnce(writer, candidate)) {
        return false;
    }
    TM_FailureData failure;
    LockTupleMode mode;
    pg::NewEntries entries = pg::kNoNewEntries;
    const TM_Result result = table_tuple_update(
        writer->table, &candidate->tid, writer->written, GetCurrentCommandId(true),
        GetActiveSnapshot(), Crosscheck(), kLockFirst, &failure, &mode, &entries);
    if (result == TM_Ok && pg::InAllIndexes(entries)) {
        InsertIndexEntries(writer, true);
        candidate->root = writer->written->tts_tid;
    }
    return result == TM_Ok;
}

bool TryDelete(SlotWriter* writer, Candidate* candidate) {
    TM_FailureData failure;
    return table_tuple_delete(writer->table, &candidate->tid, GetCurrentCommandId(true),
                              GetActiveSnapshot(), Crosscheck(), false, &failure, false) == TM_Ok;
}

void InsertSlot(SlotWriter* writer) {
    table_tuple_insert(writer->table, writer->written, GetCurrentCommandId(true), 0, nullptr);
    InsertIndexEntries(writer, false);
}

// Takes the last one away, and returns what it held.
core::MultisetHash Fold(SlotWriter* writer) {
    Candidate* last = &writer->candidates[writer->count - 1];
    if (!TryDelete(writer, last)) {
        return {};
    }
    --writer->count;
    return last->hash;
}

void Remember(const SlotWriter* writer, const ItemPointerData& root) {
    *HintFor(writer->collection, writer->scope) = {writer->collection, writer->scope, root};
}

// Returns whether one of the candidates was free indeed.
bool TryCandidates(SlotWriter* writer, const core::MultisetHash& change) {
    for (int i = 0; i < writer->count; ++i) {
        Candidate* candidate = &writer->candidates[i];
        core::MultisetHash hash = candidate->hash;
        hash.Merge(change);
        PutRow(writer, hash);
        if (hash.IsZero() ? TryDelete(writer, candidate) : TryUpdate(writer, candidate)) {
            Remember(writer, candidate->root);
            return true;
        }
    }
    return false;
}

}  // namespace

SlotWriter* OpenSlots() {
    auto* writer = static_cast<SlotWriter*>(palloc0(sizeof(SlotWriter)));
    writer->table = table_open(SlotRelation("collection_slot"), RowExclusiveLock);
    // Nobody makes it shorter while it is locked.
    writer->blocks = RelationGetNumberOfBlocks(writer->table);
    InitDirtySnapshot(writer->latest);
    writer->written = MakeSingleTupleTableSlot(RelationGetDescr(writer->table), &TTSOpsVirtual);
    writer->sum = static_cast<bytea*>(palloc(VARHDRSZ + sizeof(core::Wide)));
    SET_VARSIZE(writer->sum, VARHDRSZ + sizeof(core::Wide));
    return writer;
}

void AddToScope(SlotWriter* writer, int32 collection, const ScopeKey& scope,
                const core::MultisetHash& change) {
    writer->collection = collection;
    writer->scope = scope;
    if (++writes % kLookAround != 0) {
        FindByHint(writer);
        if (TryCandidates(writer, change)) {
            return;
        }
    }
    FindByIndex(writer);
    if (writer->count > 0) {
        std::swap(writer->candidates[0], writer->candidates[FirstCandidate(writer)]);
    }
    core::MultisetHash more = change;
    if (writer->count > kManySlots) {
        more.Merge(Fold(writer));
    }
    if (!TryCandidates(writer, more)) {
        PutRow(writer, more);
        InsertSlot(writer);
        Remember(writer, writer->written->tts_tid);
    }
}

void CloseSlots(SlotWriter* writer) {
    if (writer->scan != nullptr) {
        index_endscan(writer->scan);
        index_close(writer->index, NoLock);
    }
    ExecDropSingleTupleTableSlot(writer->written);
    table_close(writer->table, NoLock);
    pfree(writer->sum);
    pfree(writer);
}

core::MultisetHash ReadScopeHash(int32 collection, const ScopeKey& scope, Snapshot snapshot) {
    ScanKeyData keys[2];
    InitKeys(keys, collection, &scope);
    core::MultisetHash hash{};
    ReadSlots(keys, 2, snapshot, [&](HeapTuple, const ScopeKey&, const core::MultisetHash& part) {
        hash.Merge(part);
    });
    return hash;
}

void EachSlot(int32 collection, Snapshot snapshot,
              void (*slot)(void* arg, const ScopeKey& scope, const core::MultisetHash& hash),
              void* arg) {
    ScanKeyData keys[2];
    InitKeys(keys, collection, &kMark);
    ReadSlots(keys, 1, snapshot,
              [&](HeapTuple, const ScopeKey& scope, const core::MultisetHash& hash) {
                  slot(arg, scope, hash);
              });
}

Fill FindFill(int32 collection, Snapshot snapshot) {
    ScanKeyData keys[2];
    InitKeys(keys, collection, &kMark);
    Fill fill = Fill::kNone;
    ReadSlots(keys, 2, snapshot, [&](HeapTuple tuple, const ScopeKey&, const core::MultisetHash&) {
        const bool newer =
            IsolationUsesXactSnapshot() &&
            TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
        fill = newer ? Fill::kNewer : Fill::kFilled;
    });
    return fill;
}

void MarkFilled(int32 collection) {
    SlotWriter* writer = OpenSlots();
    writer->collection = collection;
    writer->scope = kMark;
    PutRow(writer, {});
    InsertSlot(writer);
    CloseSlots(writer);
    CommandCounterIncrement();
}

void RemoveSlots(int32 collection) {
    static Statement remove = {
        "DELETE FROM freshcrm.collection_slot WHERE collection = $1", 1, {INT4OID}, nullptr};
    Datum value = Int32GetDatum(collection);
    OnOwnTable(&remove, &value, nullptr, false, [] {});
}

}  // namespace freshcrm::projection
