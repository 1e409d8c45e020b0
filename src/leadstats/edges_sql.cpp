// SQL: the aggregate freshcrm.event_rollup_edges(): the events in the edges of a user's leads, as a
// table to look leads up in (core/edge_table.hpp).
#include "leadstats/arguments.hpp"
#include "leadstats/edges.hpp"
#include "pg/aggregate.hpp"
#include "pg/entry.hpp"

extern "C" {
#include "utils/uuid.h"
}
// The standard library after the server's headers.
#include <limits>

namespace core = freshcrm::core;
namespace leadstats = freshcrm::leadstats;
namespace pg = freshcrm::pg;

namespace {

struct State {
    std::array<core::Cutoff, 2> cutoffs;
    std::size_t used;
    leadstats::EdgeBytes* table;
};

leadstats::EdgeBytes* NewTable(MemoryContext context, std::size_t slots) {
    const std::size_t size = leadstats::EdgeBytesSize(slots);
    if (size > MaxAllocSize) {
        throw pg::Error(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "too many leads have events in an edge")
            .Detail("Their table would be larger than 1 GB.")
            .Hint("Make a rollup of narrower buckets.");
    }
    auto* table = static_cast<leadstats::EdgeBytes*>(MemoryContextAllocZero(context, size));
    SET_VARSIZE(table, size);
    return table;
}

State* Start(FunctionCallInfo fcinfo, MemoryContext context) {
    auto* state = static_cast<State*>(MemoryContextAllocZero(context, sizeof(State)));
    state->cutoffs = {leadstats::CutoffArgument(fcinfo, 4), leadstats::CutoffArgument(fcinfo, 5)};
    leadstats::CheckCutoffs(state->cutoffs[0], state->cutoffs[1]);
    state->table = NewTable(context, core::kFewestEdgeSlots);
    return state;
}

core::EdgeSlot* SlotOf(MemoryContext context, State* state, const core::LeadKey& lead) {
    std::span<core::EdgeSlot> slots = leadstats::EdgeSlots(state->table);
    core::EdgeSlot* slot = core::FindEdgeSlot(slots, lead);
    if (!slot->IsFree() || state->used < slots.size() / 4 * 3) {
        return slot;
    }
    leadstats::EdgeBytes* larger = NewTable(context, 2 * slots.size());
    core::CopyEdges(slots, leadstats::EdgeSlots(larger));
    pfree(state->table);
    state->table = larger;
    return core::FindEdgeSlot(leadstats::EdgeSlots(larger), lead);
}

void Count(std::uint32_t* count) {
    if (*count == std::numeric_limits<std::uint32_t>::max()) {
        throw pg::Error(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "too many events of a lead in an edge");
    }
    ++*count;
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_event_rollup_edges_add) {
    const MemoryContext context = pg::AggregateContext(fcinfo, "freshcrm.event_rollup_edges()");
    auto* state = pg::StateArgument<State>(fcinfo, 0);
    if (state == nullptr) {
        state = Start(fcinfo, context);
    } else if (leadstats::CutoffArgument(fcinfo, 4) != state->cutoffs[0] ||
               leadstats::CutoffArgument(fcinfo, 5) != state->cutoffs[1]) {
        leadstats::RefuseOtherCutoffs();
    }
    const auto direction = static_cast<unsigned>(leadstats::DirectionArgument(fcinfo, 2));
    if (PG_ARGISNULL(1) || PG_ARGISNULL(3) || direction > 1) {
        PG_RETURN_POINTER(state);
    }
    const std::int64_t at = PG_GETARG_TIMESTAMPTZ(3);
    bool in_window[2];
    for (unsigned window = 0; window < 2; ++window) {
        in_window[window] = !state->cutoffs[window].null && at >= state->cutoffs[window].at;
    }
    if (!in_window[0] && !in_window[1]) {
        PG_RETURN_POINTER(state);
    }
    core::EdgeSlot* slot = SlotOf(context, state, leadstats::LeadKeyOf(PG_GETARG_UUID_P(1)));
    if (slot->IsFree()) {
        slot->lead = leadstats::LeadKeyOf(PG_GETARG_UUID_P(1));
        ++state->used;
    }
    for (unsigned window = 0; window < 2; ++window) {
        if (in_window[window]) {
            Count(&slot->counts[2 * window + direction]);
        }
    }
    PG_RETURN_POINTER(state);
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_edges_final) {
    pg::AggregateContext(fcinfo, "freshcrm.event_rollup_edges()");
    const auto* state = pg::StateArgument<State>(fcinfo, 0);
    if (state == nullptr) {
        PG_RETURN_NULL();
    }
    PG_RETURN_POINTER(state->table);
}
