// LtHash: the digest of a set of digests, whatever their order, that grows and shrinks by one
// element at a time (Bellare and Micciancio, "A new paradigm for collision-free hashing:
// incrementality at reduced cost", EUROCRYPT 1997; Lewi, Kim, Maykov and Weis, "Securing update
// propagation with homomorphic hashing", IACR ePrint 2019/227).
//
// Each element, 32 bytes, is expanded to 1024 lanes of 16 bits, and the set is the sum of its
// elements lane by lane, modulo 2^16. The lanes of an element are the 2048 bytes that AES-256 in
// counter mode gives with the element as the key and a first counter block of zero, as big-endian
// integers. The element is a SHA-256 digest, so that nobody chooses a key; with AES as an ideal
// cipher the lanes are as good as random (blocks of one key do not repeat: after 128 blocks nobody
// sees that). AES instructions make it ten times faster than SHAKE128.
//
// Security: whoever can choose elements, and finds two sets with the same sum, has found a short
// solution of a random system of 1024 linear equations modulo 2^16 (the short integer solution
// problem), for which the paper of 2019 counts more than 200 bits. That is for sets: what comes
// 65 536 times (or a smaller power of two times, in part) leaves the lanes as they are, and only
// the count tells. Elements must differ, as rows with a key do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/digest.hpp"

struct evp_cipher_ctx_st;

namespace freshcrm::core {

inline constexpr std::size_t kLtHashLanes = 1024;

// The sum of a set. Plain memory: all zero is the empty set.
struct LtHash {
    std::uint64_t count;  // of elements, modulo 2^64
    std::array<std::uint16_t, kLtHashLanes> lanes;

    void Add(const LtHash& other);
    void Subtract(const LtHash& other);

    friend bool operator==(const LtHash&, const LtHash&) = default;
};

// The stored form: u64 count · the lanes, u16 each; all big-endian.
inline constexpr std::size_t kLtHashBytes =
    sizeof(std::uint64_t) + kLtHashLanes * sizeof(std::uint16_t);
using LtHashBytes = std::array<std::uint8_t, kLtHashBytes>;

void WriteLtHash(const LtHash& set, std::span<std::uint8_t, kLtHashBytes> bytes);
LtHash ReadLtHash(std::span<const std::uint8_t, kLtHashBytes> bytes);

// SHA-256 of the form of a set (digest.hpp).
Sha256Digest DigestLtHash(const LtHash& set);

// Expands elements. Reusable; allocates at construction alone. Throws std::runtime_error when
// OpenSSL refuses AES-256-CTR. Not to be kept where a longjmp can skip the destructor.
class LtHasher {
  public:
    LtHasher();
    LtHasher(const LtHasher&) = delete;
    LtHasher& operator=(const LtHasher&) = delete;
    ~LtHasher();

    // The set of this one element; valid until the next call.
    const LtHash& Expand(const Sha256Digest& element);

  private:
    evp_cipher_ctx_st* context_;
    LtHash element_;
};

}  // namespace freshcrm::core
