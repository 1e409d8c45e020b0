// What a statement changed, as the values from which paths to keys start.
#pragma once

#include "projection/keys.hpp"
#include "projection/projection.hpp"

extern "C" {
#include "access/tupconvert.h"
#include "commands/trigger.h"
}

namespace freshcrm::projection {

struct Changes {
    Projection* projection;
    Source* source;
    KeySet* starts;  // one a path: tuples of its starts
    bool null_key;   // a row of the view may have come whose key is NULL
    bool any_row;
    Tuplestorestate* rows;  // the changed rows, old and new, for a user's mapping query; or null

    TupleDesc desc;  // of the source
    TupleConversionMap*
        conversion;  // from the table that the statement names; null: the same shape
    TupleTableSlot* converted_old;
    TupleTableSlot* converted_new;
    ExprContext* expressions;
};

// For a statement that named the table `named`, which is the source or of the same partition tree.
Changes MakeChanges(Projection* projection, Source* source, Relation named, MemoryContext context);

// Reads the trigger's transition tables, or its row. Updates that leave every watched column as it
// was, bit for bit, are left out.
void ReadChanges(Changes* changes, const TriggerData* trigger);

bool AnyChange(const Changes& changes);

void FreeChanges(const Changes& changes);

}  // namespace freshcrm::projection
