#include "projection/halves.hpp"

#include "projection/locks.hpp"

namespace freshcrm::projection {

namespace {

bool GoesThrough(const Path* path, const Source* source) {
    return list_member_oid(path->tables, source->relid);
}

// Whether the path brings a part of the key and needs a row of the other table, whose own way to
// the key needs a row of this table.
bool NeedEachOther(const Source* source, const Path* path, const Source* other) {
    if (path->known_keys == nullptr || !GoesThrough(path, other)) {
        return false;
    }
    for (int i = 0; i < other->path_count; ++i) {
        if (GoesThrough(&other->paths[i], source)) {
            return true;
        }
    }
    return false;
}

LOCKMODE ModeFor(const Source* source, const Path* path, const List* changes) {
    bool from = false;
    bool through = false;
    ListCell* cell;
    foreach (cell, changes) {
        const auto* of_source = static_cast<Changes*>(lfirst(cell));
        if (of_source->new_links) {
            from = from || of_source->source == source;
            through = through || NeedEachOther(source, path, of_source->source);
        }
    }
    if (through) {
        return from ? ShareRowExclusiveLock : ShareLock;
    }
    return from ? RowExclusiveLock : NoLock;
}

}  // namespace

bool MakesHalves(const Lineage* lineage, const Source* source, const Path* path) {
    for (int i = 0; i < lineage->source_count; ++i) {
        if (NeedEachOther(source, path, &lineage->sources[i])) {
            return true;
        }
    }
    return false;
}

void LockHalves(const Projection* projection, const List* changes) {
    const Lineage* lineage = projection->lineage;
    for (int i = 0; i < lineage->source_count; ++i) {
        const Source* source = &lineage->sources[i];
        for (int j = 0; j < source->path_count; ++j) {
            const Path* path = &source->paths[j];
            const LOCKMODE mode = ModeFor(source, path, changes);
            if (mode != NoLock && MakesHalves(lineage, source, path)) {
                LockPath(projection, static_cast<uint32>((i << 16) + j), mode);
            }
        }
    }
}

}  // namespace freshcrm::projection
