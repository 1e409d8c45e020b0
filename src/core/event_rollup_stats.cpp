#include "core/event_rollup_stats.hpp"

#include <cstring>

#include "core/event_rollup_io.hpp"
#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr std::int64_t kNoBucket = std::numeric_limits<std::int64_t>::min();

// The whole buckets of a window.
struct WholeBuckets {
    std::int64_t first;
    std::int64_t edge;  // the bucket that is cut, or kNoBucket
};

WholeBuckets WholeBucketsOf(const Cutoff& cutoff, std::int64_t width) {
    if (cutoff.null || cutoff.at == kAfterAllTime) {
        return {std::numeric_limits<std::int64_t>::max(), kNoBucket};
    }
    if (cutoff.at == kBeforeAllTime) {
        return {kNoBucket, kNoBucket};
    }
    const std::int64_t bucket = BucketOf(cutoff.at, width);
    return cutoff.at % width == 0 ? WholeBuckets{bucket, kNoBucket}
                                  : WholeBuckets{bucket + 1, bucket};
}

struct Kind {
    Direction direction;
    bool has_channel;
    std::uint8_t channel;
};

Kind KindOf(Bytes dimensions, unsigned count, const KindDimensions& places) {
    Kind kind{Direction::kOther, false, 0};
    for (unsigned i = 0; i < count; ++i) {
        const std::optional<std::string_view> word = TakeDimension(&dimensions);
        if (!word) {
            continue;
        }
        if (i == places.direction) {
            kind.direction = DirectionOf(*word);
        }
        if (i == places.channel) {
            kind.has_channel = true;
            kind.channel = static_cast<std::uint8_t>(ChannelOf(*word));
        }
    }
    return kind;
}

// What short combinations mean. There are few of them, which the values of all leads have.
class KindMemory {
  public:
    Kind Get(Bytes dimensions, unsigned count, const KindDimensions& places) {
        if (dimensions.size() > kLongest || dimensions.empty()) {
            return KindOf(dimensions, count, places);
        }
        if (count != count_ || places != places_) {
            *this = KindMemory();
            count_ = count;
            places_ = places;
        }
        Entry& entry = entries_[Slot(dimensions)];
        if (entry.size != dimensions.size() ||
            std::memcmp(entry.bytes, dimensions.data(), dimensions.size()) != 0) {
            entry.kind = KindOf(dimensions, count, places);
            entry.size = static_cast<std::uint8_t>(dimensions.size());
            std::memcpy(entry.bytes, dimensions.data(), dimensions.size());
        }
        return entry.kind;
    }

  private:
    static constexpr std::size_t kLongest = 60;
    static constexpr std::size_t kEntries = 128;

    struct Entry {
        std::uint8_t size;  // 0: free
        Kind kind;
        std::uint8_t bytes[kLongest];
    };

    static std::size_t Slot(Bytes bytes) {
        std::uint64_t hash = bytes.size();
        std::size_t i = 0;
        for (; i + 8 <= bytes.size(); i += 8) {
            std::uint64_t word;
            std::memcpy(&word, bytes.data() + i, 8);
            hash = (hash ^ word) * 0x9e3779b97f4a7c15;
        }
        for (; i < bytes.size(); ++i) {
            hash = (hash ^ bytes[i]) * 0x9e3779b97f4a7c15;
        }
        return (hash >> 32) % kEntries;
    }

    unsigned count_ = 0;
    KindDimensions places_{};
    Entry entries_[kEntries]{};
};

void AddWindows(const Combination& c, const WholeBuckets (&windows)[2],
                LeadEvents::Counts* counts) {
    const std::int64_t oldest = std::min(windows[0].first, windows[1].first);
    BucketReader reader(c);
    do {
        if (reader.bucket < oldest) {
            break;
        }
        const auto count = static_cast<std::int64_t>(reader.count);
        for (unsigned i = 0; i < 2; ++i) {
            counts->in_window[i] += reader.bucket >= windows[i].first ? count : 0;
        }
    } while (reader.Next());
}

void AddCombination(const Combination& c, std::int64_t width, const WholeBuckets (&windows)[2],
                    const std::array<Cutoff, 2>& cutoffs, LeadEvents::Counts* counts) {
    const auto timed = static_cast<std::int64_t>(c.timed + c.before + c.after);
    counts->total += timed + static_cast<std::int64_t>(c.untimed);
    counts->timed += timed;
    for (unsigned i = 0; i < 2; ++i) {
        if (!cutoffs[i].null) {
            const std::uint64_t before = cutoffs[i].at == kBeforeAllTime ? c.before : 0;
            counts->in_window[i] += static_cast<std::int64_t>(c.after + before);
        }
    }
    if (c.timed > 0) {
        counts->last = std::max(counts->last, c.Newest(width));
        AddWindows(c, windows, counts);
    }
    if (c.after > 0) {
        counts->last = kAfterAllTime;
    }
}

}  // namespace

void AddRollup(Bytes value, const KindDimensions& dimensions, LeadEvents* events) {
    static KindMemory memory;
    RollupReader reader(value);
    const RollupShape& shape = reader.shape();
    if (dimensions.direction >= shape.dimensions || dimensions.channel >= shape.dimensions) {
        throw CorruptRollup("it has fewer dimensions");
    }
    const WholeBuckets windows[2] = {WholeBucketsOf(events->cutoffs[0], shape.width),
                                     WholeBucketsOf(events->cutoffs[1], shape.width)};
    Combination c{};
    while (reader.Next(&c)) {
        const Kind kind = memory.Get(c.dimensions, shape.dimensions, dimensions);
        if (kind.has_channel) {
            events->AddChannel(kind.channel);
        }
        AddCombination(c, shape.width, windows, events->cutoffs, &events->Of(kind.direction));
    }
}

void AddEdges(const EdgeCounts& edges, std::int64_t width, LeadEvents* events) {
    const std::int64_t first = WholeBucketsOf(events->cutoffs[0], width).edge;
    const bool same_bucket =
        first != kNoBucket && first == WholeBucketsOf(events->cutoffs[1], width).edge;
    const auto add = [&](Direction direction, const std::array<std::int64_t, 2>& counts) {
        std::array<std::int64_t, 2>& in_window = events->Of(direction).in_window;
        // The bucket that the later cutoff cuts alone is whole in the window of the earlier one.
        if (!events->cutoffs[0].null) {
            in_window[0] += counts[0] - (same_bucket ? 0 : counts[1]);
        }
        in_window[1] += counts[1];
    };
    add(Direction::kInbound, edges.inbound);
    add(Direction::kOutbound, edges.outbound);
}

std::int64_t EdgeEnd(std::int64_t width, std::int64_t cutoff) {
    if (cutoff == kBeforeAllTime || cutoff == kAfterAllTime || cutoff % width == 0) {
        return cutoff;
    }
    std::int64_t end;
    if (__builtin_mul_overflow(BucketOf(cutoff, width) + 1, width, &end) || end >= kTimeEnd) {
        return kAfterAllTime;
    }
    return end;
}

}  // namespace freshcrm::core
