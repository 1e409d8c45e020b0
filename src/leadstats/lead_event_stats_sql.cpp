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

// Not in line, as it is done once a group.
[[gnu::noinline]] core::LeadEvents* Start(FunctionCallInfo fcinfo) {
    const core::Cutoff cutoff_14d = leadstats::CutoffArgument(fcinfo, 4);
    const core::Cutoff cutoff_7d = leadstats::CutoffArgument(fcinfo, 5);
    leadstats::CheckCutoffs(cutoff_14d, cutoff_7d);
    core::LeadEvents* events = NewLeadEvents(Context(fcinfo));
    events->cutoffs = {cutoff_14d, cutoff_7d};
    return events;
}

// Whether something is NULL, among the arguments or the cutoffs: with one question, as hardly
// anything ever is.
bool HasNull(FunctionCallInfo fcinfo, const core::LeadEvents& events) {
    const NullableDatum* args = fcinfo->args;
    return (static_cast<unsigned>(args[1].isnull) | static_cast<unsigned>(args[2].isnull) |
            static_cast<unsigned>(args[3].isnull) | static_cast<unsigned>(args[4].isnull) |
            static_cast<unsigned>(args[5].isnull) | static_cast<unsigned>(events.cutoffs[0].null) |
            static_cast<unsigned>(events.cutoffs[1].null)) != 0;
}

// Of direction and channel, which are not NULL.
bool HasShortWords(FunctionCallInfo fcinfo) {
    return leadstats::IsShortWord(fcinfo->args[1].value) &&
           leadstats::IsShortWord(fcinfo->args[2].value);
}

// The attribute of that number, from 0, which is to be one of `first` to `last`, of the
// freshcrm.lead_event_stats that the first argument is. A call site has checked the type once it
// has its fn_extra.
Datum Attribute(FunctionCallInfo fcinfo, int first, int last, int column) {
    HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
    if (fcinfo->flinfo->fn_extra == nullptr) {
        leadstats::CheckStatsType(row);
        fcinfo->flinfo->fn_extra = fcinfo->flinfo;
    }
    if (column < first || column > last) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "lead_event_stats has no such attribute")
            .Hint("Attributes of this kind are numbers " + std::to_string(first + 1) + " to " +
                  std::to_string(last + 1) + ".");
    }
    const NullableDatum value = leadstats::StatsAttribute(row, column);
    fcinfo->isnull = value.isnull;
    return value.value;
}

// The same of a row as nearly all are: it lies where the pointer points to, and has no NULL.
template <int First, int Last>
bool UsualAttribute(FunctionCallInfo fcinfo, Datum* result) noexcept {
    const int column = First == Last ? First : DatumGetInt32(fcinfo->args[1].value) - 1;
    const auto* row =
        reinterpret_cast<const HeapTupleHeaderData*>(DatumGetPointer(fcinfo->args[0].value));
    if (fcinfo->flinfo->fn_extra == nullptr || column < First || column > Last ||
        VARATT_IS_EXTENDED(row) || !leadstats::HasNoNull(row)) [[unlikely]] {
        return false;
    }
    *result = leadstats::AttributeWithoutNull(row, column);
    return true;
}

bool SameCutoffs(FunctionCallInfo fcinfo, const core::LeadEvents& events) {
    return leadstats::CutoffArgument(fcinfo, 4) == events.cutoffs[0] &&
           leadstats::CutoffArgument(fcinfo, 5) == events.cutoffs[1];
}

// Adds an event as nearly all are.
bool AddUsual(FunctionCallInfo fcinfo, Datum* result) noexcept {
    auto* events = pg::StateArgument<core::LeadEvents>(fcinfo, 0);
    if (events == nullptr || !pg::InAggregate(fcinfo) || HasNull(fcinfo, *events) ||
        !HasShortWords(fcinfo) || PG_GETARG_TIMESTAMPTZ(4) != events->cutoffs[0].at ||
        PG_GETARG_TIMESTAMPTZ(5) != events->cutoffs[1].at) [[unlikely]] {
        return false;
    }
    events->AddChannel(core::ChannelOf(leadstats::ShortWordOf(fcinfo->args[2].value)));
    events->AddToOpenWindows(core::DirectionOf(leadstats::ShortWordOf(fcinfo->args[1].value)),
                             PG_GETARG_TIMESTAMPTZ(3));
    *result = PointerGetDatum(events);
    return true;
}

}  // namespace

FRESHCRM_FUNCTION_WITH_SHORTCUT(freshcrm_lead_event_stats_add, AddUsual) {
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

FRESHCRM_FUNCTION_WITH_SHORTCUT(freshcrm_lead_event_stats_count,
                                (UsualAttribute<leadstats::kTotalEvents, leadstats::kOutbound7d>)) {
    return Attribute(fcinfo, leadstats::kTotalEvents, leadstats::kOutbound7d,
                     PG_GETARG_INT32(1) - 1);
}

FRESHCRM_FUNCTION_WITH_SHORTCUT(
    freshcrm_lead_event_stats_time,
    (UsualAttribute<leadstats::kLastInboundAt, leadstats::kLastOutboundAt>)) {
    return Attribute(fcinfo, leadstats::kLastInboundAt, leadstats::kLastOutboundAt,
                     PG_GETARG_INT32(1) - 1);
}

FRESHCRM_FUNCTION_WITH_SHORTCUT(freshcrm_lead_event_stats_channels,
                                (UsualAttribute<leadstats::kChannels, leadstats::kChannels>)) {
    return Attribute(fcinfo, leadstats::kChannels, leadstats::kChannels, leadstats::kChannels);
}
