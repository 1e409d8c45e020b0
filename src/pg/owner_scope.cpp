#include "pg/owner_scope.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "utils/guc.h"
}

#include <cstring>

namespace freshcrm::pg {

namespace {

constexpr const char* kSearchPath = "pg_catalog, pg_temp";

// Setting it costs some microseconds and makes the namespace cache start anew; a nested scope need
// not.
void PinSearchPath() {
    if (namespace_search_path == nullptr || std::strcmp(namespace_search_path, kSearchPath) != 0) {
        (void)set_config_option("search_path", kSearchPath, PGC_USERSET, PGC_S_SESSION,
                                GUC_ACTION_SAVE, true, 0, false);
    }
}

}  // namespace

OwnerScope BeginPinnedSearchPath() {
    OwnerScope scope{};
    GetUserIdAndSecContext(&scope.user, &scope.security_context);
    scope.guc_nest_level = NewGUCNestLevel();
    PinSearchPath();
    return scope;
}

OwnerScope BeginAsOwner(Oid owner) {
    const OwnerScope scope = BeginPinnedSearchPath();
    SetUserIdAndSecContext(owner, scope.security_context | SECURITY_RESTRICTED_OPERATION);
    return scope;
}

void EndAsOwner(const OwnerScope& scope) {
    AtEOXact_GUC(false, scope.guc_nest_level);
    SetUserIdAndSecContext(scope.user, scope.security_context);
}

}  // namespace freshcrm::pg
