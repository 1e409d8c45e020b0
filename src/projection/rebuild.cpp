#include "projection/rebuild.hpp"

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

// Collects as many keys that differ as fit into maintenance_work_mem, in a context that outlives
// transactions. Returns whether that was all.
bool CollectDifferences(const Rebuild& rebuild, KeySet* wrong) {
    Projection* projection = OpenOwned(rebuild.target);
    *wrong = MakeProjectionKeys(projection, CurrentMemoryContext);
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
    Projection* projection = OpenOwned(rebuild->target);
    Maintain(projection, [&] {
        const Counts counts = RecomputeKeys(projection, keys, Write::kAlways);
        rebuild->counts.inserted += counts.inserted;
        rebuild->counts.updated += counts.updated;
        rebuild->counts.deleted += counts.deleted;
    });
}

}  // namespace

Counts RebuildProjection(Oid target, int batch, bool atomic) {
    Rebuild rebuild{target, batch, atomic, {}};
    RepairTriggers(OpenOwned(target));
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
    SetProblem(OpenOwned(target)->id, nullptr);
    return rebuild.counts;
}

}  // namespace freshcrm::projection
