#include "core/event_rollup_stats.hpp"

#include <cstring>
#include <vector>

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
    std::uint64_t channel;  // the bit of it, or none
};

Kind KindOf(Bytes dimensions, unsigned count, const KindDimensions& places) {
    Kind kind{Direction::kOther, 0};
    for (unsigned i = 0; i < count; ++i) {
        const std::optional<std::string_view> word = TakeDimension(&dimensions);
        if (word && i == places.direction) {
            kind.direction = DirectionOf(*word);
        }
        if (word && i == places.channel) {
            kind.channel = std::uint64_t{1} << ChannelOf(*word);
        }
    }
    return kind;
}

// What short combinations mean. There are few of them, which the values of all leads have, most of
// them in the same order: so it is looked for where it was the last time.
class KindMemory {
  public:
    // Of the values of these dimensions; to be called for each value.
    void Begin(unsigned count, const KindDimensions& places) {
        if (count != count_ || places != places_) [[unlikely]] {
            count_ = count;
            places_ = places;
            size_ = 0;
        }
        next_ = 0;
    }

    Kind Get(Bytes dimensions) {
        if (dimensions.size() > kLongest) [[unlikely]] {
            return KindOf(dimensions, count_, places_);
        }
        for (unsigned i = next_; i < size_; ++i) {
            if (entries_[i].Is(dimensions)) [[likely]] {
                next_ = i + 1;
                return entries_[i].kind;
            }
        }
        return Look(dimensions);
    }

  private:
    static constexpr std::size_t kLongest = 60;
    static constexpr unsigned kEntries = 64;

    struct Entry {
        std::uint8_t size;
        Kind kind;
        std::uint8_t bytes[kLongest];

        bool Is(Bytes dimensions) const {
            return size == dimensions.size() &&
                   (size == 0 || std::memcmp(bytes, dimensions.data(), size) == 0);
        }
    };

    // Of one that does not come after the last one.
    Kind Look(Bytes dimensions) {
        for (unsigned i = 0; i < next_ && i < size_; ++i) {
            if (entries_[i].Is(dimensions)) {
                next_ = i + 1;
                return entries_[i].kind;
            }
        }
        const Kind kind = KindOf(dimensions, count_, places_);
        if (size_ == kEntries) {
            size_ = 0;
        }
        Entry& entry = entries_[size_++];
        entry.size = static_cast<std::uint8_t>(dimensions.size());
        entry.kind = kind;
        if (!dimensions.empty()) {
            std::memcpy(entry.bytes, dimensions.data(), dimensions.size());
        }
        next_ = size_;
        return kind;
    }

    unsigned count_ = 0;
    KindDimensions places_{};
    unsigned size_ = 0;
    unsigned next_ = 0;
    Entry entries_[kEntries]{};
};

void AddCombination(const Combination& c, const std::array<Cutoff, 2>& cutoffs,
                    LeadEvents::Counts* counts) {
    counts->total += static_cast<std::int64_t>(c.timed);
    counts->timed += static_cast<std::int64_t>(c.timed);
    if (c.timed > 0) [[likely]] {
        counts->last = std::max(counts->last, c.newest);
    }
    const std::uint64_t infinite = c.before + c.after;
    if (c.untimed + infinite == 0) [[likely]] {
        return;
    }
    counts->total += static_cast<std::int64_t>(c.untimed + infinite);
    counts->timed += static_cast<std::int64_t>(infinite);
    counts->last = c.after > 0 ? kAfterAllTime : counts->last;
    for (unsigned i = 0; i < 2; ++i) {
        if (!cutoffs[i].null) {
            const std::uint64_t before = cutoffs[i].at == kBeforeAllTime ? c.before : 0;
            counts->in_window[i] += static_cast<std::int64_t>(c.after + before);
        }
    }
}

// `directions` has that of each combination.
void AddWindows(Bytes entries, std::span<const std::uint8_t> directions, std::int64_t width,
                LeadEvents* events) {
    const std::int64_t first[2] = {WholeBucketsOf(events->cutoffs[0], width).first,
                                   WholeBucketsOf(events->cutoffs[1], width).first};
    const std::int64_t oldest = std::min(first[0], first[1]);
    std::int64_t counts[kDirections][2] = {};
    EntryReader reader(entries);
    while (reader.Next() && reader.bucket >= oldest) {
        if (reader.combination >= directions.size()) {
            throw CorruptRollup("an entry is of no combination");
        }
        std::int64_t(&of)[2] = counts[directions[reader.combination]];
        const auto count = static_cast<std::int64_t>(reader.count);
        of[0] += reader.bucket >= first[0] ? count : 0;
        of[1] += reader.bucket >= first[1] ? count : 0;
    }
    for (std::size_t i = 0; i < kDirections; ++i) {
        events->directions[i].in_window[0] += counts[i][0];
        events->directions[i].in_window[1] += counts[i][1];
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
    std::uint8_t few[64];
    std::vector<std::uint8_t> many;
    std::uint8_t* directions = few;
    if (reader.combinations() > sizeof(few)) {
        many.resize(reader.combinations());
        directions = many.data();
    }
    memory.Begin(shape.dimensions, dimensions);
    Combination c{};
    for (std::size_t i = 0; reader.Next(&c); ++i) {
        const Kind kind = memory.Get(c.dimensions);
        directions[i] = static_cast<std::uint8_t>(kind.direction);
        events->channels |= kind.channel;
        AddCombination(c, events->cutoffs, &events->Of(kind.direction));
    }
    AddWindows(reader.rest(), {directions, static_cast<std::size_t>(reader.combinations())},
               shape.width, events);
}

bool HasEdges(Bytes value, const std::array<Cutoff, 2>& cutoffs) {
    RollupReader reader(value);
    const std::int64_t width = reader.shape().width;
    const std::int64_t edges[2] = {WholeBucketsOf(cutoffs[0], width).edge,
                                   WholeBucketsOf(cutoffs[1], width).edge};
    Combination passed{};
    while (reader.Next(&passed)) {
    }
    // Where one is none, which is the oldest of all, none is so old.
    const std::int64_t oldest = edges[0] == kNoBucket   ? edges[1]
                                : edges[1] == kNoBucket ? edges[0]
                                                        : std::min(edges[0], edges[1]);
    EntryReader entries(reader.rest());
    while (oldest != kNoBucket && entries.Next() && entries.bucket >= oldest) {
        if (entries.bucket == edges[0] || entries.bucket == edges[1]) {
            return true;
        }
    }
    return false;
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
