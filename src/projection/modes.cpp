#include "projection/modes.hpp"

namespace freshcrm::projection {

namespace {

[[noreturn]] void RaiseUnknown(const char* what, const char* name, const char* known) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("%s \"%s\" does not exist", what, name), errhint("Use %s.", known)));
    pg_unreachable();
}

}  // namespace

Mode ModeNamed(const char* name) {
    if (strcmp(name, "immediate") == 0) {
        return Mode::kImmediate;
    }
    if (strcmp(name, "commit") == 0) {
        return Mode::kCommit;
    }
    if (strcmp(name, "async") == 0) {
        return Mode::kAsync;
    }
    RaiseUnknown("maintenance mode", name, R"("immediate", "commit" or "async")");
}

OnError ErrorPolicyNamed(const char* name) {
    if (strcmp(name, "abort") == 0) {
        return OnError::kAbort;
    }
    if (strcmp(name, "stale") == 0) {
        return OnError::kStale;
    }
    RaiseUnknown("error policy", name, R"("abort" or "stale")");
}

}  // namespace freshcrm::projection
