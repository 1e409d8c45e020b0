#include "core/replies.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

// Unsigned: the time from the first to the last that PostgreSQL knows is more than 2^63 µs.
std::uint64_t Between(std::int64_t earlier, std::int64_t later) {
    return static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier);
}

std::uint64_t HalfToEven(std::uint64_t value) {
    const std::uint64_t half = value / 2;
    return half + (value & half & 1);
}

std::uint64_t MedianOf(std::span<std::uint64_t> delays) {
    const auto upper = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() / 2);
    std::ranges::nth_element(delays, upper);
    if (delays.size() % 2 != 0) {
        return *upper;
    }
    const std::uint64_t lower = *std::max_element(delays.begin(), upper);
    return lower + HalfToEven(*upper - lower);
}

std::uint64_t MeanOf(std::span<const std::uint64_t> delays) {
    using Wide = unsigned __int128;
    const Wide sum = std::accumulate(delays.begin(), delays.end(), Wide{0});
    const Wide count = delays.size();
    return static_cast<std::uint64_t>((2 * sum + count) / (2 * count));
}

}  // namespace

void LatestMessages::Add(Message message) {
    if (message < oldest) {
        return;
    }
    messages[size++] = message;
    if (size == kMostRoom) {
        Cut();
    }
}

void LatestMessages::Cut() {
    if (size <= kMessagesKept) {
        return;
    }
    Message* const last = messages + kMessagesKept - 1;
    std::nth_element(messages, last, messages + size, std::greater<>());
    oldest = *last;
    size = kMessagesKept;
}

ReplyDelays MeasureReplies(std::span<Message> messages, std::uint64_t* delays) {
    std::ranges::sort(messages);
    std::size_t replies = 0;
    for (std::size_t i = 1; i < messages.size(); ++i) {
        if (messages[i - 1].outbound && !messages[i].outbound) {
            delays[replies++] = Between(messages[i - 1].at, messages[i].at);
        }
    }
    if (replies == 0) {
        return {};
    }
    const std::span<std::uint64_t> all(delays, replies);
    return {replies, MedianOf(all), MeanOf(all)};
}

}  // namespace freshcrm::core
