// The SQL functions of what is followed after the transaction: modes async and on_error stale.
#include "pg/entry.hpp"
#include "projection/drain.hpp"
#include "projection/wait.hpp"

extern "C" {
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

using namespace freshcrm::projection;

FRESHCRM_FUNCTION(freshcrm_drain) {
    const bool atomic = fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
                        castNode(CallContext, fcinfo->context)->atomic;
    SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
    Drain(PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0), atomic);
    SPI_finish();
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_wait_for) {
    const auto* timeout = PG_GETARG_INTERVAL_P(1);
    const int64 days = static_cast<int64>(timeout->month) * DAYS_PER_MONTH + timeout->day;
    const int64 microseconds = timeout->time + days * USECS_PER_DAY;
    if (microseconds < 0) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the timeout must not be negative"),
                        errhint("Give an interval such as '5 seconds'; of 0 it does not wait.")));
    }
    PG_RETURN_BOOL(WaitFor(PG_GETARG_OID(0), microseconds));
}
