// One statement REFRESH MATERIALIZED VIEW, and what becomes of it.
#pragma once

#include "refresh/mode.hpp"
#include "refresh/refresh.hpp"
#include "refresh/registered.hpp"

namespace freshcrm::refresh {

// Refreshes the view in a subtransaction, as its owner, within the time limits; what it then shows
// is recorded. An error is the outcome kFailed and a warning, but for that of a statement that is
// cancelled and what an administrator does, which are raised.
Outcome RunRefresh(Oid matview, Mode mode, const Registered* limits);

// Whether this backend is in the middle of it: then a REFRESH is not one that somebody typed.
bool IsRunning(Oid matview);

}  // namespace freshcrm::refresh
