#include "core/digest.hpp"

#include <algorithm>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

// The first byte of each form.
constexpr std::uint8_t kNoRow = 0;
constexpr std::uint8_t kVersion = 1;  // of the form of a row
constexpr std::uint8_t kList = 2;

}  // namespace

// They cannot fail.
void Sha256::Start() {
    SHA256_Init(&context_);
}

void Sha256::Update(const void* data, std::size_t size) {
    SHA256_Update(&context_, data, size);
}

Sha256Digest Sha256::Finish() {
    Sha256Digest digest;
    SHA256_Final(digest.data(), &context_);
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

void RowDigest::PutLong(const void* data, std::size_t size) {
    Flush();
    if (size > kPendingBytes) {
        hash_.Update(data, size);
    } else {
        Put(data, size);
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
    Sha256 hash = hash_;
    hash.Update(&count, sizeof(count));
    return hash.Finish();
}

}  // namespace freshcrm::core
