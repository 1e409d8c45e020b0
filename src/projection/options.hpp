// The options of a projection, a jsonb object:
//   trigger_names  object: base table ("schema.table" or "table") → name of its triggers
//   fillfactor     10 to 100, of a target that is made (default 90: updates stay HOT)
//   full           array of base tables: any change recomputes the whole projection
//   mapping        object: base table → query for the keys that its changed rows affect
//                  (user_mapping.hpp)
//   direct_writes  boolean: whether who has the rights may write to the target (default false:
//                  target_guard.hpp)
#pragma once

#include "projection/fallback.hpp"

namespace freshcrm::projection {

// Raises 22023 for an unknown option, a value of the wrong kind and a name in trigger_names that is
// none of `tables`, the view's base tables (a list of OIDs).
void CheckOptions(Datum options, const List* tables);

// The tables that full and mapping name, as a list of OIDs. It is kept beside the options
// (Definition::fallback_tables), so that a table that is renamed stays the one that was named.
// Raises 22023 for what is not as above, no table of the view, or named twice.
List* FallbackTables(Datum options, const List* tables);

// The fallbacks, given the result of FallbackTables(); a list of Fallback*.
List* Fallbacks(Datum options, const List* relids);

bool DirectWritesOption(Datum options);

// The options below are read within SPI.

int FillfactorOption(Datum options);

// The name given for the table's triggers, or null.
const char* TriggerNameOption(Datum options, Oid relid);

}  // namespace freshcrm::projection
