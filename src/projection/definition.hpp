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
    List* keys;  // the key columns' names, in the view and in the target: C strings
    const char* mode;
    const char* on_error;
    Datum options;  // jsonb
    bool target_adopted;
    List* fallback_tables;  // OIDs, see FallbackTables()
};

// The names of a name[] as C strings; empty when one is NULL.
List* NameList(ArrayType* array);

// Both return null when there is none; the result is in the current memory context.
Definition* FindDefinition(int32 id);
Definition* FindDefinitionOf(Oid target);

// The ids of the definitions whose view or target is gone, as a list of integers; none when the
// table of definitions itself is gone.
List* DanglingDefinitions();

// Returns the id of the new row.
int32 AddDefinition(const Definition& definition);
void RemoveDefinition(int32 id);

}  // namespace freshcrm::projection
