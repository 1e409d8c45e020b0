#include "core/event_kind.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

namespace freshcrm::core {
namespace {

std::string Capital(std::string_view word) {
    std::string capital(word);
    for (char& c : capital) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return capital;
}

// What the functions mean, said without any of their tricks.
std::string Small(std::string_view word) {
    std::string small(word);
    for (char& c : small) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return small;
}

Direction PlainDirectionOf(std::string_view word) {
    const std::string small = Small(word);
    return small == "inbound"    ? Direction::kInbound
           : small == "outbound" ? Direction::kOutbound
                                 : Direction::kOther;
}

unsigned PlainChannelOf(std::string_view word) {
    for (unsigned channel = 0; channel < kChannels; ++channel) {
        if (Small(word) == kChannelNames[channel]) {
            return channel;
        }
    }
    return kOtherChannel;
}

bool IsPlainFailure(std::string_view word) {
    const std::string small = Small(word);
    return small == "failed" || small == "bounced" || small == "undelivered" || small == "rejected";
}

void ExpectPlain(std::string_view word) {
    EXPECT_EQ(DirectionOf(word), PlainDirectionOf(word)) << word;
    EXPECT_EQ(ChannelOf(word), PlainChannelOf(word)) << word;
    EXPECT_EQ(IsFailure(word), IsPlainFailure(word)) << word;
}

TEST(EventKind, KnowsDirections) {
    EXPECT_EQ(DirectionOf("inbound"), Direction::kInbound);
    EXPECT_EQ(DirectionOf("OutBound"), Direction::kOutbound);
    for (const char* other :
         {"", "in", "inboun", "inbound ", " inbound", "outbounds", "inbounds"}) {
        EXPECT_EQ(DirectionOf(other), Direction::kOther) << other;
    }
    static_assert(DirectionOf("inbound") == Direction::kInbound);
}

TEST(EventKind, KnowsEveryChannelByItsNumber) {
    std::set<unsigned> numbers;
    for (unsigned channel = 0; channel < kChannels; ++channel) {
        EXPECT_EQ(ChannelOf(kChannelNames[channel]), channel);
        EXPECT_EQ(ChannelOf(Capital(kChannelNames[channel])), channel);
        EXPECT_LE(kChannelNames[channel].size(), kLongestWord);
    }
    EXPECT_EQ(kChannelNames[kOtherChannel], "other");
    EXPECT_EQ(ChannelOf("carrier pigeon"), kOtherChannel);
    EXPECT_EQ(ChannelOf(""), kOtherChannel);
    EXPECT_EQ(ChannelOf(std::string(1000, 'x')), kOtherChannel);
    EXPECT_EQ(ChannelOf(std::string(1000, 'X')), kOtherChannel);
    EXPECT_NE(ChannelOf("x"), kOtherChannel);
}

TEST(EventKind, KnowsFailures) {
    for (const char* failure :
         {"failed", "bounced", "undelivered", "rejected", "FAILED", "Bounced"}) {
        EXPECT_TRUE(IsFailure(failure)) << failure;
    }
    for (const char* other : {"", "sent", "delivered", "read", "fail", "failed!", "unfailed"}) {
        EXPECT_FALSE(IsFailure(other)) << other;
    }
}

// Only letters have two forms: of no other two bytes that differ in the same bit.
TEST(EventKind, EveryByteCountsEverywhere) {
    for (const std::string_view word :
         {"inbound", "outbound", "in_app", "x", "dm", "sms", "instagram", "voicemail", "failed",
          "undelivered", "other"}) {
        for (std::size_t at = 0; at < word.size(); ++at) {
            std::string changed(word);
            for (int byte = 0; byte < 256; ++byte) {
                changed[at] = static_cast<char>(byte);
                ExpectPlain(changed);
            }
        }
    }
}

TEST(EventKind, WordsOfAnyKindAndLength) {
    std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
    const std::string_view letters = "abefilmnoprstuxABEFILMNOPRSTUX_ \x7f\xc4";
    for (int i = 0; i < 200000; ++i) {
        std::string word;
        if (random() % 2 == 0) {
            word = kChannelNames[random() % kChannels];
        }
        for (std::size_t length = random() % 4; length > 0; --length) {
            const char c = letters[random() % letters.size()];
            const std::size_t at = random() % (word.size() + 1);
            if (at < word.size() && random() % 2 == 0) {
                word[at] = c;
            } else {
                word.insert(at, 1, c);
            }
        }
        ExpectPlain(word);
    }
}

}  // namespace
}  // namespace freshcrm::core
