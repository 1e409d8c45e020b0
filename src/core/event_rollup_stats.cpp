#include "core/event_rollup_stats.hpp"

#include <algorithm>
#include <bit>
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

// Those of both windows, which are the same for the values of all leads: they are kept, since
// divisions are slow.
class WindowMemory {
  public:
    const std::array<WholeBuckets, 2>& Get(const std::array<Cutoff, 2>& cutoffs,
                                           std::int64_t width) {
        if (width != width_ || cutoffs != cutoffs_) [[unlikely]] {
            width_ = width;
            cutoffs_ = cutoffs;
            buckets_ = {WholeBucketsOf(cutoffs[0], width), WholeBucketsOf(cutoffs[1], width)};
        }
        return buckets_;
    }

  private:
    std::int64_t width_ = 0;
    std::array<Cutoff, 2> cutoffs_{};
    std::array<WholeBuckets, 2> buckets_{};
};

WindowMemory window_memory;

struct Kind {
    Direction direction;
    std::uint64_t channel;  // the bit of it, or none
};

// Of NULL and the words that have numbers, by StoredDimension::number.
struct KindsOfNumbers {
    Direction directions[kNumberedWords.size() + 1]{};
    std::uint64_t channels[kNumberedWords.size() + 1]{};

    constexpr KindsOfNumbers() noexcept {
        directions[0] = Direction::kOther;
        for (std::size_t i = 0; i < kNumberedWords.size(); ++i) {
            directions[i + 1] = DirectionOf(kNumberedWords[i]);
            channels[i + 1] = std::uint64_t{1}
                              << kChannelWords.Find(kNumberedWords[i], kOtherChannel);
        }
    }
};

constexpr KindsOfNumbers kKindsOfNumbers;

// Dimensions behind the two are not looked at.
[[gnu::always_inline]] inline Kind KindOf(Bytes dimensions, const KindDimensions& places) {
    Kind kind{Direction::kOther, 0};
    const std::uint8_t* at = dimensions.data();
    const std::uint8_t* const end = at + dimensions.size();
    const unsigned last = std::max(places.direction, places.channel);
    for (unsigned i = 0; i <= last; ++i) {
        const StoredDimension stored = TakeStored(&at, end);
        if (i == places.direction) {
            kind.direction = stored.spelled_out ? DirectionOf(stored.word)
                                                : kKindsOfNumbers.directions[stored.number];
        }
        if (i == places.channel) {
            kind.channel = stored.spelled_out ? std::uint64_t{1} << ChannelOf(stored.word)
                                              : kKindsOfNumbers.channels[stored.number];
        }
    }
    return kind;
}

// Counts that no events have, but bytes can, wrap around.
void AddTo(std::int64_t* sum, std::uint64_t count) {
    *sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(*sum) + count);
}

void AddCombination(const Combination& c, const std::array<Cutoff, 2>& cutoffs,
                    LeadEvents::Counts* counts) {
    const std::uint64_t infinite = c.before + c.after;
    AddTo(&counts->untimed, c.untimed);
    AddTo(&counts->timed, c.timed + infinite);
    if (c.timed > 0) {
        counts->last = std::max(counts->last, c.newest);
    }
    counts->last = c.after > 0 ? kAfterAllTime : counts->last;
    for (unsigned i = 0; i < 2; ++i) {
        if (!cutoffs[i].null) {
            const std::uint64_t before = cutoffs[i].at == kBeforeAllTime ? c.before : 0;
            AddTo(&counts->in_window[i], c.after + before);
        }
    }
}

// One event of a direction, in a number that has room for as many of each as are counted in one go.
constexpr unsigned kLaneBits = 21;
constexpr std::size_t kMostAtOnce = (std::size_t{1} << kLaneBits) - 1;
static_assert(kLaneBits * kDirections < 64);

constexpr std::uint64_t UnitOf(Direction direction) {
    return std::uint64_t{1} << (kLaneBits * static_cast<unsigned>(direction));
}

// Adds what is said of a combination, and takes it off the front of [*at, end). Returns the unit of
// its direction.
[[gnu::always_inline]] inline std::uint64_t AddFirstCombination(const std::uint8_t** at,
                                                                const std::uint8_t* end,
                                                                const KindDimensions& places,
                                                                LeadEvents* events) {
    const std::uint8_t* p = *at;
    const std::uint64_t head = TakeVarint(&p, end);
    const std::uint64_t size = head / (kAllFlags + 1);
    if ((head & kAllFlags) == kTimed && size <= static_cast<std::uint64_t>(end - p)) [[likely]] {
        // As nearly all are.
        const Kind kind = KindOf({p, static_cast<std::size_t>(size)}, places);
        p += size;
        const std::uint64_t timed = TakeCount(&p, end);
        const std::int64_t newest = TakeTime(&p, end);
        *at = p;
        LeadEvents::Counts& counts = events->Of(kind.direction);
        AddTo(&counts.timed, timed);
        counts.last = std::max(counts.last, newest);
        events->channels |= kind.channel;
        return UnitOf(kind.direction);
    }
    Combination c{};
    TakeCombination(at, end, &c);
    const Kind kind = KindOf(c.dimensions, places);
    AddCombination(c, events->cutoffs, &events->Of(kind.direction));
    events->channels |= kind.channel;
    return UnitOf(kind.direction);
}

// Counts events by direction, of which `units` has that of each combination, from the newest bucket
// on: as far as one asks.
class WindowCounter {
  public:
    WindowCounter(Bytes entries, std::span<const std::uint64_t> units)
        : reader_(entries), units_(units) {}

    // Goes on to the last entry of buckets from `first` on.
    void CountFrom(std::int64_t first) {
        first = std::clamp(first, kLowestBucket, kHighestBucket + 1);
        do {
            CountShortEntries(first);
        } while (CountEntry(first));
    }

    std::int64_t counts[kDirections] = {};

  private:
    // As many as there are one after the other, but for a rest that is left when there are a great
    // many.
    void CountShortEntries(std::int64_t first) {
        const std::uint8_t* at = reader_.position();
        const std::size_t pairs = std::min(reader_.rest().size() / 2, kMostAtOnce);
        const std::uint8_t* const end = at + 2 * pairs;
        std::int64_t left = reader_.bucket - first;
        std::uint64_t sum = 0;
        while (at != end && IsShortEntry(at) && left >= at[0]) {
            left -= at[0];
            sum += UnitOf(at[1] >> 1);
            at += 2;
        }
        reader_.ContinueAt(at, first + left);
        for (std::size_t i = 0; i < kDirections; ++i) {
            AddTo(&counts[i], sum >> (kLaneBits * i) & kMostAtOnce);
        }
    }

    // Whether there is one of a bucket from `first` on.
    bool CountEntry(std::int64_t first) {
        const EntryReader before = reader_;
        if (!reader_.Next()) {
            return false;
        }
        if (reader_.bucket < first) {
            reader_ = before;
            return false;
        }
        const std::uint64_t unit = UnitOf(reader_.combination);
        AddTo(&counts[std::countr_zero(unit) / kLaneBits], reader_.count);
        return true;
    }

    std::uint64_t UnitOf(std::uint64_t combination) const {
        if (combination >= units_.size()) [[unlikely]] {
            throw CorruptRollup("an entry is of no combination");
        }
        return units_[combination];
    }

    EntryReader reader_;
    std::span<const std::uint64_t> units_;
};

void AddWindows(Bytes entries, std::span<const std::uint64_t> units, std::int64_t width,
                LeadEvents* events) {
    const auto& buckets = window_memory.Get(events->cutoffs, width);
    const unsigned narrow = buckets[0].first > buckets[1].first ? 0 : 1;
    WindowCounter counter(entries, units);
    for (const unsigned window : {narrow, 1 - narrow}) {
        counter.CountFrom(buckets[window].first);
        for (std::size_t i = 0; i < kDirections; ++i) {
            AddTo(&events->directions[i].in_window[window],
                  static_cast<std::uint64_t>(counter.counts[i]));
        }
    }
}

}  // namespace

std::int64_t AddRollup(Bytes value, const KindDimensions& dimensions, LeadEvents* events) {
    const RollupReader reader(value);
    const RollupShape& shape = reader.shape();
    if (dimensions.direction >= shape.dimensions || dimensions.channel >= shape.dimensions) {
        throw CorruptRollup("it has fewer dimensions");
    }
    std::uint64_t few[64];
    std::vector<std::uint64_t> many;
    std::span<std::uint64_t> units(few);
    if (reader.combinations() > units.size()) {
        many.resize(reader.combinations());
        units = many;
    }
    units = units.first(reader.combinations());
    const Bytes rest = reader.rest();
    const std::uint8_t* at = rest.data();
    const std::uint8_t* const end = at + rest.size();
    for (std::uint64_t& unit : units) {
        unit = AddFirstCombination(&at, end, dimensions, events);
    }
    AddWindows({at, end}, units, shape.width, events);
    return shape.width;
}

bool HasEdges(Bytes value, const std::array<Cutoff, 2>& cutoffs) {
    RollupReader reader(value);
    const std::int64_t width = reader.shape().width;
    const auto& buckets = window_memory.Get(cutoffs, width);
    const std::int64_t edges[2] = {buckets[0].edge, buckets[1].edge};
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
    const auto& buckets = window_memory.Get(events->cutoffs, width);
    const bool same_bucket = buckets[0].edge != kNoBucket && buckets[0].edge == buckets[1].edge;
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
