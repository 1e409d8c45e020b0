// Which of some words another one is, asked for every event: found by a hash, most often with one
// comparison. Letters of ASCII count the same in upper and lower case.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace freshcrm::core {

// The longest word that can be among them, in bytes.
inline constexpr std::size_t kLongestWord = 16;

// `Size` bytes as an integer, the first one its least significant part.
template <std::size_t Size>
constexpr std::uint64_t LoadBytes(const char* bytes) noexcept {
    if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes, Size);
        return value;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < Size; ++i) {
        value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
}

class EventWords {
  public:
    // In small letters, of 1 to kLongestWord bytes; fewer than 128.
    constexpr explicit EventWords(std::span<const std::string_view> words) noexcept {
        for (std::size_t i = 0; i < words.size(); ++i) {
            const Bytes bytes = BytesOf(words[i]);
            std::size_t slot = SlotOf(bytes);
            while (slots_[slot].bytes.size != 0) {
                slot = (slot + 1) % kSlots;
            }
            slots_[slot] = {bytes, static_cast<unsigned>(i)};
        }
    }

    // Its place among the words, or `otherwise`.
    [[gnu::always_inline]] constexpr unsigned Find(std::string_view word,
                                                   unsigned otherwise) const noexcept {
        if (word.size() - 1 >= kLongestWord) {
            return otherwise;
        }
        const Bytes bytes = BytesOf(word);
        const Slot& slot = slots_[SlotOf(bytes)];
        return slot.bytes == bytes ? slot.number : FindFurther(word, otherwise);
    }

  private:
    // A word as integers that, together, belong to no other word: they have all its bytes, some of
    // them twice.
    struct Bytes {
        std::uint64_t head;
        std::uint64_t tail;
        std::size_t size;

        constexpr bool operator==(const Bytes&) const = default;
    };

    struct Slot {
        Bytes bytes;  // of no size: free
        unsigned number;
    };

    // Most of them are free, so that a search ends soon.
    static constexpr std::size_t kSlots = 256;

    [[gnu::always_inline]] static constexpr Bytes BytesOf(std::string_view word) noexcept {
        const char* const first = word.data();
        const std::size_t size = word.size();
        if (size >= 4) {
            // Four times four bytes, for any of these sizes, without a branch between them; as in
            // wyhash (https://github.com/wangyi-fudan/wyhash).
            const std::size_t step = size / 8 * 4;
            const char* const last = first + size - 4;
            return {LoadBytes<4>(first) | (LoadBytes<4>(first + step) << 32),
                    LoadBytes<4>(last) | (LoadBytes<4>(last - step) << 32), size};
        }
        return {LoadBytes<1>(first),
                (LoadBytes<1>(first + size / 2) << 8) | LoadBytes<1>(first + size - 1), size};
    }

    static constexpr std::size_t SlotOf(const Bytes& bytes) noexcept {
        // The multiplier of Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4).
        constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
        return ((bytes.head ^ (bytes.tail * 31) ^ bytes.size) * kGolden) >> 56;
    }

    constexpr const Slot* Search(const Bytes& bytes) const noexcept {
        for (std::size_t slot = SlotOf(bytes); slots_[slot].bytes.size != 0;
             slot = (slot + 1) % kSlots) {
            if (slots_[slot].bytes == bytes) {
                return &slots_[slot];
            }
        }
        return nullptr;
    }

    // Of a word that is not in the slot where it is looked for first: in another one, or in capital
    // letters, or none of the words.
    [[gnu::noinline]] constexpr unsigned FindFurther(std::string_view word,
                                                     unsigned otherwise) const noexcept {
        const Bytes bytes = BytesOf(word);
        const Slot* slot = Search(bytes);
        // A byte that has this bit is no capital letter.
        constexpr std::uint64_t kSmall = 0x2020202020202020;
        if (slot == nullptr && (bytes.head & bytes.tail & kSmall) != kSmall) {
            std::array<char, kLongestWord> small{};
            std::ranges::transform(word, small.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            slot = Search(BytesOf({small.data(), word.size()}));
        }
        return slot != nullptr ? slot->number : otherwise;
    }

    std::array<Slot, kSlots> slots_{};
};

}  // namespace freshcrm::core
