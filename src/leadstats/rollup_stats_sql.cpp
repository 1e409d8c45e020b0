// SQL: statistics of leads from packed events, and what functions over them ask.
#include "core/event_rollup_stats.hpp"
#include "leadstats/arguments.hpp"
#include "leadstats/edges.hpp"
#include "leadstats/result_row.hpp"
#include "leadstats/rollup.hpp"
#include "pg/aggregate.hpp"
#include "pg/entry.hpp"
#include "pg/names.hpp"

extern "C" {
#include "executor/executor.h"
#include "utils/rls.h"
}
// The standard library after the server's headers.
#include <new>

namespace core = freshcrm::core;
namespace leadstats = freshcrm::leadstats;
namespace pg = freshcrm::pg;

namespace {

// The first of the attributes of lead_event_stats that depend on cutoffs, and how many these are.
constexpr int kFirstWindow = 4;
constexpr int kWindowCounts = 4;

// Positions count from 1 in SQL.
core::KindDimensions PlacesArguments(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument) || PG_ARGISNULL(argument + 1) || PG_GETARG_INT32(argument) < 1 ||
        PG_GETARG_INT32(argument + 1) < 1) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                        "positions of dimensions must be 1 or more")
            .Hint("Say which dimensions of the packed events are direction and channel.");
    }
    return {static_cast<unsigned>(PG_GETARG_INT32(argument)) - 1,
            static_cast<unsigned>(PG_GETARG_INT32(argument + 1)) - 1};
}

std::array<core::Cutoff, 2> CutoffArguments(FunctionCallInfo fcinfo, int argument) {
    const core::Cutoff cutoff_14d = leadstats::CutoffArgument(fcinfo, argument);
    const core::Cutoff cutoff_7d = leadstats::CutoffArgument(fcinfo, argument + 1);
    leadstats::CheckCutoffs(cutoff_14d, cutoff_7d);
    return {cutoff_14d, cutoff_7d};
}

// Of a lead_event_stats.
core::EdgeCounts EdgesOf(HeapTupleHeader stats) {
    std::int64_t counts[kWindowCounts];
    for (int i = 0; i < kWindowCounts; ++i) {
        bool null;
        const Datum count =
            GetAttributeByNum(stats, static_cast<AttrNumber>(kFirstWindow + i), &null);
        counts[i] = null ? 0 : DatumGetInt64(count);
    }
    return {{counts[0], counts[2]}, {counts[1], counts[3]}};
}

// Of the arguments from `argument` on: events, direction, channel. Returns the width of buckets.
std::int64_t AddEvents(FunctionCallInfo fcinfo, int argument, core::LeadEvents* events) {
    const core::KindDimensions places = PlacesArguments(fcinfo, argument + 1);
    const core::Bytes value = leadstats::BytesOf(PG_GETARG_BYTEA_PP(argument));
    return leadstats::Reading([&] { return core::AddRollup(value, places, events); });
}

// Likewise, and the edges behind the cutoffs.
void AddRollup(FunctionCallInfo fcinfo, int argument, core::LeadEvents* events) {
    const std::int64_t width = AddEvents(fcinfo, argument, events);
    if (!PG_ARGISNULL(argument + 5)) {
        const core::EdgeCounts edges = EdgesOf(PG_GETARG_HEAPTUPLEHEADER(argument + 5));
        core::AddEdges(edges, width, events);
    }
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_event_rollup_stats) {
    if (PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    core::LeadEvents events{};
    events.cutoffs = CutoffArguments(fcinfo, 3);
    AddRollup(fcinfo, 0, &events);
    return leadstats::MakeLeadEventStats(fcinfo, events);
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_stats_of_lead) {
    if (PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    core::LeadEvents events{};
    events.cutoffs = CutoffArguments(fcinfo, 3);
    const std::int64_t width = AddEvents(fcinfo, 0, &events);
    if (!PG_ARGISNULL(5) && !PG_ARGISNULL(6)) {
        auto* table = reinterpret_cast<leadstats::EdgeBytes*>(PG_GETARG_BYTEA_P(5));
        const core::EdgeCounts edges = core::EdgesOf(leadstats::CheckedEdgeSlots(table),
                                                     leadstats::LeadKeyOf(PG_GETARG_UUID_P(6)));
        core::AddEdges(edges, width, &events);
    }
    return leadstats::MakeLeadEventStats(fcinfo, events);
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_stats_add) {
    const MemoryContext context = pg::AggregateContext(fcinfo, "freshcrm.event_rollup_stats_agg()");
    auto* events = pg::StateArgument<core::LeadEvents>(fcinfo, 0);
    const std::array<core::Cutoff, 2> cutoffs = CutoffArguments(fcinfo, 4);
    if (events == nullptr) {
        events = new (MemoryContextAlloc(context, sizeof(core::LeadEvents))) core::LeadEvents{};
        events->cutoffs = cutoffs;
    } else if (events->cutoffs != cutoffs) {
        leadstats::RefuseOtherCutoffs();
    }
    if (!PG_ARGISNULL(1)) {
        AddRollup(fcinfo, 1, events);
    }
    PG_RETURN_POINTER(events);
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_cut) {
    if (PG_ARGISNULL(0)) {
        PG_RETURN_BOOL(false);
    }
    const std::array<core::Cutoff, 2> cutoffs = CutoffArguments(fcinfo, 1);
    const core::Bytes value = leadstats::BytesOf(PG_GETARG_BYTEA_PP(0));
    return leadstats::Reading([&] { return BoolGetDatum(core::HasEdges(value, cutoffs)); });
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_edge) {
    PG_RETURN_TIMESTAMPTZ(
        core::EdgeEnd(leadstats::BucketArgument(fcinfo, 0), PG_GETARG_TIMESTAMPTZ(1)));
}

FRESHCRM_FUNCTION(freshcrm_check_cutoffs) {
    leadstats::CheckCutoffs(leadstats::CutoffArgument(fcinfo, 0),
                            leadstats::CutoffArgument(fcinfo, 1));
    PG_RETURN_BOOL(true);
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_readable) {
    const Oid table = PG_GETARG_OID(0);
    if (check_enable_rls(table, InvalidOid, true) == RLS_ENABLED) {
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the event rollup of table %s does not know its row-level security",
                    pg::RelationForMessage(table)),
             errdetail("Row-level security was enabled after the function was made to read it."),
             errhint("Call freshcrm.follow_event_rollups() for the table, and functions read "
                     "its rows again.")));
    }
    PG_RETURN_BOOL(true);
}
