// A limit for a part of a statement: statement_timeout counts from the beginning of what the client
// sent, and changing it meanwhile changes nothing.
//
//     const TimeLimit limit = StartTimeLimit(milliseconds);
//     … is cancelled with 57014 once the time is up …
//     StopTimeLimit();
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::refresh {

// At most one at a time; 0 is no limit.
void StartTimeLimit(int64 milliseconds);

// To be called when the part has ended, however it did. Returns whether its time was up.
bool StopTimeLimit();

}  // namespace freshcrm::refresh
