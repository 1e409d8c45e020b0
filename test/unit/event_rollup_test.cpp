#include "core/event_rollup.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/event_rollup_io.hpp"
#include "core/event_rollup_stats.hpp"

namespace freshcrm::core {
namespace {

constexpr std::int64_t kSecond = 1000000;
constexpr std::int64_t kHour = 3600 * kSecond;

using Value = std::vector<std::uint8_t>;
using Words = std::vector<std::optional<std::string>>;

struct Sample {
    Words words;
    EventTime time;

    auto operator<=>(const Sample&) const = default;
};

Value DimensionsOf(const Words& words) {
    std::vector<std::optional<std::string_view>> values(words.begin(), words.end());
    Value bytes(DimensionsRoom(values));
    bytes.resize(WriteDimensions(values, bytes.data()));
    return bytes;
}

Value Empty(const RollupShape& shape) {
    Value value(kRoom);
    value.resize(WriteEmptyRollup(shape, value.data()));
    return value;
}

Value Add(const Value& value, const Sample& event) {
    const Value dimensions = DimensionsOf(event.words);
    Value out(2 * value.size() + dimensions.size() + kRoom);
    out.resize(AddEvent(value, dimensions, event.time, out.data()));
    CheckRollup(out);
    return out;
}

Value Merge(const Value& one, const Value& other) {
    Value out(4 * (one.size() + other.size()) + kRoom);
    out.resize(MergeRollups(one, other, out.data()));
    CheckRollup(out);
    return out;
}

Value Pack(const RollupShape& shape, const std::vector<Sample>& events) {
    std::vector<Value> dimensions;
    dimensions.reserve(events.size());
    for (const Sample& event : events) {
        dimensions.push_back(DimensionsOf(event.words));
    }
    std::vector<PendingEvent> pending;
    pending.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        pending.push_back({dimensions[i].data(), static_cast<std::uint32_t>(dimensions[i].size()),
                           events[i].time.has_value(), events[i].time.value_or(0)});
    }
    Value out(PackRoom(pending));
    out.resize(PackEvents(shape, pending, out.data()));
    CheckRollup(out);
    return out;
}

Value AddAll(const RollupShape& shape, const std::vector<Sample>& events) {
    Value value = Empty(shape);
    for (const Sample& event : events) {
        value = Add(value, event);
    }
    return value;
}

class Random {
  public:
    explicit Random(unsigned seed) : engine_(seed) {}

    std::int64_t Below(std::int64_t end) {
        return std::uniform_int_distribution<std::int64_t>(0, end - 1)(engine_);
    }
    template <typename T>
    const T& Of(const std::vector<T>& values) {
        return values[static_cast<std::size_t>(Below(static_cast<std::int64_t>(values.size())))];
    }
    std::optional<std::string> Word() {
        static const std::vector<std::optional<std::string>> words{
            "inbound", "Outbound", "", "x", std::nullopt, std::string(300, 'y'), "email"};
        return Of(words);
    }
    EventTime Time() {
        switch (Below(20)) {
            case 0:
                return std::nullopt;
            case 1:
                return kBeforeAllTime;
            case 2:
                return kAfterAllTime;
            case 3:
                return Below(2) == 0 ? kFirstTime : kTimeEnd - 1;
            case 4:
                return (Below(5) - 2) * kHour;
            default:
                return Below(60 * kHour) - 30 * kHour;
        }
    }
    std::vector<Sample> Events(unsigned dimensions, std::size_t most) {
        std::vector<Sample> events(
            static_cast<std::size_t>(Below(static_cast<std::int64_t>(most))) + 1);
        for (Sample& event : events) {
            for (unsigned i = 0; i < dimensions; ++i) {
                event.words.push_back(Word());
            }
            event.time = Time();
        }
        return events;
    }
    template <typename T>
    void Shuffle(std::vector<T>* values) {
        std::shuffle(values->begin(), values->end(), engine_);
    }

  private:
    std::mt19937_64 engine_;
};

RollupShape ShapeOf(unsigned seed) {
    static constexpr std::int64_t kWidths[] = {kSecond, kHour, 168 * kHour, 3 * kSecond + 7};
    return {kWidths[seed % 4], seed / 4 % 3};
}

// Byte for byte, so that another version of the code reads what this one has stored.
TEST(EventRollup, TheFormIsAsSpecified) {
    const RollupShape shape{kHour, 2};
    const Value value = AddAll(shape, {{{"inbound", std::nullopt}, 5 * kHour + 1},
                                       {{"inbound", std::nullopt}, 5 * kHour + 200},
                                       {{"inbound", std::nullopt}, 3 * kHour + 2},
                                       {{"inbound", std::nullopt}, -kHour},
                                       {{"inbound", std::nullopt}, -kHour},
                                       {{"inbound", std::nullopt}, -kHour},
                                       {{"inbound", std::nullopt}, std::nullopt},
                                       {{std::nullopt, "x"}, kAfterAllTime}});
    const Value expected{3, 0x80, 0xc8, 0xce, 0xb4, 0x0d, 2, 2,  // version, an hour, two
                                                                 // dimensions, two combinations
                         0x28, 0, 88, 1,                         // NULL, x: one event at infinity
                         0x23, 2, 0, 1, 6,  // inbound, NULL: 1 without time, 6 with one
                         0xc8, 0x34, 0xe2, 0x30, 0x04, 0x00, 0x00, 0x00,  // the newest
                         10,                                              // bucket 5
                         0, 3, 0,                                         // 2 events
                         2, 2,                                            // two buckets before it 1
                         4, 3, 1};  // four buckets before that 3
    EXPECT_EQ(value, expected);
}

TEST(EventRollup, WordsAreNumbersOrLetters) {
    const auto stored = [](const std::string& word) { return DimensionsOf({word}); };
    EXPECT_EQ(stored("outbound"), (Value{4}));
    EXPECT_EQ(stored("unsubscribed"), (Value{2 * kNumberedWords.size()}));
    EXPECT_EQ(stored("SMS"), (Value{7, 'S', 'M', 'S'}));
    EXPECT_EQ(stored(""), (Value{1}));
    for (const std::string_view word : kNumberedWords) {
        const Value number = stored(std::string(word));
        EXPECT_EQ(number.size(), 1U) << word;
        Bytes rest = number;
        EXPECT_EQ(TakeDimension(&rest), word);
        EXPECT_TRUE(rest.empty());
    }
    // A number that no word has, and a word that has a number, spelled out.
    const auto with = [](const Value& dimensions) {
        Value value{3, 0x80, 0xc8, 0xce, 0xb4, 0x0d, 1, 1};
        value.push_back(static_cast<std::uint8_t>(16 * dimensions.size() + 2));
        value.insert(value.end(), dimensions.begin(), dimensions.end());
        value.push_back(1);
        return value;
    };
    EXPECT_NO_THROW(CheckRollup(with({2 * kNumberedWords.size()})));
    EXPECT_THROW(CheckRollup(with({2 * kNumberedWords.size() + 2})), CorruptRollup);
    EXPECT_NO_THROW(CheckRollup(with({3, 'y'})));
    EXPECT_THROW(CheckRollup(with({3, 'x'})), CorruptRollup);
}

TEST(EventRollup, TheSameBytesInAnyOrder) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        Random random(seed);
        const RollupShape shape = ShapeOf(seed);
        std::vector<Sample> events = random.Events(shape.dimensions, 60);
        const Value value = AddAll(shape, events);
        random.Shuffle(&events);
        ASSERT_EQ(AddAll(shape, events), value) << seed;
        random.Shuffle(&events);
        ASSERT_EQ(Pack(shape, events), value) << seed;
        const auto middle = events.begin() + static_cast<std::ptrdiff_t>(events.size() / 2);
        const std::vector<Sample> front(events.begin(), middle);
        const std::vector<Sample> back(middle, events.end());
        const Value merged = front.empty() ? Merge(Empty(shape), Pack(shape, back))
                                           : Merge(Pack(shape, front), Pack(shape, back));
        ASSERT_EQ(merged, value) << seed;
    }
}

struct Counts {
    std::map<std::int64_t, std::uint64_t> buckets;
    std::uint64_t untimed = 0, before = 0, after = 0;
    std::optional<std::int64_t> newest;

    bool operator==(const Counts&) const = default;
};

std::int64_t FloorBucket(std::int64_t time, std::int64_t width) {
    std::int64_t bucket = time / width;
    while (bucket * width > time) {
        --bucket;
    }
    return bucket;
}

TEST(EventRollup, ItIsReadAsItWasWritten) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        Random random(seed);
        const RollupShape shape = ShapeOf(seed);
        const std::vector<Sample> events = random.Events(shape.dimensions, 100);
        std::map<Words, Counts> expected;
        for (const Sample& event : events) {
            Counts& counts = expected[event.words];
            if (!event.time) {
                ++counts.untimed;
            } else if (*event.time == kBeforeAllTime) {
                ++counts.before;
            } else if (*event.time == kAfterAllTime) {
                ++counts.after;
            } else {
                ++counts.buckets[FloorBucket(*event.time, shape.width)];
                counts.newest = std::max(counts.newest.value_or(*event.time), *event.time);
            }
        }
        std::map<Words, Counts> found;
        std::vector<Words> combinations;
        const Value value = Pack(shape, events);
        RollupReader reader(value);
        EXPECT_EQ(reader.shape(), shape);
        Combination c{};
        while (reader.Next(&c)) {
            Words words;
            for (Bytes rest = c.dimensions; !rest.empty();) {
                const auto word = TakeDimension(&rest);
                words.push_back(word ? std::optional<std::string>(*word) : std::nullopt);
            }
            Counts counts{{}, c.untimed, c.before, c.after, std::nullopt};
            if (c.timed > 0) {
                counts.newest = c.newest;
            }
            found[words] = counts;
            combinations.push_back(words);
        }
        EntryReader entries(reader.rest());
        while (entries.Next()) {
            found[combinations.at(entries.combination)].buckets[entries.bucket] = entries.count;
        }
        ASSERT_EQ(found, expected) << seed;
    }
}

// By the definition, event by event: all of them, or those of edges alone.
LeadEvents Expected(const std::vector<Sample>& events, const std::array<Cutoff, 2>& cutoffs,
                    std::optional<std::int64_t> edges_of_width) {
    LeadEvents expected{};
    expected.cutoffs = cutoffs;
    for (const Sample& event : events) {
        if (edges_of_width &&
            std::none_of(cutoffs.begin(), cutoffs.end(), [&](const Cutoff& cutoff) {
                return !cutoff.null && event.time && *event.time >= cutoff.at &&
                       *event.time < EdgeEnd(*edges_of_width, cutoff.at);
            })) {
            continue;
        }
        const Direction direction =
            event.words[0] ? DirectionOf(*event.words[0]) : Direction::kOther;
        if (event.words[1]) {
            expected.AddChannel(ChannelOf(*event.words[1]));
        }
        if (event.time) {
            expected.Add(direction, *event.time);
        } else {
            expected.AddWithoutTime(direction);
        }
    }
    return expected;
}

// Above all of cutoffs in the same bucket, in neighbouring ones, and at the start of one.
std::array<Cutoff, 2> RandomCutoffs(Random* random, std::int64_t width) {
    std::array<Cutoff, 2> cutoffs;
    for (Cutoff& cutoff : cutoffs) {
        const EventTime at = random->Time();
        cutoff = {at.value_or(0), !at};
    }
    if (!cutoffs[0].null && cutoffs[0].at != kBeforeAllTime && cutoffs[0].at != kAfterAllTime) {
        const std::int64_t start = BucketOf(cutoffs[0].at, width) * width;
        switch (random->Below(5)) {
            case 0:
                cutoffs[1] = {start + random->Below(width), false};
                break;
            case 1:
                cutoffs = {Cutoff{start, false}, Cutoff{start + random->Below(width), false}};
                break;
            default:
                break;
        }
    }
    if (cutoffs[1].Precedes(cutoffs[0])) {
        std::swap(cutoffs[0], cutoffs[1]);
    }
    return cutoffs;
}

TEST(EventRollup, StatisticsAreThoseOfTheEventsWithTheirEdges) {
    for (unsigned seed = 0; seed < 3000; ++seed) {
        Random random(seed);
        const RollupShape shape{ShapeOf(seed).width, 2};
        const std::vector<Sample> events = random.Events(2, 80);
        const std::array<Cutoff, 2> cutoffs = RandomCutoffs(&random, shape.width);
        LeadEvents found{};
        found.cutoffs = cutoffs;
        AddRollup(Pack(shape, events), {0, 1}, &found);
        const LeadEvents edges = Expected(events, cutoffs, shape.width);
        AddEdges(
            {edges.Of(Direction::kInbound).in_window, edges.Of(Direction::kOutbound).in_window},
            shape.width, &found);
        const LeadEvents expected = Expected(events, cutoffs, std::nullopt);
        ASSERT_EQ(found.channels, expected.channels) << seed;
        for (const Direction direction :
             {Direction::kInbound, Direction::kOutbound, Direction::kOther}) {
            const LeadEvents::Counts& counts = found.Of(direction);
            ASSERT_EQ(counts.total(), expected.Of(direction).total()) << seed;
            ASSERT_EQ(counts.timed, expected.Of(direction).timed) << seed;
            ASSERT_EQ(counts.last, expected.Of(direction).last) << seed;
            if (direction != Direction::kOther) {
                ASSERT_EQ(counts.in_window, expected.Of(direction).in_window) << seed;
            }
        }
    }
}

// More than are counted in one go.
TEST(EventRollup, AllEntriesAreCounted) {
    constexpr std::size_t kMore = 5'000'000;
    Value value = Pack({kNarrowestBucket, 2}, {{{"inbound", "email"}, kTimeEnd / 2}});
    for (std::size_t i = 0; i < kMore; ++i) {
        value.insert(value.end(), {1, 0});
    }
    LeadEvents found{};
    found.cutoffs = {Cutoff{kBeforeAllTime, false},
                     Cutoff{kTimeEnd / 2 - 10 * kNarrowestBucket, false}};
    AddRollup(value, {0, 1}, &found);
    EXPECT_EQ(found.Of(Direction::kInbound).in_window[0], static_cast<std::int64_t>(kMore + 1));
    EXPECT_NEAR(static_cast<double>(found.Of(Direction::kInbound).in_window[1]), 10, 1);
    EXPECT_EQ(found.Of(Direction::kOutbound).in_window[0], 0);
    EXPECT_EQ(found.Of(Direction::kOther).in_window[0], 0);
}

// Wherever it is among others.
TEST(EventRollup, AnEntryOfNoCombinationIsRefused) {
    const Value good = Pack({kHour, 2}, {{{"inbound", "email"}, 0}});
    for (std::size_t place = 0; place < 10; ++place) {
        Value value = good;
        for (std::size_t i = 0; i < 10; ++i) {
            value.insert(value.end(), {1, static_cast<std::uint8_t>(i == place ? 2 : 0)});
        }
        LeadEvents events{};
        events.cutoffs = {Cutoff{kBeforeAllTime, false}, Cutoff{kBeforeAllTime, false}};
        EXPECT_THROW(AddRollup(value, {0, 1}, &events), CorruptRollup) << place;
    }
}

TEST(EventRollup, EdgesEndWithTheirBuckets) {
    EXPECT_EQ(EdgeEnd(kHour, 1), kHour);
    EXPECT_EQ(EdgeEnd(kHour, kHour), kHour);
    EXPECT_EQ(EdgeEnd(kHour, -1), 0);
    EXPECT_EQ(EdgeEnd(kHour, kBeforeAllTime), kBeforeAllTime);
    EXPECT_EQ(EdgeEnd(kHour, kAfterAllTime), kAfterAllTime);
    EXPECT_EQ(EdgeEnd(kAfterAllTime, 1), kAfterAllTime);
    EXPECT_EQ(EdgeEnd(10000000 * kHour, kTimeEnd - 1), kAfterAllTime);
}

// Of damaged values nothing is said but that they are; sanitizers see what is read and written.
TEST(EventRollup, DamageIsFoundOrHarmless) {
    std::size_t found = 0;
    for (unsigned seed = 0; seed < 2000; ++seed) {
        Random random(seed);
        const RollupShape shape{ShapeOf(seed).width, 2};
        const std::vector<Sample> events = random.Events(2, 20);
        Value value = Pack(shape, events);
        const Value other = Pack(shape, random.Events(2, 20));
        for (std::int64_t i = random.Below(4); i >= 0; --i) {
            const auto at =
                static_cast<std::size_t>(random.Below(static_cast<std::int64_t>(value.size())));
            switch (random.Below(3)) {
                case 0:
                    value[at] = static_cast<std::uint8_t>(random.Below(256));
                    break;
                case 1:
                    value.resize(at + 1);
                    break;
                default:
                    value.insert(value.begin() + static_cast<std::ptrdiff_t>(at), 0xff);
            }
        }
        const auto attempt = [&](auto f) {
            try {
                f();
            } catch (const CorruptRollup&) {
                ++found;
            }
        };
        const Value dimensions = DimensionsOf(events[0].words);
        Value out(4 * (value.size() + other.size()) + dimensions.size() + kRoom);
        attempt([&] { CheckRollup(value); });
        attempt([&] { AddEvent(value, dimensions, events[0].time, out.data()); });
        attempt([&] { MergeRollups(value, other, out.data()); });
        attempt([&] {
            LeadEvents into{};
            into.cutoffs = {Cutoff{-kHour, false}, Cutoff{kHour, false}};
            AddRollup(value, {0, 1}, &into);
        });
    }
    EXPECT_GT(found, 2000U);
}

TEST(EventRollup, WhatIsNoValueIsRefused) {
    const Value good = Pack({kHour, 1}, {{{"a"}, 1}});
    for (std::size_t size = 0; size < good.size(); ++size) {
        const Value cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_THROW(CheckRollup(cut), CorruptRollup) << size;
    }
    Value twice = good;
    twice.insert(twice.end(), {0, 0});
    EXPECT_THROW(CheckRollup(twice), CorruptRollup);
    EXPECT_NO_THROW(CheckRollup(Empty({kHour, 1})));
    EXPECT_THROW(CheckRollup(Value{2, 0x80, 0xc8, 0xce, 0xb4, 0x0d, 0, 0}), CorruptRollup);
    EXPECT_THROW(CheckRollup(Value{3, 1, 0, 0}), CorruptRollup);
    EXPECT_THROW(CheckRollup(Value{3, 0x80, 0xc8, 0xce, 0xb4, 0x0d, 17, 0}), CorruptRollup);
    LeadEvents events{};
    EXPECT_THROW(AddRollup(good, {0, 1}, &events), CorruptRollup);
    const Value other = Pack({2 * kHour, 1}, {{{"a"}, 1}});
    Value out(1000);
    EXPECT_THROW((void)MergeRollups(good, other, out.data()), CorruptRollup);
}

}  // namespace
}  // namespace freshcrm::core
