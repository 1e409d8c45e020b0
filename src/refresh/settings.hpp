// How much of the history of refreshes is kept (sql/tick.sql).
#pragma once

namespace freshcrm::refresh {

void InitSettings();

}  // namespace freshcrm::refresh
