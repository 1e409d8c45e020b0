// A hash of a multiset of rows that is kept up to date: a row comes or goes for the price of one
// SHA-256, whatever the size, in any order.
//
//     element := SHA-256(secret · entity tag of the row), read as an integer of 256 bits
//     hash    := how many rows there are · the sum of their elements mod 2^256
//
// This is MSet-Add-Hash (Clarke, Devadas, van Dijk, Gassend, Suh: Incremental Multiset Hash
// Functions and Their Application to Memory Integrity Checking, ASIACRYPT 2003). With elements that
// anybody can compute, a sum of 256 bits would not do: rows that add up to the same sum are found
// with Wagner's generalized birthday attack, which is why LtHash has a state of 2 kB. Here an
// element needs the secret, of 32 random bytes, and who sees neither it nor sums, but only a
// SHA-256 over the latter, can do no better than to wait for two of 2^128 hashes to be the same. So
// 40 bytes are enough, and these are written, and logged, with every row that is.
#pragma once

#include "core/digest.hpp"

namespace freshcrm::core {

inline constexpr std::size_t kSecretBytes = 32;

// An integer mod 2^256, its least significant part first.
using Wide = std::array<std::uint64_t, 4>;

// `tag` as text, 64 characters where nobody has written to the row directly.
Wide ElementOf(std::span<const std::uint8_t, kSecretBytes> secret, std::string_view tag);

// Plain, so that it can live where the server's errors pass by.
struct MultisetHash {
    std::int64_t rows;
    Wide sum;

    void Add(const Wide& element);
    void Remove(const Wide& element);
    void Merge(const MultisetHash& other);
    // Merges it `factor` times.
    void Merge(const MultisetHash& other, std::uint64_t factor);
    bool IsZero() const;
};

// Big-endian, as it is stored and digested.
std::array<std::uint8_t, 32> ToBytes(const Wide& value);
Wide FromBytes(std::span<const std::uint8_t, 32> bytes);

}  // namespace freshcrm::core
