// SQL: what the aggregate freshcrm.lead_event_stats() is made of (core/event_stats.hpp:
// LeadEvents).
//
// Its transition function is called for every event of a user, in a query that does little else: it
// neither allocates nor copies anything for an event, and what it asks about the cutoffs is whether
// they are still the same.
#include "leadstats/arguments.hpp"
#include "leadstats/result_row.hpp"
#include "pg/aggregate.hpp"
#include "pg/entry.hpp"
// The standard library after the server's headers.
#include <cstring>
#include <new>
#include <string>
#include <type_traits>

namespace core = freshcrm::core;
namespace leadstats = freshcrm::leadstats;
namespace pg = freshcrm::pg;

namespace {

static_assert(std::is_trivially_copyable_v<core::LeadEvents>);

MemoryContext Context(FunctionCallInfo fcinfo) {
    return pg::AggregateContext(fcinfo, "freshcrm.lead_event_stats()");
}

core::LeadEvents* NewLeadEvents(MemoryContext context) {
    return new (MemoryContextAlloc(context, sizeof(core::LeadEvents))) core::LeadEvents{};
}

core::LeadEvents* Start(FunctionCallInfo fcinfo) {
    const core::Cutoff cutoff_14d = leadstats::CutoffArgument(fcinfo, 4);
    const core::Cutoff cutoff_7d = leadstats::CutoffArgument(fcinfo, 5);
    leadstats::CheckCutoffs(cutoff_14d, cutoff_7d);
    core::LeadEvents* events = NewLeadEvents(Context(fcinfo));
    events->cutoffs = {cutoff_14d, cutoff_7d};
    return events;
}

bool SameCutoffs(FunctionCallInfo fcinfo, const core::LeadEvents& events) {
    return leadstats::CutoffArgument(fcinfo, 4) == events.cutoffs[0] &&
           leadstats::CutoffArgument(fcinfo, 5) == events.cutoffs[1];
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_lead_event_stats_add) {
    auto* events = pg::StateArgument<core::LeadEvents>(fcinfo, 0);
    if (events == nullptr || !pg::InAggregate(fcinfo)) {
        events = Start(fcinfo);
    } else if (!SameCutoffs(fcinfo, *events)) {
        leadstats::RefuseOtherCutoffs();
    }
    const core::Direction direction = leadstats::DirectionArgument(fcinfo, 1);
    if (!PG_ARGISNULL(2)) {
        events->AddChannel(core::ChannelOf(leadstats::WordOf(fcinfo->args[2].value)));
    }
    if (PG_ARGISNULL(3)) {
        events->AddWithoutTime(direction);
    } else {
        events->Add(direction, PG_GETARG_TIMESTAMPTZ(3));
    }
    PG_RETURN_POINTER(events);
}

FRESHCRM_FUNCTION(freshcrm_lead_event_stats_combine) {
    const MemoryContext context = Context(fcinfo);
    auto* events = pg::StateArgument<core::LeadEvents>(fcinfo, 0);
    const auto* other = pg::StateArgument<core::LeadEvents>(fcinfo, 1);
    if (other == nullptr) {
        if (events == nullptr) {
            PG_RETURN_NULL();
        }
        PG_RETURN_POINTER(events);
    }
    if (events == nullptr) {
        events = NewLeadEvents(context);
        *events = *other;
        PG_RETURN_POINTER(events);
    }
    if (events->cutoffs != other->cutoffs) {
        leadstats::RefuseOtherCutoffs();
    }
    events->Merge(*other);
    PG_RETURN_POINTER(events);
}

FRESHCRM_FUNCTION(freshcrm_lead_event_stats_serialize) {
    Context(fcinfo);
    auto* stored = static_cast<bytea*>(palloc(VARHDRSZ + sizeof(core::LeadEvents)));
    SET_VARSIZE(stored, VARHDRSZ + sizeof(core::LeadEvents));
    std::memcpy(VARDATA(stored), pg::StateArgument<core::LeadEvents>(fcinfo, 0),
                sizeof(core::LeadEvents));
    PG_RETURN_BYTEA_P(stored);
}

FRESHCRM_FUNCTION(freshcrm_lead_event_stats_deserialize) {
    Context(fcinfo);
    const bytea* stored = PG_GETARG_BYTEA_PP(0);
    if (VARSIZE_ANY_EXHDR(stored) != sizeof(core::LeadEvents)) {
        throw pg::Error(ERRCODE_INVALID_BINARY_REPRESENTATION,
                        "invalid state of lead_event_stats()")
            .Detail("It has " + std::to_string(VARSIZE_ANY_EXHDR(stored)) + " bytes instead of " +
                    std::to_string(sizeof(core::LeadEvents)) + ".");
    }
    core::LeadEvents* events = NewLeadEvents(CurrentMemoryContext);
    std::memcpy(events, VARDATA_ANY(stored), sizeof(*events));
    PG_RETURN_POINTER(events);
}

FRESHCRM_FUNCTION(freshcrm_lead_event_stats_final) {
    Context(fcinfo);
    const auto* events = pg::StateArgument<core::LeadEvents>(fcinfo, 0);
    static constexpr core::LeadEvents kNone{};
    return leadstats::MakeLeadEventStats(fcinfo, events != nullptr ? *events : kNone);
}
