#include "core/edge_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace freshcrm::core {
namespace {

using Table = std::vector<EdgeSlot>;

LeadKey Lead(std::uint64_t first, std::uint64_t second) {
    LeadKey lead;
    std::memcpy(lead.data(), &first, sizeof(first));
    std::memcpy(lead.data() + sizeof(first), &second, sizeof(second));
    return lead;
}

TEST(EdgeTable, KnowsHowManySlotsATableHas) {
    EXPECT_TRUE(IsEdgeTable(kFewestEdgeSlots));
    EXPECT_TRUE(IsEdgeTable(1024));
    for (const std::size_t slots : {0, 1, 8, 17, 48}) {
        EXPECT_FALSE(IsEdgeTable(slots)) << slots;
    }
}

// Leads that differ in few bits, as those of a sequence do, and a lead of zeros.
TEST(EdgeTable, FindsWhatWasPutThere) {
    std::mt19937_64 random(1);
    Table table(kFewestEdgeSlots);
    std::map<LeadKey, EdgeSlot> expected;
    for (std::uint64_t n = 0; n < 5000; ++n) {
        const LeadKey lead = n % 3 == 0   ? Lead(0, n / 3)
                             : n % 3 == 1 ? Lead(n, 7)
                                          : Lead(random(), random());
        if (4 * expected.size() >= 3 * table.size()) {
            Table larger(2 * table.size());
            CopyEdges(table, larger);
            table.swap(larger);
        }
        EdgeSlot* slot = FindEdgeSlot(std::span(table), lead);
        ASSERT_NE(slot, nullptr);
        ASSERT_EQ(slot->IsFree(), !expected.contains(lead));
        slot->lead = lead;
        ++slot->counts[n % 4];
        expected[lead] = *slot;
    }
    for (const auto& [lead, slot] : expected) {
        const EdgeCounts counts = EdgesOf(table, lead);
        EXPECT_EQ(counts.inbound, (std::array<std::int64_t, 2>{slot.counts[0], slot.counts[2]}));
        EXPECT_EQ(counts.outbound, (std::array<std::int64_t, 2>{slot.counts[1], slot.counts[3]}));
    }
    const EdgeCounts none = EdgesOf(table, Lead(1, 2));
    EXPECT_EQ(none.inbound, (std::array<std::int64_t, 2>{}));
    EXPECT_EQ(none.outbound, (std::array<std::int64_t, 2>{}));
}

TEST(EdgeTable, OfZerosIsFoundWhereItIsKept) {
    Table table(kFewestEdgeSlots);
    EXPECT_EQ(EdgesOf(table, LeadKey{}).inbound[0], 0);
    FindEdgeSlot(std::span(table), LeadKey{})->counts[0] = 5;
    EXPECT_EQ(EdgesOf(table, LeadKey{}).inbound[0], 5);
}

TEST(EdgeTable, SearchOfAFullTableEnds) {
    Table table(kFewestEdgeSlots);
    for (std::size_t i = 0; i < table.size(); ++i) {
        table[i] = {Lead(1, i), {1, 0, 0, 0}};
    }
    EXPECT_EQ(FindEdgeSlot(std::span(table), Lead(2, 0)), nullptr);
    EXPECT_EQ(EdgesOf(table, Lead(2, 0)).inbound[0], 0);
}

}  // namespace
}  // namespace freshcrm::core
