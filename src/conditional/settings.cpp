#include "conditional/settings.hpp"

#include "pg/postgres.hpp"

extern "C" {
#include "utils/guc.h"
}

namespace freshcrm::conditional {

namespace {

enum Dialect : int { kAuto, kPostgrest, kPlain };

constexpr config_enum_entry kDialects[] = {
    {"auto", kAuto, false}, {"postgrest", kPostgrest, false}, {"plain", kPlain, false}, {}};

int dialect = kAuto;

}  // namespace

bool SpeaksPostgrest() {
    if (dialect != kAuto) {
        return dialect == kPostgrest;
    }
    const char* method = GetConfigOption("request.method", true, false);
    return method != nullptr && *method != '\0';
}

void InitSettings() {
    DefineCustomEnumVariable(
        "freshcrm.http_dialect", "The form in which HTTP responses are raised as errors.",
        "postgrest: SQLSTATE PGRST with message and detail as PostgREST reads them; plain: FC and "
        "the status, such as FC412, with the same detail; auto: postgrest in a request of it.",
        &dialect, kAuto, kDialects, PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

}  // namespace freshcrm::conditional
