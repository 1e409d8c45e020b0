// SHA-256, and the canonical forms of rows and of lists of rows that entity tags are digests of.
//
// Canonical form, version 1. All integers are unsigned, big-endian and of fixed width (u8, u32,
// u64):
//
//     row    := u8 version (1) · u32 number of columns · node for each column
//     node   := u8 kind · u32 length of type · type · rest by kind
//     kind 0    NULL       no rest
//     kind 1    value      u64 length · bytes
//     kind 2    composed   u32 length of shape · shape · u32 number of parts · node for each part
//
// Everything is counted before it comes, so a reader could decode the bytes without ambiguity: two
// different lists of columns never give the same bytes, NULL is not the empty value, and the type
// counts even where the value is NULL. A change of the form needs another version: tests hold it.
//
// Forms of other things begin with another byte:
//
//     no row := u8 0
//     list   := u8 2 · the digest of each row, in order · u64 number of rows
//     set    := u8 3 · u64 number of rows · 1024 lanes, u16 each (lthash.hpp)
#pragma once

// Or else the compiler warns of what Sha256 uses.
#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED
#endif
#include <openssl/sha.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace freshcrm::core {

inline constexpr std::size_t kSha256Bytes = 32;
inline constexpr std::size_t kSha256HexChars = 64;
using Sha256Digest = std::array<std::uint8_t, kSha256Bytes>;

// A SHA-256 computation, reusable, and plain memory: a copy goes on where the original is.
//
// It calls OpenSSL's functions for SHA-256 itself. They are marked as deprecated in favour of EVP,
// which in OpenSSL 3.0 allocates and frees a context within a context for every digest: that takes
// as long as digesting a row of a few columns.
class Sha256 {
  public:
    Sha256() { Start(); }

    // Starts anew; what was computed so far, finished or not, is forgotten.
    void Start();
    void Update(const void* data, std::size_t size);
    // Start() comes before anything else after this.
    Sha256Digest Finish();

  private:
    SHA256_CTX context_;
};

// The integer whose bytes in memory are those of `value`, the highest first.
template <typename Integer>
constexpr Integer BigEndian(Integer value) {
    static_assert(std::is_unsigned_v<Integer>);
    if constexpr (std::endian::native == std::endian::big || sizeof(Integer) == 1) {
        return value;
    } else if constexpr (sizeof(Integer) == 2) {
        return __builtin_bswap16(value);
    } else if constexpr (sizeof(Integer) == 4) {
        return __builtin_bswap32(value);
    } else {
        return __builtin_bswap64(value);
    }
}

// Writes 64 lower-case hexadecimal characters, without a terminating zero.
void WriteHex(std::span<const std::uint8_t, kSha256Bytes> digest, char* hex);

// The type of a node, as the form has it; made once for many nodes.
class NodeType {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): a name is a type.
    NodeType(std::string_view name);
    // NOLINTNEXTLINE(google-explicit-constructor)
    NodeType(const char* name) : NodeType(std::string_view(name)) {}

    // The name is not copied: it must live as long as this.
    std::string_view name() const { return name_; }

  private:
    friend class RowDigest;

    static constexpr std::size_t kHeadBytes = 32;

    bool short_;  // whether the head of a node fits: nearly always
    std::uint8_t head_size_;
    // A place for the kind · u32 length of the name · the name.
    std::array<std::uint8_t, kHeadBytes> head_;
    std::string_view name_;
};

// Digests the canonical form of one row after the other:
//
//     RowDigest digest;
//     digest.Begin(3);
//     digest.Add("int4", four_bytes);
//     digest.AddNull("text");
//     digest.AddComposed("int4[]", dimensions, 2);    // its two parts follow
//     digest.Add("int4", …);
//     digest.Add("int4", …);
//     digest.Finish();
//
// The caller adds as many nodes as it announced. A row left unfinished is dropped by the next
// Begin().
class RowDigest {
  public:
    void Begin(std::uint32_t columns);
    void AddNull(const NodeType& type) { PutHead(kNull, type); }
    void Add(const NodeType& type, std::span<const std::byte> value) {
        PutHead(kValue, type);
        PutInteger(std::uint64_t{value.size()});
        Put(value.data(), value.size());
    }
    // An integer of 1, 2, 4 or 8 bytes.
    template <typename Integer>
    void AddInteger(const NodeType& type, Integer value);
    void AddUuid(const NodeType& type, const void* sixteen_bytes);
    // `parts` nodes follow; `shape` is what tells values with equal parts apart.
    void AddComposed(const NodeType& type, std::span<const std::byte> shape, std::uint32_t parts);
    Sha256Digest Finish();

  private:
    static constexpr std::uint8_t kNull = 0;
    static constexpr std::uint8_t kValue = 1;
    static constexpr std::uint8_t kComposed = 2;
    // Nodes are a few bytes each: collecting them saves most calls into OpenSSL.
    static constexpr std::size_t kPendingBytes = 1024;
    // Room beyond, so that pieces of a known size are written without looking.
    static constexpr std::size_t kSlackBytes = 64;

    void PutHead(std::uint8_t kind, const NodeType& type);
    void PutLongHead(std::uint8_t kind, const NodeType& type);
    template <typename Integer>
    void PutInteger(Integer value);
    void Put(const void* data, std::size_t size);
    void PutLong(const void* data, std::size_t size);
    void Flush();

    Sha256 hash_;
    std::array<std::uint8_t, kPendingBytes + kSlackBytes> pending_;
    std::size_t used_ = 0;
};

// The digest of "no row": of what is NULL where a row could be.
const Sha256Digest& NoRowDigest();

// Digests a list of digests of rows. Plain memory.
class ListDigest {
  public:
    ListDigest();
    void Add(const Sha256Digest& row);
    // Of what was added so far.
    Sha256Digest Get() const;

  private:
    Sha256 hash_;
    std::uint64_t count_ = 0;
};

// What follows is called for every column of every row, and is there for the compiler to inline.

// Leaves room for a length and a value of 16 bytes.
inline void RowDigest::PutHead(std::uint8_t kind, const NodeType& type) {
    if (!type.short_) [[unlikely]] {
        return PutLongHead(kind, type);
    }
    if (used_ > kPendingBytes - NodeType::kHeadBytes) [[unlikely]] {
        Flush();
    }
    // A copy of a known size is a few instructions; what is too much of it is overwritten.
    std::memcpy(pending_.data() + used_, type.head_.data(), NodeType::kHeadBytes);
    pending_[used_] = kind;
    used_ += type.head_size_;
}

// At most kSlackBytes since the last PutHead() or Flush().
template <typename Integer>
void RowDigest::PutInteger(Integer value) {
    value = BigEndian(value);
    std::memcpy(pending_.data() + used_, &value, sizeof(value));
    used_ += sizeof(value);
}

template <typename Integer>
void RowDigest::AddInteger(const NodeType& type, Integer value) {
    PutHead(kValue, type);
    PutInteger(std::uint64_t{sizeof(Integer)});
    PutInteger(static_cast<std::make_unsigned_t<Integer>>(value));
}

// Leaves room for an integer.
inline void RowDigest::Put(const void* data, std::size_t size) {
    if (used_ > kPendingBytes || size > kPendingBytes - used_) [[unlikely]] {
        return PutLong(data, size);
    }
    if (size > 0) {
        std::memcpy(pending_.data() + used_, data, size);
        used_ += size;
    }
}

inline void RowDigest::AddUuid(const NodeType& type, const void* sixteen_bytes) {
    PutHead(kValue, type);
    PutInteger(std::uint64_t{16});
    std::memcpy(pending_.data() + used_, sixteen_bytes, 16);
    used_ += 16;
}

}  // namespace freshcrm::core
