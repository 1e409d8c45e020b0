#include "refresh/run.hpp"

#include "pg/names.hpp"
#include "pg/subtransaction.hpp"
#include "refresh/row_counts.hpp"
#include "refresh/scope.hpp"
#include "refresh/time_limit.hpp"
#include "refresh/unchanged.hpp"

extern "C" {
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::refresh {

namespace {

Oid running = InvalidOid;

// What an operator or the client wants to end, and what ends the session. The time limit cancels,
// too.
bool IsFailure(int sqlstate, bool time_is_up) {
    return time_is_up ||
           ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED);
}

int64 CountRows(Oid matview) {
    bool isnull;
    SPI_connect();
    SPI_execute(psprintf("SELECT count(*) FROM %s", pg::QualifiedRelation(matview)), false, 1);
    const int64 rows =
        DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
    SPI_finish();
    return rows;
}

// Within the scope of the owner. Returns the rows that the view has then.
int64 RefreshRows(Oid matview, bool concurrently, RowCounts* rows) {
    const Written before = WrittenSoFar(matview);
    const Snapshot old_rows = RegisterSnapshot(GetLatestSnapshot());
    SPI_connect();
    pg::RunUtility(psprintf("REFRESH MATERIALIZED VIEW %s%s", concurrently ? "CONCURRENTLY " : "",
                            pg::QualifiedRelation(matview)));
    SPI_finish();
    CommandCounterIncrement();
    if (concurrently) {
        *rows = CountChangedRows(matview, before, old_rows);
    } else if (before.known) {
        rows->inserted = WrittenSoFar(matview).inserted - before.inserted;
    }
    UnregisterSnapshot(old_rows);
    return concurrently || !before.known ? CountRows(matview) : rows->inserted;
}

void RefreshOnce(Oid matview, Mode mode, const Registered* limits, RowCounts* rows) {
    const bool concurrently = mode == Mode::kConcurrently;
    const pg::OwnerScope scope = BeginAsOwnerOf(matview, limits->lock_timeout);
    // First, so that what is read below is read after the wait.
    LockRelationOid(matview, concurrently ? ExclusiveLock : AccessExclusiveLock);
    const Seen seen = LookBeforeRefresh(matview);
    const int64 rows_now = RefreshRows(matview, concurrently, rows);
    pg::EndAsOwner(scope);
    RecordRefreshed(matview, seen, rows_now);
    if (!concurrently || rows->inserted != 0 || rows->updated != 0 || rows->deleted != 0) {
        NoteRefreshed(matview);
    }
}

Outcome Failed(const pg::Failure& failure, bool time_is_up, const Registered* limits) {
    Outcome outcome{};
    outcome.status = Status::kFailed;
    outcome.sqlstate = failure.sqlstate;
    outcome.error = time_is_up
                        ? psprintf("took longer than its statement_timeout of " INT64_FORMAT " ms",
                                   limits->statement_timeout)
                        : pstrdup(failure.message);
    return outcome;
}

}  // namespace

bool IsRunning(Oid matview) {
    return running == matview;
}

Outcome RunRefresh(Oid matview, Mode mode, const Registered* limits) {
    RowCounts rows{};
    pg::Failure failure{};
    bool time_is_up = false;
    bool done = false;
    const Oid outer = running;
    running = matview;
    StartTimeLimit(limits->statement_timeout);
    // An error that is raised again is to leave nothing behind, either.
    try {
        pg::Call([&] {
            done = pg::InSubtransaction(
                [&](const pg::ServerError& error) {
                    time_is_up = StopTimeLimit();
                    failure.sqlstate = error.sqlstate();
                    strlcpy(failure.message, error.what(), sizeof(failure.message));
                    return IsFailure(error.sqlstate(), time_is_up);
                },
                [&] { RefreshOnce(matview, mode, limits, &rows); });
        });
    } catch (...) {
        StopTimeLimit();
        running = outer;
        throw;
    }
    StopTimeLimit();
    running = outer;
    Outcome outcome = done ? Outcome{} : Failed(failure, time_is_up, limits);
    outcome.mode = mode == Mode::kConcurrently ? "concurrently" : "plain";
    if (done) {
        outcome.rows = rows;
    }
    return outcome;
}

}  // namespace freshcrm::refresh
