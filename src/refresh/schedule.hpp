// Who may register a materialized view: its owner, and members of the role that is. The tables of
// schedules belong to the extension's owner, as whom the rest is done (sql/schedule.sql).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "fmgr.h"
}

namespace freshcrm::refresh {

// The arguments of freshcrm.schedule(), some of them null; in place of a time zone that is null,
// that of the session is kept. Returns the job's name. Raises 22004 without a view, 42P01, 42809
// where it is no materialized view, 42501, and what store_schedule() raises.
Datum Schedule(const NullableDatum* arguments);

// Whether the view was registered. Raises 42501.
bool Unschedule(Oid matview);

// The same for the job of this name; where there is none, for the registered view that the name is
// for this session.
bool UnscheduleJob(text* name);

}  // namespace freshcrm::refresh
