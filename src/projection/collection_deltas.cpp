#include "projection/collection_deltas.hpp"

#include <cstring>

extern "C" {
#include "utils/datum.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// A power of two. Most statements change rows of few scopes.
constexpr int kFirstRoom = 16;
// About 1 MB.
constexpr int kMostScopes = 8192;

struct ScopeDelta {
    int32 collection;  // 0: not in use
    ScopeKey scope;
    core::MultisetHash hash;
};

int Compare(const void* a, const void* b) {
    const auto* first = static_cast<const ScopeDelta*>(a);
    const auto* second = static_cast<const ScopeDelta*>(b);
    return first->collection != second->collection
               ? (first->collection > second->collection ? 1 : -1)
               : std::memcmp(first->scope.bytes, second->scope.bytes, sizeof(ScopeKey));
}

}  // namespace

// An open hash table: the keys are hashes themselves.
struct CollectionDeltas {
    const Collections* collections;
    MemoryContext context;
    MemoryContext row;  // garbage of one row
    ScopeDelta* room;
    int capacity;
    int count;
    RowBuffer buffer;
};

namespace {

ScopeDelta* MakeRoom(MemoryContext context, int capacity) {
    return static_cast<ScopeDelta*>(
        MemoryContextAllocZero(context, sizeof(ScopeDelta) * static_cast<Size>(capacity)));
}

// The entry of the key, or the free one where it belongs.
ScopeDelta* Place(ScopeDelta* room, int capacity, int32 collection, const ScopeKey& scope) {
    std::uint32_t hash;
    std::memcpy(&hash, scope.bytes, sizeof(hash));
    const auto mask = static_cast<std::uint32_t>(capacity - 1);
    for (std::uint32_t i = (hash + static_cast<std::uint32_t>(collection)) & mask;;
         i = (i + 1) & mask) {
        ScopeDelta* entry = &room[i];
        if (entry->collection == 0 ||
            (entry->collection == collection &&
             std::memcmp(entry->scope.bytes, scope.bytes, sizeof(ScopeKey)) == 0)) {
            return entry;
        }
    }
}

void Grow(CollectionDeltas* deltas) {
    const int capacity = deltas->capacity * 2;
    ScopeDelta* room = MakeRoom(deltas->context, capacity);
    for (int i = 0; i < deltas->capacity; ++i) {
        const ScopeDelta& entry = deltas->room[i];
        if (entry.collection != 0) {
            *Place(room, capacity, entry.collection, entry.scope) = entry;
        }
    }
    pfree(deltas->room);
    deltas->room = room;
    deltas->capacity = capacity;
}

core::MultisetHash* DeltaOf(CollectionDeltas* deltas, int32 collection, const ScopeKey& scope) {
    ScopeDelta* entry = Place(deltas->room, deltas->capacity, collection, scope);
    if (entry->collection == 0) {
        if (deltas->count >= deltas->capacity / 2) {
            Grow(deltas);
            entry = Place(deltas->room, deltas->capacity, collection, scope);
        }
        ++deltas->count;
        entry->collection = collection;
        entry->scope = scope;
    }
    return &entry->hash;
}

// Writes what has been gathered, in the order of the index.
void Write(CollectionDeltas* deltas) {
    int count = 0;
    for (int i = 0; i < deltas->capacity; ++i) {
        if (deltas->room[i].collection != 0 && !deltas->room[i].hash.IsZero()) {
            deltas->room[count++] = deltas->room[i];
        }
    }
    if (count > 0) {
        qsort(deltas->room, static_cast<size_t>(count), sizeof(ScopeDelta), Compare);
        // A slot that this transaction wrote before was written by an earlier command then.
        CommandCounterIncrement();
        SlotWriter* writer = OpenSlots();
        for (int i = 0; i < count; ++i) {
            CHECK_FOR_INTERRUPTS();
            AddToScope(writer, deltas->room[i].collection, deltas->room[i].scope,
                       deltas->room[i].hash);
        }
        CloseSlots(writer);
    }
    std::memset(static_cast<void*>(deltas->room), 0,
                sizeof(ScopeDelta) * static_cast<Size>(deltas->capacity));
    deltas->count = 0;
}

bool SameScope(const Collection& collection, const RowImage& before, const RowImage& after) {
    for (int i = 0; i < collection.count; ++i) {
        const ScopeColumn& column = collection.columns[i];
        const int number = column.column;
        if (before.nulls[number] != after.nulls[number] ||
            (!before.nulls[number] && !datum_image_eq(before.values[number], after.values[number],
                                                      column.by_value, column.length))) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::string_view TagText(Datum tag, bool null) {
    if (null) {
        return {};
    }
    const text* value = DatumGetTextPP(tag);
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

ScopeKey KeyOf(const Collection& collection, const RowImage& row) {
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    for (int i = 0; i < collection.count; ++i) {
        const int column = collection.columns[i].column;
        values[i] = row.values[column];
        nulls[i] = row.nulls[column];
    }
    return ScopeKeyOf(collection.columns, collection.count, values, nulls);
}

CollectionDeltas* BeginDeltas(const Collections* collections) {
    if (collections == nullptr) {
        return nullptr;
    }
    auto* deltas = static_cast<CollectionDeltas*>(palloc0(sizeof(CollectionDeltas)));
    const auto columns = static_cast<Size>(collections->view_columns);
    deltas->collections = collections;
    deltas->context = CurrentMemoryContext;
    deltas->row =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm scope", ALLOCSET_SMALL_SIZES);
    deltas->capacity = kFirstRoom;
    deltas->room = MakeRoom(deltas->context, kFirstRoom);
    deltas->buffer = {static_cast<Datum*>(palloc(sizeof(Datum) * columns)),
                      static_cast<bool*>(palloc(sizeof(bool) * columns))};
    return deltas;
}

RowBuffer* BufferOf(CollectionDeltas* deltas) {
    return &deltas->buffer;
}

void NoteRow(CollectionDeltas* deltas, const RowImage* before, const RowImage* after) {
    if (deltas == nullptr) {
        return;
    }
    MemoryContextReset(deltas->row);
    MemoryContext caller = MemoryContextSwitchTo(deltas->row);
    const Collections* collections = deltas->collections;
    core::Wide gone{};
    core::Wide come{};
    if (before != nullptr) {
        gone = core::ElementOf(collections->secret, before->tag);
    }
    if (after != nullptr) {
        come = core::ElementOf(collections->secret, after->tag);
    }
    for (int i = 0; i < collections->count; ++i) {
        const Collection& collection = collections->items[i];
        core::MultisetHash* hash = nullptr;
        if (before != nullptr) {
            hash = DeltaOf(deltas, collection.id, KeyOf(collection, *before));
            hash->Remove(gone);
        }
        if (after != nullptr) {
            if (before == nullptr || !SameScope(collection, *before, *after)) {
                hash = DeltaOf(deltas, collection.id, KeyOf(collection, *after));
            }
            hash->Add(come);
        }
    }
    if (deltas->count >= kMostScopes) {
        Write(deltas);
    }
    MemoryContextSwitchTo(caller);
}

void ApplyDeltas(CollectionDeltas* deltas) {
    if (deltas == nullptr) {
        return;
    }
    MemoryContext caller = MemoryContextSwitchTo(deltas->row);
    Write(deltas);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(deltas->row);
    pfree(deltas->room);
    pfree(deltas);
}

}  // namespace freshcrm::projection
