// SQL: freshcrm.next_runs(cron, timezone, n, after).
#include "pg/entry.hpp"
#include "refresh/clocks.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
}

using namespace freshcrm::refresh;
namespace core = freshcrm::core;
namespace pg = freshcrm::pg;

namespace {

constexpr int32 kMostRuns = 10000;
constexpr std::int64_t kEpoch =
    static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

core::CronSchedule ReadSchedule(const text* cron) {
    const std::string_view fields(VARDATA_ANY(cron), VARSIZE_ANY_EXHDR(cron));
    try {
        return core::ParseCron(fields);
    } catch (const core::CronError& error) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                        std::string("invalid schedule: ") + error.what())
            .Detail("The schedule is \"" + std::string(fields) + "\".")
            .Hint(error.hint);
    }
}

// In whole seconds since 1970, rounded down.
std::int64_t SecondOf(TimestampTz time) {
    const std::int64_t second = time / USECS_PER_SEC;
    return second - (time % USECS_PER_SEC < 0 ? 1 : 0) + kEpoch;
}

}  // namespace

// cron, timezone, n, after
FRESHCRM_FUNCTION(freshcrm_next_runs) {
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3)) {
        return Datum{0};
    }
    const core::CronSchedule schedule = ReadSchedule(PG_GETARG_TEXT_PP(0));
    const ZoneClocks clocks(PG_ARGISNULL(1) ? session_timezone
                                            : FindZone(text_to_cstring(PG_GETARG_TEXT_PP(1))));
    const int32 n = PG_GETARG_INT32(2);
    if (n < 0 || n > kMostRuns) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"n\" is out of range: %d", n),
                        errhint("Ask for 0 to %d times.", kMostRuns)));
    }
    const TimestampTz after = PG_GETARG_TIMESTAMPTZ(3);
    if (TIMESTAMP_NOT_FINITE(after)) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"after\" must be finite"),
                        errhint("Give the time after which the first run is wanted.")));
    }
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    std::int64_t last = SecondOf(after);
    for (int32 i = 0; i < n; ++i) {
        CHECK_FOR_INTERRUPTS();
        const std::optional<std::int64_t> run = core::NextRun(schedule, clocks, last);
        if (!run || *run - kEpoch >= END_TIMESTAMP / USECS_PER_SEC) {
            break;
        }
        last = *run;
        Datum value = TimestampTzGetDatum((last - kEpoch) * USECS_PER_SEC);
        bool isnull = false;
        tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
    }
    return Datum{0};
}
