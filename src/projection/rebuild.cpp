#include "projection/rebuild.hpp"

#include "projection/collection_fill.hpp"
#include "projection/definition.hpp"
#include "projection/maintain.hpp"
#include "projection/trigger_sync.hpp"
#include "projection/verify.hpp"

extern "C" {
#include "miscadmin.h"
#include "tcop/pquery.h"
}

namespace freshcrm::projection {

namespace {

struct Rebuild {
    Oid target;
    int32 id;  // of the projection that the keys are of
    int batch;
    bool atomic;
    Counts counts;
};

void Commit(const Rebuild& rebuild) {
    if (!rebuild.atomic) {
        SPI_commit();
        EnsurePortalSnapshotExists();
    }
}

// Between two transactions the table may have been made that of another projection, of another key.
Projection* Open(const Rebuild& rebuild) {
    Projection* projection = OpenOwned(rebuild.target);
    if (projection->id != rebuild.id) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("projection %s is another one now", projection->name),
                        errdetail("It was dropped and created again while it was rebuilt."),
                        errhint("Call freshcrm.rebuild_projection() again.")));
    }
    return projection;
}

// Collects as many keys that differ as fit into maintenance_work_mem, in a context that outlives
// transactions. Returns whether that was all.
bool CollectDifferences(const Rebuild& rebuild, KeySet* wrong) {
    Projection* projection = Open(rebuild);
    // Of a shape of its own: that of the projection goes with it, when that is loaded anew.
    *wrong = MakeKeySet(CurrentMemoryContext, ShapeOf(projection->keys, projection->key_count));
    // Twice as many would be needed to go to disk, where they would not outlive the transaction.
    wrong->most_bytes = static_cast<Size>(maintenance_work_mem) * 2048;
    bool all = false;
    Maintain(projection, [&] {
        all = EachDifference(
            projection,
            [](void* arg, const char*, const Datum* key) {
                auto* keys = static_cast<KeySet*>(arg);
                Add(keys, key);
                return keys->bytes < keys->most_bytes / 2;
            },
            wrong);
    });
    SortUnique(wrong);
    return all;
}

void RecomputeBatch(Rebuild* rebuild, KeySet* keys) {
    Projection* projection = Open(*rebuild);
    Maintain(projection, [&] {
        const Counts counts = RecomputeKeys(projection, keys, Write::kAlways);
        rebuild->counts.inserted += counts.inserted;
        rebuild->counts.updated += counts.updated;
        rebuild->counts.deleted += counts.deleted;
    });
}

}  // namespace

Counts RebuildProjection(Oid target, int batch, bool atomic) {
    Rebuild rebuild{target, FindOwned(target)->id, batch, atomic, {}};
    RepairTriggers(Open(rebuild));
    Commit(rebuild);
    for (bool all = false; !all;) {
        KeySet wrong;
        all = CollectDifferences(rebuild, &wrong);
        Commit(rebuild);
        for (KeySet piece; NextPiece(&wrong, batch, &piece);) {
            RecomputeBatch(&rebuild, &piece);
            Commit(rebuild);
        }
        FreeTuples(&wrong);
    }
    MendCollections(
        Open(rebuild), [](void*, const Collection&) {}, nullptr);
    SetProblem(Open(rebuild)->id, nullptr);
    return rebuild.counts;
}

}  // namespace freshcrm::projection
