// What an event of a lead is, by the words that applications write: its direction, its channel, and
// whether it came to nothing.
//
// Words are taken as bytes; letters of ASCII count the same in upper and lower case, and nothing
// else does (neither spaces around a word nor letters that a locale takes for these). A word that
// is not known is one of the kind "other": it is counted there, and never an error.
//
// Nothing is allocated and nothing throws.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/event_words.hpp"

namespace freshcrm::core {

enum class Direction : std::uint8_t { kInbound, kOutbound, kOther };

inline constexpr std::size_t kDirections = 3;

// The first and the last four bytes of "inbound" and "outbound": of the shorter one, one is among
// both.
inline constexpr std::uint64_t kDirectionBytes[2] = {
    LoadBytes<4>("inbo") | (LoadBytes<4>("ound") << 32), LoadBytes<8>("outbound")};

// "inbound" and "outbound"; all else is other. It is asked for every event, in which one follows
// the other as it likes: so there is no branch between the two.
constexpr Direction DirectionOf(std::string_view word) noexcept {
    if (word.size() != 7 && word.size() != 8) {
        return Direction::kOther;
    }
    // Makes a letter a small one. What is none never becomes one: only a letter differs from a
    // small letter in this bit alone.
    constexpr std::uint64_t kSmall = 0x2020202020202020;
    const std::uint64_t bytes =
        kSmall | (LoadBytes<4>(word.data()) | (LoadBytes<4>(word.data() + word.size() - 4) << 32));
    const auto longer = static_cast<unsigned>(word.size() - 7);
    const unsigned other = bytes == kDirectionBytes[longer] ? 0 : 1;
    static_assert(static_cast<int>(Direction::kInbound) == 0 &&
                  static_cast<int>(Direction::kOutbound) == 1 &&
                  static_cast<int>(Direction::kOther) == 2);
    return static_cast<Direction>((longer & ~other) | (other << 1));
}

inline constexpr std::array<std::string_view, 45> kChannelNames{
    "call",     "chat",      "dm",     "email",     "event",    "facebook", "fax",     "form",
    "in_app",   "instagram", "letter", "line",      "linkedin", "mail",     "meeting", "messenger",
    "mms",      "other",     "phone",  "push",      "rcs",      "reddit",   "signal",  "skype",
    "slack",    "sms",       "teams",  "telegram",  "threads",  "tiktok",   "twitter", "viber",
    "video",    "visit",     "voice",  "voicemail", "web",      "webchat",  "webinar", "wechat",
    "whatsapp", "x",         "xing",   "youtube",   "zoom"};

// Channels have numbers: their places among the names, fewer than 64, so that a set of them is a
// bit each of a std::uint64_t. A number is not to be stored: another version may know more names.
inline constexpr unsigned kChannels = kChannelNames.size();
static_assert(kChannels < 64 && std::ranges::is_sorted(kChannelNames));

// Stands for every channel that is not known, too.
inline constexpr unsigned kOtherChannel =
    std::ranges::lower_bound(kChannelNames, "other") - kChannelNames.begin();

inline constexpr EventWords kChannelWords(kChannelNames);

// The channel of that name, kOtherChannel when there is none.
[[gnu::always_inline]] inline unsigned ChannelOf(std::string_view word) noexcept {
    return kChannelWords.Find(word, kOtherChannel);
}

// Whether a status says that a message did not reach anybody: "failed", "bounced", "undelivered" or
// "rejected".
bool IsFailure(std::string_view status) noexcept;

}  // namespace freshcrm::core
