#include "pg/spi.hpp"

#include "pg/entry.hpp"

extern "C" {
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::pg {

namespace {

struct HandlerReceiver {
    DestReceiver receiver;  // first: the executor sees only this
    RowHandler handler;
};

const RowHandler& HandlerOf(DestReceiver* self) {
    return reinterpret_cast<HandlerReceiver*>(self)->handler;
}

void StartRows(DestReceiver* self, int, TupleDesc desc) {
    const RowHandler& handler = HandlerOf(self);
    if (handler.columns != nullptr) {
        Enter([&] { handler.columns(handler.arg, desc); });
    }
}

bool ReceiveRow(TupleTableSlot* slot, DestReceiver* self) {
    const RowHandler& handler = HandlerOf(self);
    Enter([&] { handler.row(handler.arg, slot); });
    return true;
}

void EndRows(DestReceiver*) {}

ParamListInfo Parameters(SPIPlanPtr plan, const Datum* values) {
    const int count = SPI_getargcount(plan);
    if (count == 0) {
        return nullptr;
    }
    ParamListInfo params = makeParamList(count);
    for (int i = 0; i < count; ++i) {
        params->params[i] = {values[i], false, PARAM_FLAG_CONST, SPI_getargtypeid(plan, i)};
    }
    return params;
}

}  // namespace

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
    AcceptInvalidationMessages();
    PushActiveSnapshot(IsolationUsesXactSnapshot() ? GetLatestSnapshot()
                                                   : GetTransactionSnapshot());
}

Snapshot RegisterFreshSnapshot() {
    PushFreshSnapshot();
    Snapshot snapshot = RegisterSnapshot(GetActiveSnapshot());
    PopActiveSnapshot();
    return snapshot;
}

void Select(SPIPlanPtr plan, Datum* values, const char* nulls) {
    const int result = SPI_execute_plan(plan, values, nulls, true, 0);
    if (result != SPI_OK_SELECT) {
        elog(ERROR, "unexpected SPI result: %s", SPI_result_code_string(result));
    }
}

void SelectEach(SPIPlanPtr plan, Datum* values, const RowHandler& handler) {
    HandlerReceiver receiver{};
    receiver.receiver.receiveSlot = ReceiveRow;
    receiver.receiver.rStartup = StartRows;
    receiver.receiver.rShutdown = EndRows;
    receiver.receiver.rDestroy = EndRows;
    // Any but those that SPI treats specially.
    receiver.receiver.mydest = DestTuplestore;
    receiver.handler = handler;
    SPIExecuteOptions options{};
    options.params = Parameters(plan, values);
    options.read_only = true;
    options.dest = &receiver.receiver;
    const int result = SPI_execute_plan_extended(plan, &options);
    if (result != SPI_OK_SELECT) {
        elog(ERROR, "unexpected SPI result: %s", SPI_result_code_string(result));
    }
}

void RunUtility(const char* sql) {
    const int result = SPI_execute(sql, false, 0);
    if (result != SPI_OK_UTILITY) {
        elog(ERROR, "could not run %s: %s", sql, SPI_result_code_string(result));
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
