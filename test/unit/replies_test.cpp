#include "core/replies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace freshcrm::core {
namespace {

constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();

// With memory of its own.
class Latest {
  public:
    Latest()
        : room_(LatestMessages::kMostRoom),
          latest_{room_.data(), 0, LatestMessages::kMostRoom, {kFirst, false}} {}
    Latest(const Latest&) = delete;
    Latest& operator=(const Latest&) = delete;

    void Add(Message message) { latest_.Add(message); }
    void Add(Latest* other) {
        other->latest_.Cut();
        for (std::size_t i = 0; i < other->latest_.size; ++i) {
            latest_.Add(other->room_[i]);
        }
    }
    std::vector<Message> Kept() {
        latest_.Cut();
        return {room_.data(), room_.data() + latest_.size};
    }

  private:
    std::vector<Message> room_;
    LatestMessages latest_;
};

std::vector<Message> Sorted(std::vector<Message> messages) {
    std::ranges::sort(messages);
    return messages;
}

ReplyDelays Measure(std::vector<Message> messages) {
    std::vector<std::uint64_t> delays(messages.size() / 2);
    return MeasureReplies(messages, delays.data());
}

void ExpectDelays(std::vector<Message> messages, std::uint64_t replies, std::uint64_t median,
                  std::uint64_t mean) {
    const ReplyDelays delays = Measure(std::move(messages));
    EXPECT_EQ(delays.replies, replies);
    EXPECT_EQ(delays.median, median);
    EXPECT_EQ(delays.mean, mean);
}

Message In(std::int64_t at) {
    return {at, false};
}

Message Out(std::int64_t at) {
    return {at, true};
}

TEST(Replies, NoneWithoutAQuestion) {
    ExpectDelays({}, 0, 0, 0);
    ExpectDelays({In(1)}, 0, 0, 0);
    ExpectDelays({Out(1)}, 0, 0, 0);
    ExpectDelays({In(1), Out(2)}, 0, 0, 0);
}

TEST(Replies, TheFirstAnswerToTheLastQuestion) {
    ExpectDelays({Out(10), Out(20), In(25), In(100)}, 1, 5, 5);
    ExpectDelays({In(100), In(25), Out(20), Out(10)}, 1, 5, 5);
}

TEST(Replies, NothingIsAnsweredInTheMomentItIsSent) {
    ExpectDelays({Out(10), In(10)}, 0, 0, 0);
    ExpectDelays({In(10), Out(10), In(13)}, 1, 3, 3);
    ExpectDelays({Out(10), Out(10), In(13), In(13)}, 1, 3, 3);
}

TEST(Replies, MedianAndMeanAreRounded) {
    // 1, 2, 4.
    ExpectDelays({Out(0), In(1), Out(10), In(12), Out(20), In(24)}, 3, 2, 2);
    // 1, 2: 1.5 to even, and up.
    ExpectDelays({Out(0), In(1), Out(10), In(12)}, 2, 1, 2);
    // 2, 5: the difference is halved, 1.5, and becomes 2.
    ExpectDelays({Out(0), In(2), Out(10), In(15)}, 2, 4, 4);
    // 1, 1, 2: 4/3.
    ExpectDelays({Out(0), In(1), Out(10), In(11), Out(20), In(22)}, 3, 1, 1);
    // 1, 2, 2: 5/3.
    ExpectDelays({Out(0), In(1), Out(10), In(12), Out(20), In(22)}, 3, 2, 2);
}

TEST(Replies, OfAllTime) {
    constexpr std::int64_t kBegin = kFirst + 1;
    constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max() - 1;
    const auto whole = static_cast<std::uint64_t>(kEnd) - static_cast<std::uint64_t>(kBegin);
    ExpectDelays({Out(kBegin), In(kEnd)}, 1, whole, whole);
}

// What is kept are the latest, whatever the order and however they are divided; of equal ones as
// many as belong to them.
TEST(Replies, KeepsTheLatest) {
    std::mt19937_64 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
    for (int round = 0; round < 40; ++round) {
        const std::size_t size = random() % (4 * kMessagesKept);
        const std::int64_t times = round % 2 == 0 ? 500 : 1000000;
        std::vector<Message> all(size);
        for (Message& message : all) {
            message = {static_cast<std::int64_t>(random() % times), random() % 2 == 0};
        }
        Latest one;
        Latest parts[3];
        for (const Message& message : all) {
            one.Add(message);
            parts[random() % 3].Add(message);
        }
        parts[0].Add(&parts[1]);
        parts[2].Add(&parts[0]);
        std::ranges::sort(all, std::greater<>());
        all.resize(std::min(all.size(), kMessagesKept));
        std::ranges::reverse(all);
        EXPECT_EQ(Sorted(one.Kept()), all);
        EXPECT_EQ(Sorted(parts[2].Kept()), all);
    }
}

}  // namespace
}  // namespace freshcrm::core
