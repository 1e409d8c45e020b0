#include "core/digest.hpp"

#include <openssl/evp.h>

#include <cstring>
#include <new>
#include <stdexcept>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kNull = 0;
constexpr std::uint8_t kValue = 1;
constexpr std::uint8_t kComposed = 2;

void Check(bool done) {
    if (!done) {
        throw std::runtime_error("OpenSSL cannot compute SHA-256");
    }
}

// Looking an algorithm up in OpenSSL 3 costs more than digesting a row, so it is done once a
// process; the reference is never given back.
const EVP_MD* Algorithm() {
    static const EVP_MD* const algorithm = [] {
        const EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
        Check(fetched != nullptr);
        return fetched;
    }();
    return algorithm;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr) {
        throw std::bad_alloc();
    }
    try {
        Start();
    } catch (...) {
        EVP_MD_CTX_free(context_);
        throw;
    }
}

Sha256::~Sha256() {
    EVP_MD_CTX_free(context_);
}

void Sha256::Start() {
    Check(EVP_DigestInit_ex2(context_, Algorithm(), nullptr) == 1);
}

void Sha256::Update(const void* data, std::size_t size) {
    Check(EVP_DigestUpdate(context_, data, size) == 1);
}

std::array<std::uint8_t, kSha256Bytes> Sha256::Finish() {
    std::array<std::uint8_t, kSha256Bytes> digest;
    Check(EVP_DigestFinal_ex(context_, digest.data(), nullptr) == 1);
    return digest;
}

void WriteHex(std::span<const std::uint8_t, kSha256Bytes> digest, char* hex) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (const std::uint8_t byte : digest) {
        *hex++ = kDigits[byte >> 4];
        *hex++ = kDigits[byte & 0xf];
    }
}

void RowDigest::Begin(std::uint32_t columns) {
    hash_.Start();
    used_ = 0;
    PutInteger(kVersion);
    PutInteger(columns);
}

void RowDigest::AddNull(std::string_view type) {
    PutNode(kNull, type);
}

void RowDigest::Add(std::string_view type, std::span<const std::byte> value) {
    PutNode(kValue, type);
    PutInteger(std::uint64_t{value.size()});
    Put(value.data(), value.size());
}

void RowDigest::AddComposed(std::string_view type, std::span<const std::byte> shape,
                            std::uint32_t parts) {
    PutNode(kComposed, type);
    PutInteger(static_cast<std::uint32_t>(shape.size()));
    Put(shape.data(), shape.size());
    PutInteger(parts);
}

void RowDigest::Finish(char* hex) {
    Flush();
    WriteHex(hash_.Finish(), hex);
}

void RowDigest::PutNode(std::uint8_t kind, std::string_view type) {
    PutInteger(kind);
    PutInteger(static_cast<std::uint32_t>(type.size()));
    Put(type.data(), type.size());
}

template <typename Integer>
void RowDigest::PutInteger(Integer value) {
    std::uint8_t bytes[sizeof(Integer)];
    for (std::size_t i = sizeof(Integer); i-- > 0;) {
        bytes[i] = static_cast<std::uint8_t>(value);
        value = static_cast<Integer>(std::uint64_t{value} >> 8);
    }
    Put(bytes, sizeof(bytes));
}

void RowDigest::Put(const void* data, std::size_t size) {
    if (size > pending_.size() - used_) {
        Flush();
        if (size > pending_.size()) {
            hash_.Update(data, size);
            return;
        }
    }
    if (size > 0) {
        std::memcpy(pending_.data() + used_, data, size);
        used_ += size;
    }
}

void RowDigest::Flush() {
    hash_.Update(pending_.data(), used_);
    used_ = 0;
}

}  // namespace freshcrm::core
