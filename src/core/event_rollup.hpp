// Counts of events by bucket of time, packed into one value of bytes: what a lead's whole history
// takes of a row. Canonical: the same events give the same bytes, in whatever order they come, so
// that a value that is kept up to date event by event equals one that is computed anew.
//
// Integers are varints: seven bits a byte, the lowest first, the top bit set on all bytes but the
// last; the shortest form alone, below 2^63.
//
//   value       := 03 · width · dimensions · combinations · combination* · [bucket · entry*]
//                  width: of a bucket in microseconds, one second at least; dimensions,
//                  combinations: how many
//   combination := 16 · size + flags · dimension* · [untimed] · [before] · [after] · [timed ·
//   newest]
//                  in ascending order of the bytes of their dimensions, each once
//                  size: of the dimensions, in bytes
//                  flags: 1 timed, 2 untimed, 4 before, 8 after; never 0
//                  untimed: how many events have no time; before: -infinity; after: infinity;
//                  timed: how many have a finite one; those not in flags are absent, others not 0
//                  newest: the last finite time, 8 bytes, the lowest first
//   dimension   := 0 (NULL) | 2 · w + 2 for the word w, from 0, of kNumberedWords | 2 · n + 1 · n
//                  bytes for another word
//   bucket      := that of the newest event of all with a finite time, 2n for n >= 0 and -2n - 1
//                  for n < 0; absent where there is no such event
//   entry       := gap · 2 · c for one event | gap · 2 · c + 1 · n for n + 2 of them
//                  the events of a bucket and a combination, of the newest bucket first and of the
//                  first combination first; gap: how many buckets it lies before the entry before
//                  it, 0 for the first one; c: which combination, from 0
//
// Times are microseconds since 2000-01-01 00:00 UTC, as in the server, and bucket n begins at
// n · width: buckets are the same in every time zone. The newest bucket comes first, so that a new
// event changes the beginning of the entries, and a window is counted without what lies before it.
//
// Whatever the bytes are, functions here stay within them and end; what is no value, or is found
// not to be one, is a CorruptRollup. They look at what they need only; CheckRollup() at everything.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>

namespace freshcrm::core {

using Bytes = std::span<const std::uint8_t>;

class CorruptRollup : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// A time of an event; none is NULL. The server's own numbers for infinite ones.
using EventTime = std::optional<std::int64_t>;
inline constexpr std::int64_t kBeforeAllTime = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kAfterAllTime = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kFirstTime = -211813488000000000;  // 4714-11-24 BC
inline constexpr std::int64_t kTimeEnd = 9223371331200000000;    // of the year 294276

inline constexpr std::int64_t kNarrowestBucket = 1000000;
inline constexpr unsigned kMostDimensions = 16;

struct RollupShape {
    std::int64_t width;
    unsigned dimensions;

    bool operator==(const RollupShape&) const = default;
};

// The bucket that a finite time is in: the quotient, rounded down.
inline std::int64_t BucketOf(std::int64_t time, std::int64_t width) {
    const std::int64_t quotient = time / width;
    return time % width < 0 ? quotient - 1 : quotient;
}

// Words that nearly all events have are stored as their number. The list is part of the form of a
// value: a word more is another version of it.
inline constexpr auto kNumberedWords = std::to_array<std::string_view>(
    {"inbound",  "outbound", "call",        "chat",      "dm",        "email",   "event",
     "facebook", "fax",      "form",        "in_app",    "instagram", "letter",  "line",
     "linkedin", "mail",     "meeting",     "messenger", "mms",       "other",   "phone",
     "push",     "rcs",      "reddit",      "signal",    "skype",     "slack",   "sms",
     "teams",    "telegram", "threads",     "tiktok",    "twitter",   "viber",   "video",
     "visit",    "voice",    "voicemail",   "web",       "webchat",   "webinar", "wechat",
     "whatsapp", "x",        "xing",        "youtube",   "zoom",      "sent",    "delivered",
     "read",     "replied",  "failed",      "bounced",   "opened",    "clicked", "queued",
     "received", "pending",  "unsubscribed"});

// Bytes of a combination's dimensions. `Room` is how many they take at most.
using DimensionValues = std::span<const std::optional<std::string_view>>;
std::size_t DimensionsRoom(DimensionValues values);
std::size_t WriteDimensions(DimensionValues values, std::uint8_t* out);

// What is said of the events of a combination, but their buckets.
struct Combination {
    Bytes dimensions;
    std::uint64_t untimed;
    std::uint64_t before;
    std::uint64_t after;
    std::uint64_t timed;
    std::int64_t newest;  // where timed is not 0
};

// Reads a value, combination by combination.
class RollupReader {
  public:
    explicit RollupReader(Bytes value);

    const RollupShape& shape() const { return shape_; }
    std::uint64_t combinations() const { return combinations_; }
    bool Next(Combination* combination);
    // Where the number of combinations is, and where the next one begins, from the start.
    std::size_t header() const { return header_; }
    std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
    // What comes behind the last combination that has been read: behind all of them, the entries.
    Bytes rest() const { return {at_, end_}; }

  private:
    const std::uint8_t* begin_;
    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::size_t header_;
    RollupShape shape_;
    std::uint64_t combinations_;
    std::uint64_t left_;
};

// Splits the bytes of dimensions: the next value, and takes it off.
std::optional<std::string_view> TakeDimension(Bytes* dimensions);

// Raises unless the bytes are those that the events would give that they stand for.
void CheckRollup(Bytes value);

// What follows writes values to `out`, and returns their size, which is at most the room named.
// `out` does not overlap what is read. Dimensions are those of WriteDimensions().

inline constexpr std::size_t kRoom = 160;

// A value without events, of which there is none but on the way to others.
std::size_t WriteEmptyRollup(const RollupShape& shape, std::uint8_t* out);

// The value with an event more. Room: twice the value + dimensions + kRoom.
std::size_t AddEvent(Bytes value, Bytes dimensions, EventTime time, std::uint8_t* out);

// The value of the events of both, which must be of the same shape. Room: four times both +
// kRoom.
std::size_t MergeRollups(Bytes one, Bytes other, std::uint8_t* out);

// One event of many that are packed together.
struct PendingEvent {
    const std::uint8_t* dimensions;
    std::uint32_t size;
    bool timed;
    std::int64_t time;
    std::uint32_t combination = 0;  // for PackEvents()
};

// The value of these events, which are not what they were then. Room: PackRoom().
std::size_t PackRoom(std::span<const PendingEvent> events);
std::size_t PackEvents(const RollupShape& shape, std::span<PendingEvent> events, std::uint8_t* out);

}  // namespace freshcrm::core
