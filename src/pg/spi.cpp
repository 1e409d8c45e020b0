#include "pg/spi.hpp"

extern "C" {
#include "utils/snapmgr.h"
}

namespace freshcrm::pg {

SPIPlanPtr PrepareKept(const char* sql, int nargs, Oid* argtypes, MemoryContext owner) {
    // Allocated first: nothing may fail between keeping the plan and registering who frees it.
    auto* callback = static_cast<MemoryContextCallback*>(
        MemoryContextAllocZero(owner, sizeof(MemoryContextCallback)));
    SPIPlanPtr plan = SPI_prepare_cursor(sql, nargs, argtypes, CURSOR_OPT_GENERIC_PLAN);
    if (plan == nullptr) {
        elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
    }
    SPI_keepplan(plan);
    callback->func = [](void* kept) { SPI_freeplan(static_cast<SPIPlanPtr>(kept)); };
    callback->arg = plan;
    MemoryContextRegisterResetCallback(owner, callback);
    return plan;
}

void PushFreshSnapshot() {
    CommandCounterIncrement();
    PushActiveSnapshot(IsolationUsesXactSnapshot() ? GetLatestSnapshot()
                                                   : GetTransactionSnapshot());
}

void Select(SPIPlanPtr plan, Datum* values, const char* nulls) {
    const int result = SPI_execute_plan(plan, values, nulls, true, 0);
    if (result != SPI_OK_SELECT) {
        elog(ERROR, "unexpected SPI result: %s", SPI_result_code_string(result));
    }
}

uint64 Modify(SPIPlanPtr plan, Datum* values, const char* nulls) {
    Snapshot snapshot = InvalidSnapshot;
    Snapshot crosscheck = InvalidSnapshot;
    if (IsolationUsesXactSnapshot()) {
        CommandCounterIncrement();
        snapshot = GetLatestSnapshot();
        crosscheck = GetTransactionSnapshot();
    }
    const int result =
        SPI_execute_snapshot(plan, values, nulls, snapshot, crosscheck, false, true, 0);
    // A rule DO INSTEAD has taken its place.
    if (result == SPI_OK_REWRITTEN) {
        return 0;
    }
    if (result != SPI_OK_INSERT && result != SPI_OK_UPDATE && result != SPI_OK_DELETE) {
        elog(ERROR, "unexpected SPI result: %s", SPI_result_code_string(result));
    }
    return SPI_processed;
}

}  // namespace freshcrm::pg
