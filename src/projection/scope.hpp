// The scope of a collection, as SQL gives it: {"owner_user_id": "…", "stage": null}.
#pragma once

#include "projection/collection.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace freshcrm::projection {

// The columns in the view's order.
struct Scope {
    int count;
    ScopeColumn* columns;
    Datum* values;
    bool* nulls;
};

// Converts each value by the input function of its column's type: strings as they are, numbers,
// booleans, objects and arrays in their JSON form; null is NULL. Raises 22023 when it is no object,
// 42703 for a column that the view has not, and what the input functions raise (22P02, 22007, …).
Scope ReadScope(const CollectionSource* source, Jsonb* json);

}  // namespace freshcrm::projection
