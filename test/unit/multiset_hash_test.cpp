#include "core/multiset_hash.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace freshcrm::core {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};

std::array<std::uint8_t, kSecretBytes> Secret(std::uint8_t first) {
    std::array<std::uint8_t, kSecretBytes> secret{};
    secret[0] = first;
    return secret;
}

Wide Element(const std::string& tag, std::uint8_t secret = 1) {
    return ElementOf(Secret(secret), tag);
}

// Known answer: SHA-256 of 32 bytes 00 and "abc", by another implementation:
// (head -c 32 /dev/zero; printf abc) | sha256sum
TEST(MultisetHash, AnElementIsADigestOfSecretAndTag) {
    const std::array<std::uint8_t, kSecretBytes> zero{};
    char hex[kSha256HexChars];
    WriteHex(ToBytes(ElementOf(zero, "abc")), hex);
    EXPECT_EQ(std::string(hex, sizeof(hex)),
              "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370");
    EXPECT_NE(Element("a", 1), Element("a", 2));
    EXPECT_NE(Element("a"), Element("b"));
}

TEST(MultisetHash, BytesAreBigEndian) {
    const Wide value{0x0102030405060708, 0x1112131415161718, 0x2122232425262728,
                     0x3132333435363738};
    const auto bytes = ToBytes(value);
    EXPECT_EQ(bytes[0], 0x31);
    EXPECT_EQ(bytes[7], 0x38);
    EXPECT_EQ(bytes[31], 0x08);
    EXPECT_EQ(FromBytes(bytes), value);
}

TEST(MultisetHash, CarriesGoThroughAllParts) {
    MultisetHash hash{0, {kMost, kMost, kMost, 0}};
    hash.Add({1});
    EXPECT_EQ(hash.sum, (Wide{0, 0, 0, 1}));
    hash.Remove({1});
    EXPECT_EQ(hash.sum, (Wide{kMost, kMost, kMost, 0}));
    hash = {0, {kMost, kMost, kMost, kMost}};
    hash.Add({1});
    EXPECT_EQ(hash.sum, Wide{});
    // A carry from before and one of its own.
    hash = {0, {kMost, kMost, 0, 0}};
    hash.Add({kMost, kMost, 0, 0});
    EXPECT_EQ(hash.sum, (Wide{kMost - 1, kMost, 1, 0}));
}

TEST(MultisetHash, OrderDoesNotCountAndRemovalUndoes) {
    MultisetHash forward{};
    MultisetHash backward{};
    for (int i = 0; i < 100; ++i) {
        forward.Add(Element(std::to_string(i)));
        backward.Add(Element(std::to_string(99 - i)));
    }
    EXPECT_EQ(forward.sum, backward.sum);
    EXPECT_EQ(forward.rows, 100);
    const Wide before = forward.sum;
    forward.Add(Element("more"));
    EXPECT_NE(forward.sum, before);
    forward.Remove(Element("more"));
    EXPECT_EQ(forward.sum, before);
    for (int i = 0; i < 100; ++i) {
        forward.Remove(Element(std::to_string(i)));
    }
    EXPECT_TRUE(forward.IsZero());
}

// XOR would forget two of the same, and the number of rows alone would not tell them apart.
TEST(MultisetHash, HowOftenARowIsThereCounts) {
    MultisetHash once{};
    once.Add(Element("a"));
    MultisetHash thrice = once;
    thrice.Add(Element("a"));
    thrice.Add(Element("a"));
    EXPECT_NE(once.sum, thrice.sum);
    MultisetHash mixed{};
    mixed.Add(Element("a"));
    mixed.Add(Element("b"));
    mixed.Add(Element("b"));
    EXPECT_NE(mixed.sum, thrice.sum);
    EXPECT_EQ(mixed.rows, thrice.rows);
}

TEST(MultisetHash, PartsAddUpWhateverTheirSigns) {
    MultisetHash whole{};
    MultisetHash parts[3]{};
    for (int i = 0; i < 60; ++i) {
        whole.Add(Element(std::to_string(i)));
        parts[i % 3].Add(Element(std::to_string(i)));
    }
    // Taken from a part that never had it.
    whole.Remove(Element("0"));
    parts[2].Remove(Element("0"));
    MultisetHash sum{};
    for (const MultisetHash& part : parts) {
        sum.Merge(part);
    }
    EXPECT_EQ(sum.rows, whole.rows);
    EXPECT_EQ(sum.sum, whole.sum);
}

TEST(MultisetHash, AMultipleIsARepeatedSum) {
    std::mt19937_64 random(7);
    for (const std::uint64_t factor : {0UL, 1UL, 2UL, 3UL, 255UL, 1000UL}) {
        const MultisetHash part{-3, {random(), kMost, random(), kMost}};
        MultisetHash repeated{};
        for (std::uint64_t i = 0; i < factor; ++i) {
            repeated.Merge(part);
        }
        MultisetHash multiple{};
        multiple.Merge(part, factor);
        EXPECT_EQ(multiple.rows, repeated.rows) << factor;
        EXPECT_EQ(multiple.sum, repeated.sum) << factor;
    }
    // Factors of all their bits: (a + b) * f = a * f + b * f, and f * g = g * f.
    for (int i = 0; i < 1000; ++i) {
        const MultisetHash a{1, {random(), random(), random(), random()}};
        const MultisetHash b{2, {random(), random(), random(), random()}};
        const std::uint64_t factor = random();
        MultisetHash both = a;
        both.Merge(b);
        MultisetHash of_both{};
        of_both.Merge(both, factor);
        MultisetHash of_each{};
        of_each.Merge(a, factor);
        of_each.Merge(b, factor);
        EXPECT_EQ(of_both.sum, of_each.sum);
        EXPECT_EQ(of_both.rows, of_each.rows);
        MultisetHash one_way{};
        one_way.Merge({0, {factor}}, kMost - factor);
        MultisetHash other_way{};
        other_way.Merge({0, {kMost - factor}}, factor);
        EXPECT_EQ(one_way.sum, other_way.sum);
    }
}

}  // namespace
}  // namespace freshcrm::core
