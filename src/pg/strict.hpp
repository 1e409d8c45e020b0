// What a condition says about NULL, by the planner's own reasoning (optimizer/util/clauses.c).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/sysattr.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
}

namespace freshcrm::pg {

// A copy in which columns of joins are what they stand for.
inline Node* FlattenJoinColumns(Query* query, Node* node) {
#if PG_VERSION_NUM < 160000
    return flatten_join_alias_vars(query, node);
#else
    return flatten_join_alias_vars(nullptr, query, node);
#endif
}

// The columns of the range table entry that are not NULL where all of these conditions hold.
inline Bitmapset* NotNullColumns(List* conditions, int rtindex) {
    Bitmapset* columns = nullptr;
    List* found = find_nonnullable_vars(reinterpret_cast<Node*>(conditions));
#if PG_VERSION_NUM < 160000
    ListCell* cell;
    foreach (cell, found) {
        const auto* var = static_cast<Var*>(lfirst(cell));
        if (static_cast<int>(var->varno) == rtindex && var->varattno > 0) {
            columns = bms_add_member(columns, var->varattno);
        }
    }
#else
    const auto* offset =
        rtindex < list_length(found) ? static_cast<Bitmapset*>(list_nth(found, rtindex)) : nullptr;
    for (int i = -1; (i = bms_next_member(offset, i)) >= 0;) {
        if (i + FirstLowInvalidHeapAttributeNumber > 0) {
            columns = bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
        }
    }
#endif
    return columns;
}

}  // namespace freshcrm::pg
