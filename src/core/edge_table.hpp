// Events in the edges of two cutoffs (event_rollup_stats.hpp), counted by lead: a hash table in one
// piece of memory, so that all those of a user are counted by one pass over them, and those of a
// lead are found without a query.
//
// The memory is the caller's. Whatever is in it, functions here stay within it and end.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/event_rollup_stats.hpp"

namespace freshcrm::core {

using LeadKey = std::array<std::uint8_t, 16>;

struct EdgeSlot {
    LeadKey lead;
    // Inbound and outbound events in the windows of the first cutoff, and in those of the second.
    // All 0: the slot is free.
    std::uint32_t counts[4];

    bool IsFree() const { return (counts[0] | counts[1] | counts[2] | counts[3]) == 0; }
};
static_assert(sizeof(EdgeSlot) == 32);

inline constexpr std::size_t kFewestEdgeSlots = 16;

// Their number is a power of 2.
inline bool IsEdgeTable(std::size_t slots) {
    return slots >= kFewestEdgeSlots && (slots & (slots - 1)) == 0;
}

// The slot of the lead, or the one where it would be: the first free one, or none when there is
// none.
template <typename Slot>
Slot* FindEdgeSlot(std::span<Slot> slots, const LeadKey& lead) {
    std::uint64_t half[2];
    std::memcpy(half, lead.data(), sizeof(half));
    // Multiplied into 128 bits, whose halves are added: as in wyhash.
    const auto product = static_cast<unsigned __int128>(half[0] ^ 0x9e3779b97f4a7c15) *
                         (half[1] ^ 0xd6e8feb86659fd93);
    std::uint64_t at =
        static_cast<std::uint64_t>(product) + static_cast<std::uint64_t>(product >> 64);
    for (std::size_t tried = 0; tried < slots.size(); ++tried, ++at) {
        Slot& slot = slots[at & (slots.size() - 1)];
        if (slot.lead == lead || slot.IsFree()) {
            return &slot;
        }
    }
    return nullptr;
}

// A lead that is all zeros is found in a free slot as in its own.
inline EdgeCounts EdgesOf(std::span<const EdgeSlot> slots, const LeadKey& lead) {
    const EdgeSlot* slot = FindEdgeSlot(slots, lead);
    if (slot == nullptr || slot->IsFree()) {
        return {};
    }
    return {{slot->counts[0], slot->counts[2]}, {slot->counts[1], slot->counts[3]}};
}

// Into a larger table, of free slots.
inline void CopyEdges(std::span<const EdgeSlot> from, std::span<EdgeSlot> to) {
    for (const EdgeSlot& slot : from) {
        if (!slot.IsFree()) {
            *FindEdgeSlot(to, slot.lead) = slot;
        }
    }
}

}  // namespace freshcrm::core
