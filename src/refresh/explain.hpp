// What a materialized view is made of, and what stands in the way of refreshing it only when
// needed, as rows.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace freshcrm::refresh {

// The rows of explain_refresh(): source regclass, kind text, watched boolean, problem text; one for
// each source. A problem is a sentence.
void ExplainSources(Oid matview, ReturnSetInfo* result);

// The rows of refresh_lints(): lint text, message text, hint text.
void LintRefresh(Oid matview, ReturnSetInfo* result);

}  // namespace freshcrm::refresh
