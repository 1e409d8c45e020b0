#include "refresh/settings.hpp"

#include "pg/postgres.hpp"

extern "C" {
#include "utils/guc.h"
}

#include <climits>

namespace freshcrm::refresh {

namespace {

// Read by name, in SQL.
int history_rows = 1000;
int history_days = 30;

}  // namespace

void InitSettings() {
    DefineCustomIntVariable(
        "freshcrm.refresh_history_rows",
        "Sets how many refreshes of a materialized view freshcrm.refresh_history keeps.",
        "freshcrm.tick() removes others, once an hour.", &history_rows, history_rows, 1, INT_MAX,
        PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("freshcrm.refresh_history_days",
                            "Sets for how many days freshcrm.refresh_history keeps a refresh.",
                            "The last one of each registered materialized view is kept for longer.",
                            &history_days, history_days, 1, 36500, PGC_SUSET, 0, nullptr, nullptr,
                            nullptr);
}

}  // namespace freshcrm::refresh
