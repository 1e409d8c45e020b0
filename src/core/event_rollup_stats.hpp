// Statistics of events (event_stats.hpp) from packed values (event_rollup.hpp).
//
// A value knows how many events are in a bucket, not which of these a cutoff within it leaves out.
// So the bucket that a cutoff cuts is not in its window here: what lies in its edge, from the
// cutoff to the end of the bucket, is to be counted event by event, and added. All the rest is
// exact.
#pragma once

#include "core/event_rollup.hpp"
#include "core/event_stats.hpp"

namespace freshcrm::core {

// Which dimensions of a value are direction and channel, from 0.
struct KindDimensions {
    unsigned direction;
    unsigned channel;

    bool operator==(const KindDimensions&) const = default;
};

// Adds the events of a value, but in each window those of its edge. Raises CorruptRollup, and for
// dimensions that the value does not have, too. Returns the width of its buckets. Not for several
// threads at once: what the cutoffs mean in buckets is remembered.
std::int64_t AddRollup(Bytes value, const KindDimensions& dimensions, LeadEvents* events);

// Events that lie in one edge or the other, counted in the windows of both cutoffs.
struct EdgeCounts {
    std::array<std::int64_t, 2> inbound;
    std::array<std::int64_t, 2> outbound;
};

// Whether there are events in a bucket that one of the cutoffs cuts.
bool HasEdges(Bytes value, const std::array<Cutoff, 2>& cutoffs);

// Adds what the windows lack in a value whose buckets are of this width.
void AddEdges(const EdgeCounts& edges, std::int64_t width, LeadEvents* events);

// The end of the bucket that the cutoff cuts; the cutoff itself where it cuts none.
std::int64_t EdgeEnd(std::int64_t width, std::int64_t cutoff);

}  // namespace freshcrm::core
