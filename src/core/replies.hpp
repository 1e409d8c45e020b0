// How fast a lead replies, by the latest messages from and to it.
//
// In order of time, a reply is a message from the lead (inbound) that comes right after one to it
// (outbound); its delay runs from that one. So of several outbound messages the last one is the one
// that is answered, and of several inbound ones the first one is the answer. Of messages of the
// same time inbound ones come first: nothing is answered in the moment in which it is sent.
//
// Only the latest kMessagesKept messages count, of those that a lead may have: the memory for them
// is bounded. Which ones these are depends neither on the order in which they are added nor on how
// they are divided among accumulators, since only equal messages have the same place in the order.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace freshcrm::core {

// In the order of time, in which inbound ones come first.
struct Message {
    std::int64_t at;  // µs, finite
    bool outbound;

    // clang-tidy 14 takes the zero that <=> is compared with for a pointer.
    auto operator<=>(const Message&) const = default;  // NOLINT(modernize-use-nullptr)
};

inline constexpr std::size_t kMessagesKept = 4096;

// The latest messages of those added, in no order. Plain, so that it can live where the server's
// errors pass by; `messages` is the caller's memory, with room for `room` of them.
struct LatestMessages {
    // So many are in memory at most. The more there are beyond kMessagesKept, the more rarely those
    // that no longer count have to be found.
    static constexpr std::size_t kMostRoom = kMessagesKept + kMessagesKept / 4;

    Message* messages;
    std::uint32_t size;
    std::uint32_t room;
    // A message before it is older than kMessagesKept others.
    Message oldest;

    // Whether the caller has to make more room before the next Add(); never beyond kMostRoom.
    bool IsFull() const { return size == room; }
    void Add(Message message);
    // Leaves kMessagesKept, of which size says how many there are.
    void Cut();
};

struct ReplyDelays {
    std::uint64_t replies;
    // µs, zero when there are no replies. The median of an even number is the mean of the two in
    // the middle, rounded half to even (as percentile_cont(0.5) of intervals does); the mean is
    // that of all, exact, rounded half up.
    std::uint64_t median;
    std::uint64_t mean;
};

// Of all these messages, which are put into order. `delays` has room for half as many.
ReplyDelays MeasureReplies(std::span<Message> messages, std::uint64_t* delays);

}  // namespace freshcrm::core
