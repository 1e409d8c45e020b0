// What the options of a projection say about base tables whose changes lineage is not to follow.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/pg_list.h"
}

namespace freshcrm::projection {

struct Fallback {
    Oid relid;
    const char* query;  // option mapping: gives the keys (user_mapping.hpp); null: option full,
                        // any change recomputes the whole projection
};

// The one for a table in a list of Fallback*, or null.
inline const Fallback* FindFallback(const List* fallbacks, Oid relid) {
    ListCell* cell;
    foreach (cell, fallbacks) {
        const auto* fallback = static_cast<Fallback*>(lfirst(cell));
        if (fallback->relid == relid) {
            return fallback;
        }
    }
    return nullptr;
}

}  // namespace freshcrm::projection
