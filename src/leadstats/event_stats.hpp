// States of the aggregate freshcrm.event_stats() (core/event_stats.hpp: EventStats) in the server's
// memory: all of one is in one context, and ends with it.
#pragma once

#include <span>

#include "core/event_stats.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "utils/array.h"
}

namespace freshcrm::leadstats {

// The cutoffs that an array holds; none when it is null (no pointer). They lie in the array, or in
// `buffer`, and are to be used as long as both are there.
//
// SQLSTATE 22023 when the array has several dimensions, 54000 when it has more than kMostCutoffs.
struct CutoffBuffer {
    std::int64_t at[core::EventStats::kMostCutoffs];
    bool null[core::EventStats::kMostCutoffs];
};
core::Cutoffs ReadCutoffs(ArrayType* array, CutoffBuffer* buffer);

core::EventStats* NewEventStats(const core::Cutoffs& cutoffs, MemoryContext context);

// `context` is that of the state.
void AddEvent(core::EventStats* stats, const core::Event& event, MemoryContext context);

// SQLSTATE 22023 when the cutoffs are others.
void CheckCutoffs(const core::EventStats& stats, const core::Cutoffs& cutoffs);
void Merge(core::EventStats* stats, const core::EventStats& other, MemoryContext context);

// As bytes that a worker sends, and back. The latter: SQLSTATE 22P03 when they are no state.
bytea* Serialize(core::EventStats* stats);
core::EventStats* Deserialize(const bytea* stored, MemoryContext context);

}  // namespace freshcrm::leadstats
