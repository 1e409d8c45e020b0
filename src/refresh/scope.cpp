#include "refresh/scope.hpp"

#include "pg/names.hpp"

extern "C" {
#include "jit/jit.h"
#include "utils/guc.h"
}

#include <algorithm>
#include <climits>

namespace freshcrm::refresh {

namespace {

void SetForNow(const char* name, const char* value) {
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
}

}  // namespace

pg::OwnerScope BeginAsOwnerOf(Oid matview, int64 lock_timeout) {
    const bool jit = jit_enabled;
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    if (jit) {
        SetForNow("jit", "on");  // the pinned settings are those of small statements
    }
    if (lock_timeout > 0) {
        SetForNow("lock_timeout",
                  psprintf("%d", static_cast<int>(std::min<int64>(lock_timeout, INT_MAX))));
    }
    SetUserIdAndSecContext(pg::OwnerOfRelation(matview),
                           scope.security_context | SECURITY_LOCAL_USERID_CHANGE);
    return scope;
}

}  // namespace freshcrm::refresh
