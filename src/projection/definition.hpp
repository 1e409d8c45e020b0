// Rows of freshcrm.projection, the table that says which projections there are.
//
// It is read and written as its owner, whatever the rights of the session's user, and always in its
// latest state: a trigger can fire in a transaction whose snapshot is older than the projection.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/array.h"
}

namespace freshcrm::projection {

struct Definition {
    int32 id;  // given by AddDefinition()
    Oid target;
    Oid source;
    List* keys;  // the key columns' names in the target: C strings
    const char* mode;
    const char* on_error;
    Datum options;  // jsonb
    bool target_adopted;
    List* columns;          // the target's column for each of the view's, in its order: C strings
    Oid whole;              // the target when its triggers were last complete, see IsWhole()
    const char* problem;    // why the target may be out of date, or null
    List* fallback_tables;  // OIDs, see FallbackTables()
    bool source_made;       // the view is ours, made of a query
};

// Not while its triggers are being made: by freshcrm (`whole` is invalid then), or one by one by a
// restore, in which the target gets another OID than the one that was dumped. DDL is not followed
// until they are complete.
inline bool IsWhole(const Definition* definition) {
    return definition->whole == definition->target;
}

// A value of `whole`, and the OID of no table: rows of its tables were written before.
inline constexpr Oid kWrittenWhileRestored = 1;

// In a restored database, until the restore is seen to be complete (restored.hpp).
inline bool IsRestored(const Definition* definition) {
    return OidIsValid(definition->whole) && !IsWhole(definition);
}

// The table freshcrm.projection; invalid when it does not exist.
Oid DefinitionTable();

Datum OidArray(const List* oids);

// Who may read and write the table; invalid when there is none.
Oid OwnerOfDefinitions();

// False when there is certainly no definition; costs next to nothing.
bool HasDefinitions();

// The names of a name[] as C strings; empty when one is NULL.
List* NameList(ArrayType* array);

// Both return null when there is none; the result is in the current memory context.
Definition* FindDefinition(int32 id);
Definition* FindDefinitionOf(Oid target);

// Makes a view that was made of a query belong to another projection of it. Returns whether there
// is one.
bool PassOnSource(Oid view);

// The ids of all definitions, as a list of integers.
List* DefinitionIds();

// The ids of the definitions whose view or target is gone, as a list of integers; none when the
// table of definitions itself is gone.
List* DanglingDefinitions();

// Returns the id of the new row.
int32 AddDefinition(const Definition& definition);
void RemoveDefinition(int32 id);

// Changes mode, on_error, options and fallback_tables.
void ChangeDefinition(const Definition& definition);
void SetColumns(int32 id, const List* keys, const List* columns);
void SetWhole(int32 id, Oid whole);
// Makes a restored one whole, if none of its tables was written; returns whether. Waits for who is
// writing that it was.
bool CompleteRestore(int32 id);
void SetProblem(int32 id, const char* problem);  // null: none

}  // namespace freshcrm::projection
