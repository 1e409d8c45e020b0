// Build: makes a projection and takes it away again.
#pragma once

#include "projection/projection.hpp"

namespace freshcrm::projection {

struct Request {
    Oid source;
    List* keys;          // names
    const char* target;  // null: <source>_hot
    const char* mode;
    const char* on_error;
    Datum options;  // jsonb (options.hpp)
    bool source_made;
};

// Makes the view <target>_source of a query, a single SELECT, as CREATE VIEW would in the caller's
// session; returns it. Raises 22023, and what CREATE VIEW raises.
Oid CreateSource(const char* query, const char* target);

// Makes the target beside the view (or adopts the table that is there), fills it and installs
// capture. Acts as the current user, who must own the view and have SELECT and TRIGGER on its
// tables. Writers of the base tables wait from the end of the fill to the end of the transaction.
// Returns the target. Raises
// 42501, 42809, 42703, 42701 (a view column with a bookkeeping name), 42P07 (a table with other
// columns in the target's place), 42710 (a projection in its place), 55000 (no unique index on an
// adopted table's key), 22023 (options), 0A000 (not traced, or a mode of a later version), 21000,
// 23502.
Oid CreateProjection(const Request& request);

// What must hold of the tables that the view reads, also after a change of it. Raise 42501 (the
// current user lacks SELECT, or TRIGGER, for which partitions count too: trigger_rights.hpp), 42P17
// (the target is among them, or among those of a projection among them).
void CheckSourcePrivileges(const Lineage* lineage);
void CheckNoCycle(const Lineage* lineage, Oid target);

// Drops triggers and definition, the target unless it was adopted or is to be kept, and the view
// when it was made of a query, unless another projection of it is there: it goes with that then.
// The current user must own the target. Raises 42501, 42704, 2BP01 (other objects depend on the
// target).
void DropProjection(Oid target, bool keep_table);

// Takes away the triggers and definitions of projections whose view or target has been dropped.
void ForgetDropped();

}  // namespace freshcrm::projection
