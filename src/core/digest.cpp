#include "core/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <new>
#include <stdexcept>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

// The first byte of each form.
constexpr std::uint8_t kNoRow = 0;
constexpr std::uint8_t kVersion = 1;  // of the form of a row
constexpr std::uint8_t kList = 2;

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

void Sha256::CopyFrom(const Sha256& other) {
    Check(EVP_MD_CTX_copy_ex(context_, other.context_) == 1);
}

Sha256Digest Sha256::Finish() {
    Sha256Digest digest;
    Check(EVP_DigestFinal_ex(context_, digest.data(), nullptr) == 1);
    return digest;
}

void WriteHex(std::span<const std::uint8_t, kSha256Bytes> digest, char* hex) {
    static constexpr auto kPairs = [] {
        constexpr char kDigits[] = "0123456789abcdef";
        std::array<std::array<char, 2>, 256> pairs{};
        for (std::size_t i = 0; i < pairs.size(); i++) {
            pairs[i] = {kDigits[i >> 4], kDigits[i & 0xf]};
        }
        return pairs;
    }();
    for (const std::uint8_t byte : digest) {
        std::memcpy(hex, kPairs[byte].data(), 2);
        hex += 2;
    }
}

NodeType::NodeType(std::string_view name)
    : short_(1 + sizeof(std::uint32_t) + name.size() <= kHeadBytes),
      head_size_(0),
      head_{},
      name_(name) {
    if (short_) {
        head_size_ = static_cast<std::uint8_t>(1 + sizeof(std::uint32_t) + name.size());
        head_[4] = static_cast<std::uint8_t>(name.size());
        std::copy(name.begin(), name.end(), head_.begin() + 5);
    }
}

void RowDigest::Begin(std::uint32_t columns) {
    hash_.Start();
    used_ = 0;
    PutInteger(kVersion);
    PutInteger(columns);
}

void RowDigest::Add(const NodeType& type, std::span<const std::byte> value) {
    PutHead(kValue, type);
    PutInteger(std::uint64_t{value.size()});
    Put(value.data(), value.size());
}

void RowDigest::AddComposed(const NodeType& type, std::span<const std::byte> shape,
                            std::uint32_t parts) {
    PutHead(kComposed, type);
    PutInteger(static_cast<std::uint32_t>(shape.size()));
    Put(shape.data(), shape.size());
    PutInteger(parts);
}

Sha256Digest RowDigest::Finish() {
    Flush();
    return hash_.Finish();
}

void RowDigest::PutLongHead(std::uint8_t kind, const NodeType& type) {
    Flush();
    PutInteger(kind);
    PutInteger(static_cast<std::uint32_t>(type.name_.size()));
    Put(type.name_.data(), type.name_.size());
}

// Leaves room for an integer.
void RowDigest::Put(const void* data, std::size_t size) {
    if (size > kPendingBytes - std::min(used_, kPendingBytes)) {
        Flush();
        if (size > kPendingBytes) {
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

const Sha256Digest& NoRowDigest() {
    static const Sha256Digest digest = [] {
        Sha256 hash;
        hash.Update(&kNoRow, sizeof(kNoRow));
        return hash.Finish();
    }();
    return digest;
}

ListDigest::ListDigest() {
    hash_.Update(&kList, sizeof(kList));
}

void ListDigest::Add(const Sha256Digest& row) {
    hash_.Update(row.data(), row.size());
    count_++;
}

Sha256Digest ListDigest::Get() const {
    const std::uint64_t count = BigEndian(count_);
    Sha256 hash;
    hash.CopyFrom(hash_);
    hash.Update(&count, sizeof(count));
    return hash.Finish();
}

}  // namespace freshcrm::core
