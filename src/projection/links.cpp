#include "projection/links.hpp"

#include "pg/spi.hpp"
#include "projection/halves.hpp"
#include "projection/locks.hpp"

extern "C" {
#include "common/hashfn.h"
#include "utils/snapmgr.h"
}

#include <algorithm>

namespace freshcrm::projection {

namespace {

// Hashes of links; plain memory in the current context.
struct Hashes {
    uint32* values;
    int count;
    int capacity;
};

void Add(Hashes* hashes, uint32 value) {
    if (hashes->count == hashes->capacity) {
        hashes->capacity = hashes->capacity == 0 ? 16 : hashes->capacity * 2;
        const Size size = sizeof(uint32) * static_cast<Size>(hashes->capacity);
        hashes->values = static_cast<uint32*>(
            hashes->values == nullptr ? palloc(size) : repalloc(hashes->values, size));
    }
    hashes->values[hashes->count++] = value;
}

void SortUnique(Hashes* hashes) {
    std::sort(hashes->values, hashes->values + hashes->count);
    hashes->count = static_cast<int>(std::unique(hashes->values, hashes->values + hashes->count) -
                                     hashes->values);
}

// Leaves those that are not among `others`. Both are sorted.
void Subtract(Hashes* hashes, const Hashes& others) {
    uint32* end = std::remove_if(hashes->values, hashes->values + hashes->count, [&](uint32 value) {
        return std::binary_search(others.values, others.values + others.count, value);
    });
    hashes->count = static_cast<int>(end - hashes->values);
}

// What the hashes of a path begin with; -1 stands for all of the table's.
uint32 Seed(const Lineage* lineage, const Source* source, int path) {
    const auto number = static_cast<uint32>(source - lineage->sources);
    return murmurhash32((number << 16) + static_cast<uint32>(path + 1));
}

uint32 HashWith(uint32 hash, FmgrInfo* function, Oid collation, Datum value) {
    return hash_combine(hash, DatumGetUInt32(FunctionCall1Coll(function, collation, value)));
}

bool MapsByQuery(const Source* source) {
    return source->fallback != nullptr && source->fallback->query != nullptr;
}

uint32 HashOfStart(uint32 seed, Path* path, const Datum* start) {
    uint32 hash = seed;
    for (int i = 0; i < path->link_count; ++i) {
        Link* link = &path->links[i];
        hash = HashWith(hash, &link->hash_start, link->collation, start[link->start]);
    }
    return hash;
}

// Returns false when there are too many to be locked one by one.
bool AddChanged(const Lineage* lineage, const Changes* changes, Hashes* hashes) {
    Source* source = changes->source;
    if (MapsByQuery(source)) {
        Add(hashes, Seed(lineage, source, -1));
    }
    for (int i = 0; i < source->path_count; ++i) {
        Path* path = &source->paths[i];
        const KeySet* starts = &changes->starts[i];
        if (path->direct()) {
            continue;
        }
        const PatchList& patches = changes->patches;
        if (starts->spill != nullptr || starts->count + patches.count > MostKeyLocks()) {
            return false;
        }
        const uint32 seed = Seed(lineage, source, i);
        for (int j = 0; j < starts->count; ++j) {
            Add(hashes, HashOfStart(seed, path, Tuple(starts, j)));
        }
        for (int j = 0; j < patches.count; ++j) {
            Add(hashes, HashOfStart(seed, path, patches.patches[j]->start));
        }
    }
    return true;
}

bool GoesThroughNewRows(const Path* path, const List* changes) {
    ListCell* cell;
    foreach (cell, changes) {
        const auto* of_source = static_cast<Changes*>(lfirst(cell));
        if (of_source->new_links && list_member_oid(path->tables, of_source->source->relid)) {
            return true;
        }
    }
    return false;
}

SPIPlanPtr LinksPlan(const Projection* projection, Path* path, bool many) {
    SPIPlanPtr* plan = many ? &path->plan_links_many : &path->plan_links_one;
    if (*plan == nullptr) {
        auto* types =
            static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(projection->key_count)));
        for (int i = 0; i < projection->key_count; ++i) {
            const Oid type = projection->keys[i].type;
            types[i] = many ? get_array_type(type) : type;
        }
        *plan = pg::PrepareKept(many ? path->links_many : path->links_one, projection->key_count,
                                types, projection->context);
    }
    return *plan;
}

// Where the rows of a query for links go.
struct LinkSink {
    Path* path;
    uint32 seed;
    MemoryContext context;  // of the hashes
    Hashes* hashes;
};

// Nothing equals NULL.
void AddRead(void* arg, TupleTableSlot* slot) {
    const auto* sink = static_cast<LinkSink*>(arg);
    slot_getallattrs(slot);
    uint32 hash = sink->seed;
    for (int i = 0; i < sink->path->link_count; ++i) {
        if (slot->tts_isnull[i]) {
            return;
        }
        Link* link = &sink->path->links[i];
        hash = HashWith(hash, &link->hash_read, link->collation, slot->tts_values[i]);
    }
    MemoryContext caller = MemoryContextSwitchTo(sink->context);
    Add(sink->hashes, hash);
    MemoryContextSwitchTo(caller);
}

// Which paths are gone backwards: those through new rows, or those of halves.
enum class Which { kThroughNewRows, kOfHalves };

bool IsOne(const Projection* projection, const Source* source, const Path* path,
           const List* changes, Which which) {
    return which == Which::kOfHalves ? MakesHalves(projection->lineage, source, path)
                                     : GoesThroughNewRows(path, changes);
}

// The links of the keys on these paths, as the active snapshot has them.
void FindLinks(Projection* projection, const List* changes, Which which, const KeySet* keys,
               Datum* arrays, Hashes* found) {
    Lineage* lineage = projection->lineage;
    for (int i = 0; i < lineage->source_count; ++i) {
        Source* source = &lineage->sources[i];
        if (which == Which::kThroughNewRows && MapsByQuery(source)) {
            Add(found, Seed(lineage, source, -1));
        }
        for (int j = 0; j < source->path_count; ++j) {
            Path* path = &source->paths[j];
            if (IsOne(projection, source, path, changes, which)) {
                LinkSink sink{path, Seed(lineage, source, j), CurrentMemoryContext, found};
                const bool many = keys->count > 1;
                pg::SelectEach(LinksPlan(projection, path, many), many ? arrays : keys->values,
                               {nullptr, AddRead, &sink});
            }
        }
    }
    SortUnique(found);
}

// What has been waited for may have led further, so that it ends when nothing new is found.
void LockFound(Projection* projection, const List* changes, Which which, const KeySet* keys) {
    if (keys->spill != nullptr || keys->count > MostKeyLocks()) {
        LockAllKeys(projection);
        return;
    }
    auto* arrays =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    ToArrays(keys, arrays);
    Hashes held{};
    for (bool news = true; news && !AllKeysLocked(projection);) {
        Hashes found{};
        pg::PushFreshSnapshot();
        FindLinks(projection, changes, which, keys, arrays, &found);
        PopActiveSnapshot();
        Subtract(&found, held);
        LockLinks(projection, found.values, found.count, false);
        news = found.count > 0;
        for (int i = 0; i < found.count; ++i) {
            Add(&held, found.values[i]);
        }
        SortUnique(&held);
    }
}

bool AnyHalves(const Lineage* lineage) {
    for (int i = 0; i < lineage->source_count; ++i) {
        for (int j = 0; j < lineage->sources[i].path_count; ++j) {
            if (MakesHalves(lineage, &lineage->sources[i], &lineage->sources[i].paths[j])) {
                return true;
            }
        }
    }
    return false;
}

bool AnyNewRow(const List* changes) {
    ListCell* cell;
    foreach (cell, changes) {
        if (static_cast<Changes*>(lfirst(cell))->new_rows) {
            return true;
        }
    }
    return false;
}

// Whether there is anything to find by going back from keys.
bool AnyNewLink(const Lineage* lineage, const List* changes) {
    for (int i = 0; i < lineage->source_count; ++i) {
        const Source* source = &lineage->sources[i];
        if (MapsByQuery(source)) {
            return true;
        }
        for (int j = 0; j < source->path_count; ++j) {
            if (GoesThroughNewRows(&source->paths[j], changes)) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace

void LockChangedLinks(Projection* projection, const List* changes) {
    Hashes hashes{};
    ListCell* cell;
    foreach (cell, changes) {
        if (!AddChanged(projection->lineage, static_cast<Changes*>(lfirst(cell)), &hashes)) {
            LockAllKeys(projection);
            return;
        }
    }
    SortUnique(&hashes);
    LockLinks(projection, hashes.values, hashes.count, true);
}

void LockNewLinks(Projection* projection, const List* changes, const KeySet* keys) {
    if (!IsEmpty(keys) && AnyNewRow(changes) && AnyNewLink(projection->lineage, changes)) {
        LockFound(projection, changes, Which::kThroughNewRows, keys);
    }
}

void LockHalfLinks(Projection* projection, const KeySet* keys) {
    if (projection->key_count > 1 && AnyHalves(projection->lineage)) {
        LockFound(projection, NIL, Which::kOfHalves, keys);
    }
}

}  // namespace freshcrm::projection
