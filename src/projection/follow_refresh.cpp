#include "projection/follow_refresh.hpp"

#include "pg/names.hpp"
#include "projection/affected.hpp"
#include "projection/flush.hpp"
#include "projection/restored.hpp"

extern "C" {
#include "catalog/namespace.h"
}

namespace freshcrm::projection {

namespace {

// What follows later may fail then, and is tried again.
bool MayFail(const Projection* projection) {
    return projection->mode == Mode::kAsync || projection->on_error == OnError::kStale;
}

[[noreturn]] void RefuseWithoutData(const Projection* projection, Oid matview) {
    ereport(
        ERROR,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         errmsg("cannot leave materialized view %s without data", pg::RelationForMessage(matview)),
         errdetail("Projection %s reads it, which nobody could then.", projection->name),
         errhint("Refresh it with data; or drop the projection, or let it be stale after errors "
                 "(on_error).")));
    pg_unreachable();
}

void Capture(Projection* projection, const Refresh* refresh) {
    bool relevant = false;
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        Source* source = &projection->lineage->sources[i];
        if (source->relid == refresh->matview) {
            relevant = Enqueue(projection, source, {nullptr, refresh}) || relevant;
        }
    }
    if (relevant) {
        LockBaseTables(projection);
    }
}

}  // namespace

void FollowRefresh(const RefreshMatViewStmt* command) {
    // By name, too: the server does not list a command that runs inside another refresh.
    const Oid named = RangeVarGetRelid(command->relation, NoLock, true);
    ListCell* cell;
    foreach (cell, ReadersOfRefreshed(named)) {
        const auto* reader = static_cast<Reader*>(lfirst(cell));
        const Refresh refresh{reader->matview, command->concurrent};
        Projection* projection = OpenWatched(reader->id);
        if (projection == nullptr) {
            CompleteByRefresh(reader->id, reader->matview);
        } else if (command->skipData && !MayFail(projection)) {
            RefuseWithoutData(projection, reader->matview);
        } else {
            Capture(projection, &refresh);
        }
    }
    Flush();
}

}  // namespace freshcrm::projection
