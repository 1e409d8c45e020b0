#include "refresh/schedule.hpp"

#include "pg/entry.hpp"

using namespace freshcrm::refresh;

FRESHCRM_FUNCTION(freshcrm_schedule) {
    PG_RETURN_DATUM(Schedule(fcinfo->args));
}

FRESHCRM_FUNCTION(freshcrm_unschedule) {
    PG_RETURN_BOOL(Unschedule(PG_GETARG_OID(0)));
}

FRESHCRM_FUNCTION(freshcrm_unschedule_job) {
    PG_RETURN_BOOL(UnscheduleJob(PG_GETARG_TEXT_PP(0)));
}
