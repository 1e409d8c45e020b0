#include "refresh/refresh.hpp"
#include "refresh/registered.hpp"
#include "refresh/run.hpp"
#include "refresh/unchanged.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace freshcrm::refresh {

namespace {

// The view that the command at hand has refreshed.
Oid RefreshedView() {
    bool isnull;
    Oid matview = InvalidOid;
    SPI_connect();
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SPI_execute(
        "SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass",
        false, 1);
    if (SPI_processed > 0) {
        matview = DatumGetObjectId(
            SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
    }
    pg::EndAsOwner(scope);
    SPI_finish();
    return matview;
}

}  // namespace

// Its snapshot is older than its lock, and what it now shows may be older than what the last
// refresh of ours has shown.
void FollowRefresh() {
    const Oid matview = RefreshedView();
    if (!OidIsValid(matview) || IsRunning(matview)) {
        return;
    }
    NoteRefreshed(matview);
    if (FindRegistered(matview) == nullptr) {
        return;
    }
    ForgetSeen(matview);
    RecordRun(matview, 0, "statement", GetCurrentStatementStartTimestamp(),
              {.status = Status::kRefreshed});
}

void ForgetDropped() {
    static pg::KeptStatement forget = {
        "WITH dropped AS (SELECT objid FROM pg_event_trigger_dropped_objects() "
        "WHERE object_type = 'materialized view'), "
        "state AS (DELETE FROM freshcrm.matview_state WHERE matview IN (TABLE dropped)), "
        "history AS (DELETE FROM freshcrm.refresh_history WHERE matview IN (TABLE dropped)) "
        "DELETE FROM freshcrm.matview WHERE matview IN (TABLE dropped)",
        0,
        {},
        nullptr};
    pg::RunKept(&forget, OwnerOfTables(), nullptr, nullptr, false, [] {});
}

}  // namespace freshcrm::refresh
