// Scores between the server's values and core/scoring.hpp.
#pragma once

#include "core/scoring.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "utils/numeric.h"
}

namespace freshcrm::leadstats {

// Reads a freshcrm.lead_event_stats, of which CheckStatsType() has been asked; null is none. `now`
// and `status` are left alone. 22023 for a negative count.
void ReadStatistics(HeapTupleHeader stats, core::LeadFacts* facts);

// 22023 when it is negative; `name` is that of an argument.
core::Count CheckedCount(std::int64_t count, const char* name);

// Points, core::kPointUnits, with two decimals.
Numeric PointsAsNumeric(std::int32_t points);

// A jsonb, an object of the factors by name ({"value", "weight", "points"}), of which the weight is
// the share of all weights, and under "unknown" an array of names of what is not known.
Datum FactorsAsJson(const core::LeadScore& score);

}  // namespace freshcrm::leadstats
