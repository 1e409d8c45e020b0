#include "core/digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace freshcrm::core {
namespace {

std::string Hex(const std::string& data, std::size_t piece = SIZE_MAX) {
    Sha256 hash;
    for (std::size_t at = 0; at < data.size(); at += std::min(piece, data.size() - at)) {
        hash.Update(data.data() + at, std::min(piece, data.size() - at));
    }
    std::string hex(kSha256HexChars, '?');
    WriteHex(hash.Finish(), hex.data());
    return hex;
}

std::string Hex(const ListDigest& list) {
    std::string hex(kSha256HexChars, '?');
    WriteHex(list.Get(), hex.data());
    return hex;
}

std::span<const std::byte> Bytes(std::string_view value) {
    return std::as_bytes(std::span(value.data(), value.size()));
}

using Nodes = std::function<void(RowDigest&)>;

std::string Tag(RowDigest& digest, std::uint32_t columns, const Nodes& add) {
    std::string hex(kSha256HexChars, '?');
    digest.Begin(columns);
    add(digest);
    WriteHex(digest.Finish(), hex.data());
    return hex;
}

std::string Tag(std::uint32_t columns, const Nodes& add) {
    RowDigest digest;
    return Tag(digest, columns, add);
}

// FIPS 180-4, with the examples published by NIST.
TEST(Sha256, MatchesPublishedVectors) {
    EXPECT_EQ(Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(Hex(std::string(1000000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheDataIsCut) {
    const std::string data(1000, 'x');
    for (const std::size_t piece : {1, 63, 64, 65, 999}) {
        EXPECT_EQ(Hex(data, piece), Hex(data)) << piece;
    }
}

TEST(Sha256, StartForgetsWhatCameBefore) {
    Sha256 hash;
    hash.Update("left unfinished", 15);
    hash.Start();
    hash.Update("abc", 3);
    const auto first = hash.Finish();
    hash.Start();
    hash.Update("abc", 3);
    EXPECT_EQ(hash.Finish(), first);
    std::string hex(kSha256HexChars, '?');
    WriteHex(first, hex.data());
    EXPECT_EQ(hex, Hex("abc"));
}

// The canonical form, byte by byte as the header states it.
TEST(RowDigest, DigestsTheCanonicalForm) {
    using namespace std::string_literals;
    const std::string form =
        "\x01"
        "\0\0\0\x03"s
        "\x01"
        "\0\0\0\x04"
        "int4"
        "\0\0\0\0\0\0\0\x04"
        "\0\0\0\x2a"s
        "\0"
        "\0\0\0\x04"
        "text"s
        "\x02"
        "\0\0\0\x06"
        "int2[]"
        "\0\0\0\x01"
        "S"
        "\0\0\0\x02"s
        "\x01"
        "\0\0\0\x04"
        "int2"
        "\0\0\0\0\0\0\0\x02"
        "\0\x07"s
        "\0"
        "\0\0\0\x04"
        "int2"s;
    EXPECT_EQ(Tag(3,
                  [](RowDigest& digest) {
                      digest.Add("int4", Bytes("\0\0\0\x2a"s));
                      digest.AddNull("text");
                      digest.AddComposed("int2[]", Bytes("S"), 2);
                      digest.Add("int2", Bytes("\0\x07"s));
                      digest.AddNull("int2");
                  }),
              Hex(form));
}

// These hold version 1 of the form: tags that clients keep must not change unnoticed.
TEST(RowDigest, GoldenTags) {
    EXPECT_EQ(Tag(0, [](RowDigest&) {}),
              "957b88b12730e646e0f33d3618b77dfa579e8231e3c59c7104be7165611c8027");
    EXPECT_EQ(Tag(1, [](RowDigest& digest) { digest.Add("text", Bytes("freshcrm")); }),
              "9ebdba8a93673e3a98231a39724d80d46ad0baba6d6dfbd96ab2163c0f7800f2");
    EXPECT_EQ(Tag(2,
                  [](RowDigest& digest) {
                      digest.AddNull("uuid");
                      digest.AddComposed("record", {}, 1);
                      digest.Add("bool", Bytes("\x01"));
                  }),
              "45166619900bc82a18236e080d6dd2df683896f8cda1a1958253039ed34f70fa");
}

// Rows that a form with a missing length, type or count would confuse.
TEST(RowDigest, TellsDifferentRowsApart) {
    const std::vector<std::pair<std::uint32_t, Nodes>> rows = {
        {0, [](RowDigest&) {}},
        {1, [](RowDigest& d) { d.AddNull("text"); }},
        {1, [](RowDigest& d) { d.AddNull("int4"); }},
        {1, [](RowDigest& d) { d.AddNull(""); }},
        {1, [](RowDigest& d) { d.Add("text", {}); }},
        {1, [](RowDigest& d) { d.Add("", Bytes("text")); }},
        {1, [](RowDigest& d) { d.Add("text", Bytes(std::string_view("\0", 1))); }},
        {2, [](RowDigest& d) { d.AddNull("text"), d.AddNull("text"); }},
        {2, [](RowDigest& d) { d.AddNull("text"), d.Add("text", {}); }},
        {2, [](RowDigest& d) { d.Add("text", {}), d.AddNull("text"); }},
        {1, [](RowDigest& d) { d.Add("text", Bytes("ab")); }},
        {1, [](RowDigest& d) { d.Add("texta", Bytes("b")); }},
        {2, [](RowDigest& d) { d.Add("text", Bytes("ab")), d.Add("text", {}); }},
        {2, [](RowDigest& d) { d.Add("text", {}), d.Add("text", Bytes("ab")); }},
        {2, [](RowDigest& d) { d.Add("text", Bytes("a")), d.Add("text", Bytes("b")); }},
        {2, [](RowDigest& d) { d.Add("text", Bytes("b")), d.Add("text", Bytes("a")); }},
        {1, [](RowDigest& d) { d.AddComposed("text", {}, 0); }},
        {1, [](RowDigest& d) { d.AddComposed("text[]", {}, 0); }},
        {1, [](RowDigest& d) { d.AddComposed("text[]", Bytes("x"), 0); }},
        {1, [](RowDigest& d) { d.AddComposed("text[]", {}, 1), d.AddNull("text"); }},
        {1, [](RowDigest& d) { d.AddComposed("text[]", {}, 1), d.Add("text", {}); }},
        // Nested and flat: the same leaves, bracketed in each way.
        {3, [](RowDigest& d) { d.AddNull("a"), d.AddNull("a"), d.AddNull("a"); }},
        {2,
         [](RowDigest& d) {
             d.AddComposed("record", {}, 2), d.AddNull("a"), d.AddNull("a"), d.AddNull("a");
         }},
        {2,
         [](RowDigest& d) {
             d.AddNull("a"), d.AddComposed("record", {}, 2), d.AddNull("a"), d.AddNull("a");
         }},
        {1,
         [](RowDigest& d) {
             d.AddComposed("record", {}, 3), d.AddNull("a"), d.AddNull("a"), d.AddNull("a");
         }},
        // A value that spells out another row's bytes.
        {1,
         [](RowDigest& d) {
             d.Add("text", Bytes(std::string_view("\x01\0\0\0\x04text\0\0\0\0\0\0\0\0", 17)));
         }},
    };
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < rows.size(); i++) {
        const auto [at, is_new] = seen.emplace(Tag(rows[i].first, rows[i].second), i);
        EXPECT_TRUE(is_new) << "rows " << at->second << " and " << i;
    }
}

// Long values bypass the buffer, short ones fill it to every possible edge.
TEST(RowDigest, DoesNotDependOnItsBuffer) {
    for (std::size_t size = 960; size < 1060; size++) {
        const std::string value(size, 'v');
        std::string form = "\x01";
        form += std::string("\0\0\0\x02", 4);
        for (int column = 0; column < 2; column++) {
            form += std::string("\x01\0\0\0\x04text\0\0\0\0\0\0", 15);
            form += static_cast<char>(size >> 8);
            form += static_cast<char>(size);
            form += value;
        }
        EXPECT_EQ(Tag(2,
                      [&](RowDigest& digest) {
                          digest.Add("text", Bytes(value));
                          digest.Add("text", Bytes(value));
                      }),
                  Hex(form))
            << size;
    }
}

TEST(RowDigest, ServesOneRowAfterTheOther) {
    RowDigest digest;
    const Nodes add = [](RowDigest& d) { d.Add("text", Bytes("a")); };
    const std::string first = Tag(digest, 1, add);
    EXPECT_EQ(Tag(digest, 1, add), first);
    digest.Begin(2);  // as after an error
    digest.Add("text", Bytes(std::string(5000, 'x')));
    EXPECT_EQ(Tag(digest, 1, add), first);
}

// Names of types up to and beyond what fits a ready-made head.
TEST(RowDigest, TakesNamesOfEveryLength) {
    for (std::size_t size = 0; size < 200; size++) {
        const std::string letters(size, 't');
        const NodeType name(letters);
        std::string form("\x01\0\0\0\x03", 5);
        const std::string head = std::string("\0\0\0", 3) + static_cast<char>(size) + letters;
        form += std::string("\0", 1) + head;
        form += "\x01" + head + std::string("\0\0\0\0\0\0\0\x02\x01\x02", 10);
        form += "\x02" + head + std::string("\0\0\0\x01S\0\0\0\0", 9);
        EXPECT_EQ(Tag(3,
                      [&](RowDigest& digest) {
                          digest.AddNull(name);
                          digest.AddInteger(name, std::uint16_t{0x0102});
                          digest.AddComposed(name, Bytes("S"), 0);
                      }),
                  Hex(form))
            << size;
    }
}

// Values of known sizes come to every place in the buffer, and to its end.
TEST(RowDigest, WritesIntegersAnywhere) {
    const std::string sixteen = "0123456789abcdef";
    for (std::size_t size = 900; size < 1100; size++) {
        const std::string value(size, 'v');
        EXPECT_EQ(Tag(4,
                      [&](RowDigest& digest) {
                          digest.Add("text", Bytes(value));
                          digest.AddUuid("uuid", sixteen.data());
                          digest.AddInteger("int8", std::int64_t{-2});
                          digest.AddInteger("bool", std::uint8_t{1});
                      }),
                  Tag(4,
                      [&](RowDigest& digest) {
                          using namespace std::string_literals;
                          digest.Add("text", Bytes(value));
                          digest.Add("uuid", Bytes(sixteen));
                          digest.Add("int8", Bytes("\xff\xff\xff\xff\xff\xff\xff\xfe"));
                          digest.Add("bool", Bytes("\x01"));
                      }))
            << size;
    }
}

TEST(ListDigest, DigestsTheList) {
    ListDigest list;
    EXPECT_EQ(Hex(list), Hex(std::string("\x02\0\0\0\0\0\0\0\0", 9)));
    Sha256 hash;
    const Sha256Digest row = hash.Finish();
    list.Add(row);
    list.Add(NoRowDigest());
    const std::string rows(reinterpret_cast<const char*>(row.data()), row.size());
    hash.Start();
    hash.Update("\0", 1);
    const Sha256Digest none = hash.Finish();
    const std::string nothing(reinterpret_cast<const char*>(none.data()), none.size());
    const std::string form = "\x02" + rows + nothing + std::string("\0\0\0\0\0\0\0\x02", 8);
    EXPECT_EQ(Hex(list), Hex(form));
    EXPECT_EQ(Hex(list), Hex(form)) << "looking at it leaves it as it is";
}

TEST(WriteHex, WritesEveryByte) {
    std::array<std::uint8_t, kSha256Bytes> digest{};
    digest[0] = 0x01;
    digest[1] = 0xab;
    digest[31] = 0xff;
    std::string hex(kSha256HexChars + 1, '?');
    WriteHex(digest, hex.data());
    EXPECT_EQ(hex, "01ab" + std::string(58, '0') + "ff?");
}

}  // namespace
}  // namespace freshcrm::core
