#include "projection/worker.hpp"

#include "pg/entry.hpp"
#include "pg/sleep.hpp"
#include "projection/drain.hpp"
#include "projection/locks.hpp"
#include "projection/own_tables.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/relpath.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PGDLLEXPORT void freshcrm_drain_worker(Datum database);
}

#include <unistd.h>

namespace freshcrm::projection {

namespace {

constexpr int kPollMilliseconds = 200;
constexpr int kIdleMilliseconds = 1000;
constexpr int kSuccessorMilliseconds = 5000;
constexpr int kRestartSeconds = 1;

// What a worker is told besides the database.
struct Assignment {
    TimestampTz not_before;
    Oid tablespace;
};

// ---- In the backends that queue.

bool wake_at_commit = false;
int worker_pid = 0;
bool launch_owed = false;

// At each commit that has queued something.
int RegisteredWorker() {
    static Statement find = {
        "SELECT pid FROM freshcrm.worker WHERE pid IS NOT NULL", 0, {}, nullptr};
    int pid = 0;
    OnOwnTable(&find, nullptr, nullptr, true, [&] {
        bool isnull;
        if (SPI_processed > 0) {
            pid = DatumGetInt32(
                SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
        }
    });
    return pid;
}

PGPROC* ProcessOfWorker(int pid) {
    PGPROC* process = pid != 0 ? BackendPidGetProc(pid) : nullptr;
    return process != nullptr && process->isBackgroundWorker && process->databaseId == MyDatabaseId
               ? process
               : nullptr;
}

// Returns false when all worker processes are in use.
bool Launch(TimestampTz not_before) {
    BackgroundWorker worker{};
    strlcpy(worker.bgw_name, "freshcrm drain", BGW_MAXLEN);
    strlcpy(worker.bgw_type, "freshcrm drain", BGW_MAXLEN);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = kRestartSeconds;
    strlcpy(worker.bgw_library_name, "freshcrm", BGW_MAXLEN);
    strlcpy(worker.bgw_function_name, "freshcrm_drain_worker", BGW_MAXLEN);
    worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
    const Assignment assignment{not_before, MyDatabaseTableSpace};
    static_assert(sizeof(assignment) <= BGW_EXTRALEN);
    memcpy(worker.bgw_extra, &assignment, sizeof(assignment));
    const bool launched = RegisterDynamicBackgroundWorker(&worker, nullptr);
    if (!launched) {
        ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                      errmsg("could not start the worker that keeps projections of mode async"),
                      errhint("Raise max_worker_processes, or CALL freshcrm.drain() regularly.")));
    }
    return launched;
}

// One that has been launched registers itself a moment later. Where none could be, the next
// transaction of this backend tries again, whatever it does.
void LaunchOnce() {
    static TimestampTz tried = 0;
    const TimestampTz now = GetCurrentTimestamp();
    if (TimestampDifferenceExceeds(tried, now, kRestartSeconds * 1000)) {
        tried = now;
        launch_owed = !Launch(0);
    }
}

// ---- In the worker.

enum class Outcome { kWorked, kNothing, kFailed, kUndone, kGone };

// Somebody else was in the way.
bool WillPass(int sqlstate) {
    return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
           sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

// Runs `body` in a transaction; an error is reported to the server's log.
template <typename Body>
bool InTransaction(const char* activity, Body body) {
    pg::PendingError error;
    pgstat_report_activity(STATE_RUNNING, activity);
    bool failed = false;
    try {
        pg::Call([&] {
            SetCurrentStatementStartTimestamp();
            StartTransactionCommand();
            PushActiveSnapshot(GetTransactionSnapshot());
            body();
            PopActiveSnapshot();
            CommitTransactionCommand();
        });
    } catch (...) {
        failed = true;
        error = pg::PendingError::FromCurrentException();
    }
    if (failed) {
        if (!WillPass(error.sqlstate())) {
            error.Warn();
        }
        AbortCurrentTransaction();
    }
    pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, nullptr);
    return !failed;
}

// Settings of the database are made for its users.
void PinSettings() {
    const char* const settings[][2] = {{"default_transaction_isolation", "read committed"},
                                       {"default_transaction_read_only", "off"},
                                       {"default_transaction_deferrable", "off"},
                                       {"statement_timeout", "0"},
                                       // Nor do other projections wait for a lock that one needs.
                                       {"lock_timeout", "250ms"},
                                       {"idle_in_transaction_session_timeout", "0"},
                                       {"idle_session_timeout", "0"},
                                       {"session_replication_role", "origin"},
                                       // It can do its work once more.
                                       {"synchronous_commit", "off"},
                                       // Where there is a deadlock, it gives way to the user.
                                       {"deadlock_timeout", "100ms"}};
    for (const auto& setting : settings) {
        SetConfigOption(setting[0], setting[1], PGC_SUSET, PGC_S_OVERRIDE);
    }
}

// Projections that have something in the queue; it outlives transactions.
struct Round {
    int count;
    int ids[1000];
};

Outcome FindWork(Round* round) {
    Outcome outcome = Outcome::kUndone;
    const bool succeeded = InTransaction("looking for work", [&] {
        if (!OidIsValid(LockQueue())) {
            outcome = Outcome::kGone;
            return;
        }
        const List* ids = QueuedProjections({GetCurrentTimestamp(), false, false});
        round->count = Min(list_length(ids), static_cast<int>(lengthof(round->ids)));
        for (int i = 0; i < round->count; ++i) {
            round->ids[i] = list_nth_int(ids, i);
        }
        outcome = round->count > 0 ? Outcome::kWorked : Outcome::kNothing;
    });
    return succeeded ? outcome : Outcome::kUndone;
}

// Returns false when the transaction was rolled back.
bool DrainOne(int32 id, Drained* drained) {
    return InTransaction("draining", [&] {
        if (OidIsValid(LockQueue())) {
            *drained = DrainBatch(id, {GetCurrentTimestamp(), false, false});
            if (drained->rows > 0 && !drained->failed) {
                HurryRetries(id);
            }
        }
    });
}

// A batch of each projection that has something, by turns. kFailed: some of it cannot be followed
// and was put back; kUndone: a transaction was rolled back.
Outcome DrainRound() {
    Round round{};
    const Outcome found = FindWork(&round);
    if (found != Outcome::kWorked) {
        return found;
    }
    bool undone = false;
    bool failed = false;
    int64 rows = 0;
    for (int i = 0; i < round.count; ++i) {
        Drained drained{};
        undone = !DrainOne(round.ids[i], &drained) || undone;
        failed = failed || drained.failed;
        rows += drained.rows;
    }
    return failed     ? Outcome::kFailed
           : rows > 0 ? Outcome::kWorked
           : undone   ? Outcome::kUndone
                      : Outcome::kNothing;  // somebody else is following them
}

// Writes freshcrm.worker; returns the number of rows.
uint64 WriteWorker(Statement* statement, int argument) {
    Datum value = Int32GetDatum(argument);
    uint64 rows = 0;
    OnOwnTable(statement, &value, nullptr, false, [&] { rows = SPI_processed; });
    return rows;
}

void Register() {
    static Statement add = {
        "WITH gone AS (DELETE FROM freshcrm.worker RETURNING next_start) "
        "INSERT INTO freshcrm.worker (pid, next_start) SELECT $1, pg_catalog.max(next_start) "
        "FROM gone",
        1,
        {INT4OID},
        nullptr};
    (void)WriteWorker(&add, MyProcPid);
}

void Unregister() {
    static Statement take_back = {
        "UPDATE freshcrm.worker SET pid = NULL WHERE pid = $1", 1, {INT4OID}, nullptr};
    (void)WriteWorker(&take_back, MyProcPid);
}

// What failed is tried again by a successor. There is one at a time.
void LeaveToSuccessor(TimestampTz retry) {
    const TimestampTz now = GetCurrentTimestamp();
    const int milliseconds =
        Min(static_cast<int>(TimestampDifferenceMilliseconds(now, retry)), kSuccessorMilliseconds);
    static Statement plan = {
        "UPDATE freshcrm.worker SET next_start = pg_catalog.clock_timestamp() "
        "+ $1 * interval '1 ms' WHERE next_start IS NULL OR next_start < "
        "pg_catalog.clock_timestamp()",
        1,
        {INT4OID},
        nullptr};
    if (WriteWorker(&plan, milliseconds) > 0) {
        (void)Launch(now + static_cast<TimestampTz>(milliseconds) * 1000);
    }
}

// Returns false when there is something to do, or may be in a moment: somebody who queued something
// has not committed yet. While it is registered it may be woken, and must not go.
bool Leave() {
    if (!InTransaction("leaving", [] {
            if (OidIsValid(LockQueue())) {
                Unregister();
            }
        })) {
        return false;
    }
    bool idle = false;
    const bool committed = InTransaction("leaving", [&] {
        const Oid table = LockQueue();
        idle =
            !OidIsValid(table) || (ConditionalLockRelationOid(table, ShareLock) &&
                                   QueuedProjections({GetCurrentTimestamp(), false, false}) == NIL);
        if (!idle) {
            return;
        }
        const TimestampTz retry = OidIsValid(table) ? NextRetry() : 0;
        if (retry != 0) {
            LeaveToSuccessor(retry);
        }
        UnlockWorker();
    });
    if (committed && idle) {
        return true;
    }
    (void)InTransaction("starting", [] {
        if (OidIsValid(LockQueue())) {
            Register();
        }
    });
    return false;
}

void Sleep(int64 milliseconds) {
    pg::Sleep(milliseconds);
    if (ConfigReloadPending) {
        ConfigReloadPending = 0;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

void Work(TimestampTz busy) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        const Outcome outcome = DrainRound();
        const TimestampTz now = GetCurrentTimestamp();
        if (outcome == Outcome::kGone) {
            return;
        }
        if (outcome == Outcome::kWorked) {
            busy = now;
        } else if (outcome != Outcome::kFailed) {
            if (outcome == Outcome::kNothing &&
                TimestampDifferenceExceeds(busy, now, kIdleMilliseconds) && Leave()) {
                return;
            }
            Sleep(kPollMilliseconds);
        }
    }
}

// The postmaster starts a worker anew for as long as it fails, also when its database is gone.
bool DatabaseExists(Oid database, Oid tablespace) {
    char* path = GetDatabasePath(database, tablespace);
    return access(path, F_OK) == 0;
}

void WaitUntil(TimestampTz when) {
    for (TimestampTz now; (now = GetCurrentTimestamp()) < when;) {
        Sleep(Min(TimestampDifferenceMilliseconds(now, when) + 1, 60000));
    }
}

void RunWorker(Oid database) {
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    Assignment assignment;
    memcpy(&assignment, MyBgworkerEntry->bgw_extra, sizeof(assignment));
    WaitUntil(assignment.not_before);
    if (!DatabaseExists(database, assignment.tablespace)) {
        return;
    }
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
    PinSettings();
    bool registered = false;
    const bool started = InTransaction("starting", [&] {
        if (OidIsValid(LockQueue()) && LockWorker()) {
            Register();
            registered = true;
        }
    });
    if (!started) {
        proc_exit(1);  // the postmaster starts it anew: who woke it will not
    }
    if (registered) {
        // A successor finds what it came for, or leaves at once.
        Work(assignment.not_before != 0 ? 0 : GetCurrentTimestamp());
    }
}

}  // namespace

void WakeAtCommit() {
    wake_at_commit = true;
}

bool WakesAtCommit() {
    return wake_at_commit;
}

void PrepareToWake() {
    if (wake_at_commit) {
        PushActiveSnapshot(GetTransactionSnapshot());
        worker_pid = RegisteredWorker();
        PopActiveSnapshot();
    }
}

void Wake() {
    if (!wake_at_commit && !launch_owed) {
        return;
    }
    wake_at_commit = false;
    if (PGPROC* process = ProcessOfWorker(worker_pid)) {
        SetLatch(&process->procLatch);
        launch_owed = false;
    } else {
        LaunchOnce();
    }
}

void ForgetToWake() {
    wake_at_commit = false;
}

void StartWorker() {
    if (ProcessOfWorker(RegisteredWorker()) == nullptr) {
        LaunchOnce();
    }
}

}  // namespace freshcrm::projection

void freshcrm_drain_worker(Datum database) {
    freshcrm::pg::Enter([&] { freshcrm::projection::RunWorker(DatumGetObjectId(database)); });
}
