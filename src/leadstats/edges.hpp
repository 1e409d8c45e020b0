// Tables of edges (core/edge_table.hpp) as values of type bytea.
#pragma once

#include "core/edge_table.hpp"
#include "pg/error.hpp"

extern "C" {
#include "utils/uuid.h"
}

namespace freshcrm::leadstats {

// Slots are where integers of four bytes are, as those of a bytea in a row may be.
struct EdgeBytes {
    std::int32_t header;  // of a varlena
    core::EdgeSlot slots[FLEXIBLE_ARRAY_MEMBER];
};
static_assert(alignof(core::EdgeSlot) == 4);

inline std::size_t EdgeBytesSize(std::size_t slots) {
    return offsetof(EdgeBytes, slots) + slots * sizeof(core::EdgeSlot);
}

inline std::span<core::EdgeSlot> EdgeSlots(EdgeBytes* table) {
    return {table->slots, (VARSIZE(table) - offsetof(EdgeBytes, slots)) / sizeof(core::EdgeSlot)};
}

// Of a value of any origin. Raises 22P03 for what is no table.
inline std::span<const core::EdgeSlot> CheckedEdgeSlots(EdgeBytes* table) {
    const std::span<core::EdgeSlot> slots = EdgeSlots(table);
    if (VARSIZE(table) != EdgeBytesSize(slots.size()) || !core::IsEdgeTable(slots.size())) {
        throw pg::Error(ERRCODE_INVALID_BINARY_REPRESENTATION, "invalid table of edges")
            .Hint("Such tables are made by freshcrm.event_rollup_edges() alone.");
    }
    return slots;
}

inline core::LeadKey LeadKeyOf(const pg_uuid_t* lead) {
    core::LeadKey key;
    static_assert(sizeof(key) == UUID_LEN);
    std::memcpy(key.data(), lead->data, UUID_LEN);
    return key;
}

}  // namespace freshcrm::leadstats
