// As whom, and under which settings, a refresh runs.
#pragma once

#include "pg/owner_scope.hpp"

namespace freshcrm::refresh {

// As the view's owner, with a pinned search_path and pinned settings, but not restricted: REFRESH
// makes a temporary table, which a security-restricted operation may not, and runs the query in one
// by itself. `lock_timeout` in ms; 0 is that of the session. Ends with pg::EndAsOwner().
pg::OwnerScope BeginAsOwnerOf(Oid matview, int64 lock_timeout = 0);

}  // namespace freshcrm::refresh
