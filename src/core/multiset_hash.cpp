#include "core/multiset_hash.hpp"

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

void AddTo(Wide* sum, const Wide& value) {
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < sum->size(); ++i) {
        const std::uint64_t partial = (*sum)[i] + carry;
        carry = partial < carry ? 1 : 0;
        (*sum)[i] = partial + value[i];
        carry += (*sum)[i] < partial ? 1 : 0;
    }
}

// 2^256 - value.
Wide Negative(const Wide& value) {
    Wide negative;
    for (std::size_t i = 0; i < value.size(); ++i) {
        negative[i] = ~value[i];
    }
    AddTo(&negative, {1});
    return negative;
}

Wide Times(const Wide& value, std::uint64_t factor) {
    constexpr std::uint64_t kLow = 0xffffffff;
    Wide product{};
    // In digits of 32 bits, of which a product fits.
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        const std::uint64_t digit = (value[i / 2] >> (32 * (i % 2))) & kLow;
        const std::uint64_t low = digit * (factor & kLow) + carry;
        product[i / 2] |= (low & kLow) << (32 * (i % 2));
        carry = low >> 32;
    }
    Wide shifted{};
    carry = 0;
    for (std::size_t i = 0; i < 7; ++i) {
        const std::uint64_t digit = (value[i / 2] >> (32 * (i % 2))) & kLow;
        const std::uint64_t high = digit * (factor >> 32) + carry;
        shifted[(i + 1) / 2] |= (high & kLow) << (32 * ((i + 1) % 2));
        carry = high >> 32;
    }
    AddTo(&product, shifted);
    return product;
}

}  // namespace

Wide ElementOf(std::span<const std::uint8_t, kSecretBytes> secret, std::string_view tag) {
    Sha256 hash;
    hash.Update(secret.data(), secret.size());
    hash.Update(tag.data(), tag.size());
    return FromBytes(hash.Finish());
}

void MultisetHash::Add(const Wide& element) {
    ++rows;
    AddTo(&sum, element);
}

void MultisetHash::Remove(const Wide& element) {
    --rows;
    AddTo(&sum, Negative(element));
}

void MultisetHash::Merge(const MultisetHash& other) {
    rows += other.rows;
    AddTo(&sum, other.sum);
}

void MultisetHash::Merge(const MultisetHash& other, std::uint64_t factor) {
    // Unsigned, since it may wrap around.
    rows = static_cast<std::int64_t>(static_cast<std::uint64_t>(rows) +
                                     static_cast<std::uint64_t>(other.rows) * factor);
    AddTo(&sum, Times(other.sum, factor));
}

bool MultisetHash::IsZero() const {
    return rows == 0 && sum == Wide{};
}

std::array<std::uint8_t, 32> ToBytes(const Wide& value) {
    std::array<std::uint8_t, 32> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[bytes.size() - 1 - i] = static_cast<std::uint8_t>(value[i / 8] >> (8 * (i % 8)));
    }
    return bytes;
}

Wide FromBytes(std::span<const std::uint8_t, 32> bytes) {
    Wide value{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        value[i / 8] |= std::uint64_t{bytes[bytes.size() - 1 - i]} << (8 * (i % 8));
    }
    return value;
}

}  // namespace freshcrm::core
