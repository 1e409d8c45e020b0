#include "core/lthash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace freshcrm::core {
namespace {

Sha256Digest Element(std::uint32_t n) {
    Sha256 hash;
    hash.Update(&n, sizeof(n));
    return hash.Finish();
}

LtHash SetOf(const std::vector<std::uint32_t>& elements) {
    LtHasher hasher;
    LtHash set{};
    for (const std::uint32_t n : elements) {
        set.Add(hasher.Expand(Element(n)));
    }
    return set;
}

std::string Hex(const Sha256Digest& digest) {
    std::string hex(kSha256HexChars, '?');
    WriteHex(digest, hex.data());
    return hex;
}

// NIST SP 800-38A has AES-256 in counter mode; the key stream of an all-zero key and counter is
// AES-256 of zero (dc95c078…), of one (530f8afb…) and so on.
TEST(LtHash, LanesAreTheKeyStream) {
    LtHasher hasher;
    const LtHash& one = hasher.Expand(Sha256Digest{});
    EXPECT_EQ(one.count, 1U);
    EXPECT_EQ(one.lanes[0], 0xdc95);
    EXPECT_EQ(one.lanes[1], 0xc078);
    EXPECT_EQ(one.lanes[7], 0x2087);
    EXPECT_EQ(one.lanes[8], 0x530f);
    EXPECT_EQ(one.lanes[9], 0x8afb);
}

TEST(LtHash, OrderDoesNotCount) {
    EXPECT_EQ(SetOf({1, 2, 3}), SetOf({3, 1, 2}));
    EXPECT_NE(SetOf({1, 2, 3}), SetOf({1, 2, 4}));
    EXPECT_NE(SetOf({1, 2}), SetOf({1, 2, 2}));
}

TEST(LtHash, WhatIsAddedCanBeTakenAway) {
    LtHash set = SetOf({1, 2, 3});
    set.Subtract(SetOf({2}));
    EXPECT_EQ(set, SetOf({1, 3}));
    set.Subtract(SetOf({1, 3}));
    EXPECT_EQ(set, LtHash{});
    // Taken away before it came: sums of slots, of which one may have seen only the departure.
    set.Subtract(SetOf({7}));
    set.Add(SetOf({7, 8}));
    EXPECT_EQ(set, SetOf({8}));
}

TEST(LtHash, SumsOfPartsAreTheSumOfTheWhole) {
    LtHash set = SetOf({1, 2});
    set.Add(SetOf({3}));
    set.Add(SetOf({}));
    EXPECT_EQ(set, SetOf({1, 2, 3}));
    EXPECT_EQ(set.count, 3U);
}

// Bits are spread over all lanes: an element that leaves some as they are would weaken the sum.
TEST(LtHash, ElementsTouchEveryLane) {
    LtHasher hasher;
    std::array<std::uint16_t, kLtHashLanes> ones{};
    std::array<std::uint16_t, kLtHashLanes> zeros{};
    for (std::uint32_t n = 0; n < 200; n++) {
        const LtHash& element = hasher.Expand(Element(n));
        for (std::size_t i = 0; i < kLtHashLanes; i++) {
            ones[i] |= element.lanes[i];
            zeros[i] |= static_cast<std::uint16_t>(~element.lanes[i]);
        }
    }
    const auto is_full = [](std::uint16_t lane) { return lane == 0xffff; };
    EXPECT_TRUE(std::all_of(ones.begin(), ones.end(), is_full));
    EXPECT_TRUE(std::all_of(zeros.begin(), zeros.end(), is_full));
}

TEST(LtHash, IsStoredAndReadBack) {
    LtHash set = SetOf({1, 2, 3});
    set.count = 0x0102030405060708;
    set.lanes[0] = 0x1122;
    LtHashBytes bytes;
    WriteLtHash(set, bytes);
    EXPECT_EQ(ReadLtHash(bytes), set);
    const std::array<std::uint8_t, 10> begin = {1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x22};
    EXPECT_TRUE(std::equal(begin.begin(), begin.end(), bytes.begin()));
}

TEST(LtHash, DigestsTheStoredFormBehindItsMark) {
    const LtHash set = SetOf({1, 2});
    LtHashBytes bytes;
    WriteLtHash(set, bytes);
    Sha256 hash;
    hash.Update("\x03", 1);
    hash.Update(bytes.data(), bytes.size());
    EXPECT_EQ(DigestLtHash(set), hash.Finish());
    EXPECT_EQ(Hex(DigestLtHash(LtHash{})),
              "f835b20fa723f07754f8e334e1e8faa72d8bac87bf130165c5a71d39cc6e8e82");
    LtHash counted{};
    counted.count = 65536;
    EXPECT_NE(DigestLtHash(counted), DigestLtHash(LtHash{}));
}

TEST(LtHash, OneHasherServesOneElementAfterTheOther) {
    LtHasher hasher;
    const LtHash first = hasher.Expand(Element(1));
    hasher.Expand(Element(2));
    EXPECT_EQ(hasher.Expand(Element(1)), first);
}

}  // namespace
}  // namespace freshcrm::core
