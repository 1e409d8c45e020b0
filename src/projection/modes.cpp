#include "projection/modes.hpp"

namespace freshcrm::projection {

namespace {

[[noreturn]] void RaiseUnknown(const char* what, const char* value, bool later,
                               const char* supported) {
    ereport(ERROR,
            (errcode(later ? ERRCODE_FEATURE_NOT_SUPPORTED : ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("%s \"%s\" %s", what, value,
                    later ? "is not available in this version" : "does not exist"),
             errhint("Use %s.", supported)));
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
    RaiseUnknown("maintenance mode", name, strcmp(name, "async") == 0,
                 R"("immediate" or "commit")");
}

void CheckErrorPolicy(const char* name) {
    if (strcmp(name, "abort") != 0) {
        RaiseUnknown("error policy", name, strcmp(name, "stale") == 0, "\"abort\"");
    }
}

}  // namespace freshcrm::projection
