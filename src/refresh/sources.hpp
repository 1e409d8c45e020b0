// What a materialized view is made of: the tables whose changes can change it, and all else that
// can.
#pragma once

#include "core/digest.hpp"
#include "pg/postgres.hpp"

namespace freshcrm::refresh {

struct Sources {
    // OIDs in ascending order, each once: the tables that the query and the views in it read, with
    // all their partitions and inheritance children, and with what all of these are partitions or
    // children of, since statements that name it change them; and the materialized views, which are
    // not looked into.
    List* tables;
    // For each of them why its changes cannot be noticed, as a noun phrase, or null.
    List* problems;
    // Why it must be refreshed each time, as a sentence about "it" without a period, or null; and
    // what to do about it.
    const char* never_skipped;
    const char* hint;
    // Of what would change the rows while no table changes: the rules of the view and those in it,
    // the functions of users, the list of tables, whose row-level security is in the way, the
    // labels of enums and those settings that functions and casts in the query depend on.
    core::Sha256Digest definition;
};

// Raises 42809 for what is not a materialized view. Waits for no locks and keeps none. Runs nothing
// of a user's.
//
// The settings are those of the session: to be called under the settings of the refresh, and before
// the snapshot that the refresh reads with is taken. What changes in between then makes the next
// call give another definition, and costs a refresh too many, never one too few.
Sources ReadSources(Oid matview);

}  // namespace freshcrm::refresh
