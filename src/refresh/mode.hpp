// How a materialized view is best refreshed.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

enum class Mode { kConcurrently, kPlain };

Mode ChooseMode(Oid matview, const char** why);

}  // namespace freshcrm::refresh
