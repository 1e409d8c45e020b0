// Packed events from arbitrary bytes: whatever they are, they are read within their bounds or
// refused; and what is a value stays one, and the same whatever way leads to it.
//
// An input is: a byte that chooses the time, one of flags, words of two dimensions, each after a
// line feed, and the bytes of a value after a third one.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "core/event_rollup.hpp"
#include "core/event_rollup_stats.hpp"

namespace {

using namespace freshcrm::core;

using Value = std::vector<std::uint8_t>;

constexpr std::int64_t kHour = 3600000000;

void Require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

std::string_view TakeLine(std::string_view* input) {
    const std::size_t end = std::min(input->find('\n'), input->size());
    const std::string_view line = input->substr(0, end);
    input->remove_prefix(std::min(end + 1, input->size()));
    return line;
}

// Exactly as large as allowed, so that a byte too many is seen.
template <typename Write>
std::optional<Value> Written(std::size_t room, Write write) {
    Value out(room);
    try {
        out.resize(write(out.data()));
    } catch (const CorruptRollup&) {
        return std::nullopt;
    }
    return out;
}

bool IsValue(Bytes bytes) {
    try {
        CheckRollup(bytes);
        return true;
    } catch (const CorruptRollup&) {
        return false;
    }
}

// With counts that grow by one or two without an end of integers.
bool IsOrdinary(Bytes bytes) {
    constexpr std::uint64_t kMany = std::uint64_t{1} << 60;
    if (!IsValue(bytes)) {
        return false;
    }
    RollupReader reader(bytes);
    Combination c{};
    while (reader.Next(&c)) {
        if (c.timed > kMany || c.untimed > kMany || c.before > kMany || c.after > kMany) {
            return false;
        }
    }
    return true;
}

EventTime TimeOf(std::uint8_t choice) {
    switch (choice % 8) {
        case 0:
            return std::nullopt;
        case 1:
            return kBeforeAllTime;
        case 2:
            return kAfterAllTime;
        case 3:
            return kFirstTime;
        case 4:
            return kTimeEnd - 1;
        default:
            return (choice - 128) * kHour / 3;
    }
}

void CheckStatistics(Bytes value, EventTime cutoff) {
    LeadEvents events{};
    events.cutoffs = {Cutoff{cutoff.value_or(0), !cutoff}, Cutoff{kHour, false}};
    try {
        AddRollup(value, {0, 1}, &events);
    } catch (const CorruptRollup&) {
        Require(!IsValue(value) || RollupReader(value).shape().dimensions < 2,
                "statistics are there of what is a value");
    }
}

void CheckChanges(Bytes value, Bytes dimensions, EventTime time) {
    const bool valid = IsOrdinary(value);
    const std::optional<Value> more =
        Written(2 * value.size() + dimensions.size() + kRoom,
                [&](std::uint8_t* out) { return AddEvent(value, dimensions, time, out); });
    if (!valid || RollupReader(value).shape().dimensions != 2) {
        return;
    }
    Require(more && IsValue(*more), "a value with an event more is a value");
    std::uint8_t one[2048];
    PendingEvent event{dimensions.data(), static_cast<std::uint32_t>(dimensions.size()),
                       time.has_value(), time.value_or(0)};
    Require(PackRoom({&event, 1}) <= sizeof(one), "there is room for an event");
    const Bytes packed(one, PackEvents(RollupReader(value).shape(), {&event, 1}, one));
    const std::optional<Value> merged =
        Written(4 * (value.size() + packed.size()) + kRoom,
                [&](std::uint8_t* out) { return MergeRollups(value, packed, out); });
    Require(merged && *merged == *more, "adding an event is merging its value");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const EventTime time = TimeOf(data[0]);
    const std::uint8_t flags = data[1];
    std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view first = TakeLine(&input);
    const std::string_view second = TakeLine(&input);
    const std::optional<std::string_view> words[] = {
        (flags & 1) != 0 ? std::nullopt : std::optional(first),
        (flags & 2) != 0 ? std::nullopt : std::optional(second)};
    Value dimensions(DimensionsRoom(words));
    dimensions.resize(WriteDimensions(words, dimensions.data()));
    // Memory of its own, so that a byte read beyond it is seen.
    const auto* begin = reinterpret_cast<const std::uint8_t*>(input.data());
    const Value value(begin, begin + input.size());
    CheckChanges(value, dimensions, time);
    CheckStatistics(value, time);
    const std::optional<Value> merged = Written(8 * value.size() + kRoom, [&](std::uint8_t* out) {
        return MergeRollups(value, value, out);
    });
    Require(!IsOrdinary(value) || (merged && IsValue(*merged)),
            "values that are merged are a value");
    return 0;
}
