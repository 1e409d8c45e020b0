#include "core/lthash.hpp"

#include <openssl/evp.h>

#include <cstring>
#include <new>
#include <stdexcept>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

void Check(bool done) {
    if (!done) {
        throw std::runtime_error("OpenSSL cannot compute AES-256-CTR");
    }
}

// As with SHA-256, looked up once a process and never given back.
const EVP_CIPHER* Algorithm() {
    static const EVP_CIPHER* const algorithm = [] {
        const EVP_CIPHER* fetched = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
        Check(fetched != nullptr);
        return fetched;
    }();
    return algorithm;
}

}  // namespace

void LtHash::Add(const LtHash& other) {
    count += other.count;
    for (std::size_t i = 0; i < kLtHashLanes; i++) {
        lanes[i] = static_cast<std::uint16_t>(lanes[i] + other.lanes[i]);
    }
}

void LtHash::Subtract(const LtHash& other) {
    count -= other.count;
    for (std::size_t i = 0; i < kLtHashLanes; i++) {
        lanes[i] = static_cast<std::uint16_t>(lanes[i] - other.lanes[i]);
    }
}

void WriteLtHash(const LtHash& set, std::span<std::uint8_t, kLtHashBytes> bytes) {
    const std::uint64_t count = BigEndian(set.count);
    std::memcpy(bytes.data(), &count, sizeof(count));
    std::uint8_t* at = bytes.data() + sizeof(count);
    for (std::size_t i = 0; i < kLtHashLanes; i++) {
        const std::uint16_t lane = BigEndian(set.lanes[i]);
        std::memcpy(at + i * sizeof(lane), &lane, sizeof(lane));
    }
}

LtHash ReadLtHash(std::span<const std::uint8_t, kLtHashBytes> bytes) {
    LtHash set;
    std::memcpy(&set.count, bytes.data(), sizeof(set.count));
    set.count = BigEndian(set.count);
    std::memcpy(set.lanes.data(), bytes.data() + sizeof(set.count), sizeof(set.lanes));
    for (std::uint16_t& lane : set.lanes) {
        lane = BigEndian(lane);
    }
    return set;
}

Sha256Digest DigestLtHash(const LtHash& set) {
    constexpr std::uint8_t kSet = 3;
    LtHashBytes bytes;
    WriteLtHash(set, bytes);
    Sha256 hash;
    hash.Update(&kSet, sizeof(kSet));
    hash.Update(bytes.data(), bytes.size());
    return hash.Finish();
}

LtHasher::LtHasher() : context_(EVP_CIPHER_CTX_new()), element_{} {
    if (context_ == nullptr) {
        throw std::bad_alloc();
    }
    static constexpr std::array<std::uint8_t, 32> kNoKey{};
    if (EVP_EncryptInit_ex2(context_, Algorithm(), kNoKey.data(), nullptr, nullptr) != 1) {
        EVP_CIPHER_CTX_free(context_);
        Check(false);
    }
}

LtHasher::~LtHasher() {
    EVP_CIPHER_CTX_free(context_);
}

const LtHash& LtHasher::Expand(const Sha256Digest& element) {
    static constexpr std::array<std::uint8_t, 16> kFirstBlock{};
    static constexpr std::array<std::uint8_t, kLtHashLanes * sizeof(std::uint16_t)> kZeros{};
    auto* bytes = reinterpret_cast<std::uint8_t*>(element_.lanes.data());
    int size;
    Check(EVP_EncryptInit_ex2(context_, nullptr, element.data(), kFirstBlock.data(), nullptr) ==
              1 &&
          EVP_EncryptUpdate(context_, bytes, &size, kZeros.data(), kZeros.size()) == 1 &&
          size == kZeros.size());
    element_.count = 1;
    for (std::uint16_t& lane : element_.lanes) {
        lane = BigEndian(lane);
    }
    return element_;
}

}  // namespace freshcrm::core
