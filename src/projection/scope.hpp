// The scope of a collection, as SQL gives it: {"owner_user_id": "…", "stage": null}.
#pragma once

#include "projection/collection.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace freshcrm::projection {

struct ScopeColumn {
    int column;  // of the view, from 0
    const char* name;
    AttrNumber attnum;  // in the target
    Oid type;
    int32 typmod;
    Oid collation;
};

// The columns in the view's order.
struct Scope {
    int count;
    ScopeColumn* columns;
    Datum* values;
    bool* nulls;
};

// The scope columns of these numbers, from 0, in ascending order. Raises 55000 when the target has
// lost one.
ScopeColumn* FindScopeColumns(const CollectionSource* source, const int* columns, int count);

// Converts each value by the input function of its column's type: strings as they are, numbers,
// booleans, objects and arrays in their JSON form; null is NULL. Raises 22023 when it is no object,
// 42703 for a column that the view has not, and what the input functions raise (22P02, 22007, …).
Scope ReadScope(const CollectionSource* source, Jsonb* json);

// The number of the view's column of this name in the target, from 0. Raises 42703.
int FindScopeColumn(const CollectionSource* source, const char* name);

}  // namespace freshcrm::projection
