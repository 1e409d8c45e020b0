// Backfill: fills the table of a new projection while its base tables are written to.
//
// The view is read in one snapshot and written to the target, which takes long. What was written to
// the base tables in the meantime is then read from their heaps (pg/heap_changes.hpp) and followed
// as if triggers had seen it, in rounds that get shorter; the last one with writers locked out. A
// transaction that has written and does not end is waited for without making others wait behind the
// build.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

// Makes the target equal the view, with all keys locked. On return no one else can write to the
// base tables until the end of the transaction. Tables of another access method than heap are
// locked from the start. Raises what recompute raises. Within SPI, as the owner.
void Backfill(Projection* projection);

}  // namespace freshcrm::projection
