#include "core/event_kind.hpp"

#include <optional>
#include <span>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

using event_kind_internal::Load;

// A word of 1 to kLongestWord bytes as integers that, together, belong to no other word: they have
// all its bytes, some of them twice.
struct Bytes {
    std::uint64_t head;
    std::uint64_t tail;
    std::size_t size;

    constexpr bool operator==(const Bytes&) const = default;
};

[[gnu::always_inline]] constexpr Bytes BytesOf(std::string_view word) noexcept {
    const char* const first = word.data();
    const std::size_t size = word.size();
    if (size >= 4) {
        // Four times four bytes, for any of these sizes, without a branch between them; as in
        // wyhash (https://github.com/wangyi-fudan/wyhash).
        const std::size_t step = size / 8 * 4;
        const char* const last = first + size - 4;
        return {Load<4>(first) | (Load<4>(first + step) << 32),
                Load<4>(last) | (Load<4>(last - step) << 32), size};
    }
    return {Load<1>(first), (Load<1>(first + size / 2) << 8) | Load<1>(first + size - 1), size};
}

// Which of some words, in small letters, another one is: found by a hash, with one comparison or
// two, since this is done for every event.
class Words {
  public:
    constexpr explicit Words(std::span<const std::string_view> words) noexcept {
        for (std::size_t i = 0; i < words.size(); ++i) {
            const Bytes bytes = BytesOf(words[i]);
            std::size_t slot = SlotOf(bytes);
            while (slots_[slot].bytes.size != 0) {
                slot = (slot + 1) % kSlots;
            }
            slots_[slot] = {bytes, static_cast<unsigned>(i)};
        }
    }

    std::optional<unsigned> Find(std::string_view word) const noexcept {
        if (word.empty() || word.size() > kLongestWord) {
            return std::nullopt;
        }
        const Bytes bytes = BytesOf(word);
        const std::optional<unsigned> found = Find(bytes);
        return found.has_value() || !MayHaveCapitals(bytes) ? found : FindInSmallLetters(word);
    }

  private:
    struct Slot {
        Bytes bytes;  // of no size: free
        unsigned number;
    };

    // Most of them are free, so that a search ends soon.
    static constexpr std::size_t kSlots = 256;

    static constexpr std::size_t SlotOf(const Bytes& bytes) noexcept {
        // The multiplier of Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4).
        constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
        return ((bytes.head ^ (bytes.tail * 31) ^ bytes.size) * kGolden) >> 56;
    }

    // A byte that has this bit is no capital letter.
    static constexpr bool MayHaveCapitals(const Bytes& bytes) noexcept {
        constexpr std::uint64_t kSmall = 0x2020202020202020;
        return (bytes.head & bytes.tail & kSmall) != kSmall;
    }

    std::optional<unsigned> Find(const Bytes& bytes) const noexcept {
        for (std::size_t slot = SlotOf(bytes); slots_[slot].bytes.size != 0;
             slot = (slot + 1) % kSlots) {
            if (slots_[slot].bytes == bytes) {
                return slots_[slot].number;
            }
        }
        return std::nullopt;
    }

    [[gnu::noinline, gnu::cold]] std::optional<unsigned> FindInSmallLetters(
        std::string_view word) const noexcept {
        std::array<char, kLongestWord> small;
        std::ranges::transform(word, small.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        return Find(BytesOf({small.data(), word.size()}));
    }

    std::array<Slot, kSlots> slots_{};
};

constexpr Words kChannelWords(kChannelNames);

constexpr std::array<std::string_view, 4> kFailures{"bounced", "failed", "rejected", "undelivered"};
constexpr Words kFailureWords(kFailures);

}  // namespace

unsigned ChannelOf(std::string_view word) noexcept {
    return kChannelWords.Find(word).value_or(kOtherChannel);
}

bool IsFailure(std::string_view status) noexcept {
    return kFailureWords.Find(status).has_value();
}

}  // namespace freshcrm::core
