// SHA-256, and the canonical form of a row that entity tags are digests of.
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
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

struct evp_md_ctx_st;

namespace freshcrm::core {

inline constexpr std::size_t kSha256Bytes = 32;
inline constexpr std::size_t kSha256HexChars = 64;

// A SHA-256 computation, reusable and never allocating after construction. Throws
// std::runtime_error when OpenSSL refuses SHA-256. Not to be kept where a longjmp can skip the
// destructor.
class Sha256 {
  public:
    Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    ~Sha256();

    // Starts anew; what was computed so far, finished or not, is forgotten.
    void Start();
    void Update(const void* data, std::size_t size);
    // Start() comes before anything else after this.
    std::array<std::uint8_t, kSha256Bytes> Finish();

  private:
    evp_md_ctx_st* context_;
};

// Writes 64 lower-case hexadecimal characters, without a terminating zero.
void WriteHex(std::span<const std::uint8_t, kSha256Bytes> digest, char* hex);

// Digests the canonical form of one row after the other:
//
//     RowDigest digest;
//     digest.Begin(3);
//     digest.Add("int4", four_bytes);
//     digest.AddNull("text");
//     digest.AddComposed("int4[]", dimensions, 2);    // its two parts follow
//     digest.Add("int4", …);
//     digest.Add("int4", …);
//     digest.Finish(hex);
//
// The caller adds as many nodes as it announced. A row left unfinished is dropped by the next
// Begin().
class RowDigest {
  public:
    void Begin(std::uint32_t columns);
    void AddNull(std::string_view type);
    void Add(std::string_view type, std::span<const std::byte> value);
    // `parts` nodes follow; `shape` is what tells values with equal parts apart.
    void AddComposed(std::string_view type, std::span<const std::byte> shape, std::uint32_t parts);
    // Writes 64 lower-case hexadecimal characters, without a terminating zero.
    void Finish(char* hex);

  private:
    void PutNode(std::uint8_t kind, std::string_view type);
    template <typename Integer>
    void PutInteger(Integer value);
    void Put(const void* data, std::size_t size);
    void Flush();

    Sha256 hash_;
    // Nodes are a few bytes each: collecting them saves most calls into OpenSSL.
    std::array<std::uint8_t, 1024> pending_;
    std::size_t used_ = 0;
};

}  // namespace freshcrm::core
