// What the result of a query depends on beside the rows of tables: functions that are not
// immutable, settings, definitions of functions.
//
// Trusted: that a function says of itself what is true, and that an operator class, a domain and
// what an immutable function calls do not change.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace freshcrm::refresh {

struct Outside {
    // Why the result can change while no row and nothing below does, as a sentence about "it"
    // without a period, and what to do about it; the first reason that was found, or null.
    const char* reason;
    const char* hint;
    uint32 settings;  // which settings the result depends on (settings_read.hpp)
    List* functions;  // the functions that are not the server's own: OIDs, each once
    List* enums;      // the enum types whose labels are read or written: OIDs, each once
};

// The hint for most reasons.
inline constexpr const char* kComputeElsewhere =
    "To have it skipped while its tables stay the same, compute this where the materialized view "
    "is read, for instance in a view over it.";

// Adds what the query calls, with all subqueries that stand in it, to `found`. The views that it
// reads are not looked into. The query may be changed (operators' functions are filled in).
void NoteQuery(Query* query, Outside* found);

// For those who find something by themselves: keeps the first reason.
void NoteReason(Outside* found, const char* reason, const char* hint);

}  // namespace freshcrm::refresh
