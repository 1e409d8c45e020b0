// Projections in a database that is being restored.
//
// Definitions are dumped as rows of freshcrm.projection, and so come with the data: before, between
// or after those of the tables, whose triggers are there already when the schema was restored by
// itself. Were the table kept meanwhile, its own rows would come upon it. So a restored definition
// is not maintained until it is whole (IsRestored()):
//
//     what is restored                         it is whole when
//     schema and data, in any format, by       the last of its triggers is made, which a restore
//       section or in parallel                   does after it has loaded their tables
//     the same, and its view reads             the last of these has been refreshed, which a
//     restore
//       materialized views                       does at its end; all rows are recomputed then
//     the same, but the definition came        that is loaded, and so is the table
//       after the triggers
//     schema, then data --disable-triggers     all its tables are loaded
//     schema, then data                        likewise, if the definition comes last; or else by
//                                                verify_projection(…, repair => true)
//
// Tables count as loaded when they have rows and nobody is writing; where one is empty, when the
// projection has rows and equals its view. Where the two can be compared, they must be equal
// anyway.
//
// Until then writes to its tables pass and leave it as it is, with a warning, and its state in
// freshcrm.projections is "restored". The same goes for triggers whose definition is not there at
// all, but that only the warning shows these.
#pragma once

#include "projection/definition.hpp"
#include "projection/lineage.hpp"

namespace freshcrm::projection {

// For the end of a DDL command that affects a restored projection: it becomes whole when the
// restore is complete.
void FollowRestore(const Definition* definition);

// For the end of CREATE TRIGGER: a parallel restore may be loading the definition meanwhile. Either
// waits for it, or keeps it from being loaded before the trigger is there to be seen.
void WaitForDefinitions();

// For a row of freshcrm.projection that a restore has loaded, maybe as the last of all rows.
void FollowLoad(int32 id);

// For the end of a REFRESH that projection `id` does not follow: the last thing that a restore
// does, which completes it, with all rows recomputed. It stays as it was where the restore is not
// over, and, with a warning, after an error.
void CompleteByRefresh(int32 id, Oid matview);

// For a write to `table` that projection `id` does not follow: warns, once a session.
void LeaveUnmaintained(int32 id, Oid table);

// Waits for those who have written to its base tables and keeps others from writing to them. To be
// called within SPI.
void WaitForWriters(const Definition* definition);

}  // namespace freshcrm::projection
