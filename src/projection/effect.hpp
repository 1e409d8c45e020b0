// What a change of a base table can do to the rows of a view that it affects.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/bitmapset.h"
}

namespace freshcrm::projection {

// Nothing, made of zeros. A view column is named by its attribute number.
struct Effect {
    bool whole;          // which rows there are, or their keys; or it is not known what
    Bitmapset* columns;  // else the values of these columns and no others
};

inline constexpr Effect kWholeRow{true, nullptr};

inline bool Includes(const Effect& all, const Effect& part) {
    return all.whole || (!part.whole && bms_is_subset(part.columns, all.columns));
}

// What is added to the set is allocated in `context`, where the set must be, too.
inline void AddEffect(Effect* all, const Effect& part, MemoryContext context) {
    if (!Includes(*all, part)) {
        MemoryContext caller = MemoryContextSwitchTo(context);
        all->whole = part.whole;
        all->columns = bms_add_members(all->columns, part.columns);
        MemoryContextSwitchTo(caller);
    }
}

}  // namespace freshcrm::projection
