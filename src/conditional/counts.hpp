// How requests were answered, counted for each projection and scope, and for all sessions of the
// server.
//
// The counts are in shared memory and need shared_preload_libraries: without it nothing is counted,
// and freshcrm.conditional_stats says so. They begin at 0 when the server starts and are not undone
// by a rollback, which every 412 is.
//
// There are kMostCounters counters. When all are taken, those of tables and databases that are gone
// are given to others; when that gives none, what is left over is counted together, for all
// databases.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::conditional {

inline constexpr int kMostCounters = 512;

// Bytes of a scope's text; of a longer one the beginning is kept, and its SHA-256.
inline constexpr int kMostScope = 160;

struct Counted {
    Oid projection;     // invalid: what is left over
    const char* scope;  // a JSON object
    uint64 ok;
    uint64 not_modified;
    uint64 precondition_failed;
};

// `status` is one of 200, 304 and 412; others are not counted.
void CountResponse(Oid projection, const char* scope, int status);

bool CountsResponses();

// The counters of this database; a list of Counted* in the current context.
List* ReadResponseCounts();

// In the postmaster, when preloaded.
void InitResponseCounts();

}  // namespace freshcrm::conditional
