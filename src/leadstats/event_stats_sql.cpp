// SQL: what the aggregate freshcrm.event_stats() is made of.
#include "leadstats/event_stats.hpp"

#include "leadstats/arguments.hpp"
#include "leadstats/result_row.hpp"
#include "pg/aggregate.hpp"
#include "pg/entry.hpp"
// The standard library after the server's headers.
#include <bit>

namespace core = freshcrm::core;
namespace leadstats = freshcrm::leadstats;
namespace pg = freshcrm::pg;

namespace {

using core::Direction;

MemoryContext Context(FunctionCallInfo fcinfo) {
    return pg::AggregateContext(fcinfo, "freshcrm.event_stats()");
}

core::Event EventArgument(FunctionCallInfo fcinfo) {
    return {leadstats::DirectionArgument(fcinfo, 1), leadstats::ChannelArgument(fcinfo, 2),
            !PG_ARGISNULL(3) && core::IsFailure(leadstats::WordOf(fcinfo->args[3].value)),
            leadstats::TimeArgument(fcinfo, 4)};
}

Datum WindowCounts(const core::EventStats& stats, Direction direction) {
    std::int64_t counts[core::EventStats::kMostCutoffs];
    Datum elements[core::EventStats::kMostCutoffs];
    stats.CountWindows(direction, counts);
    const std::size_t size = stats.cutoffs().size;
    std::transform(counts, counts + size, elements,
                   [](std::int64_t count) { return Int64GetDatum(count); });
    return PointerGetDatum(construct_array(elements, static_cast<int>(size), INT8OID,
                                           sizeof(std::int64_t), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

core::ReplyDelays Replies(core::EventStats* stats) {
    core::LatestMessages& latest = stats->messages();
    latest.Cut();
    auto* delays =
        static_cast<std::uint64_t*>(palloc((latest.size / 2 + 1) * sizeof(std::uint64_t)));
    const core::ReplyDelays replies =
        core::MeasureReplies(std::span(latest.messages, latest.size), delays);
    pfree(delays);
    return replies;
}

// In days and what is left of them, as a difference of times is.
Datum MakeInterval(std::uint64_t delay) {
    auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
    interval->day = static_cast<int32>(delay / USECS_PER_DAY);
    interval->time = static_cast<TimeOffset>(delay % USECS_PER_DAY);
    return IntervalPGetDatum(interval);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_event_stats_add) {
    const MemoryContext context = Context(fcinfo);
    auto* stats = pg::StateArgument<core::EventStats>(fcinfo, 0);
    leadstats::CutoffBuffer buffer;
    const core::Cutoffs cutoffs =
        leadstats::ReadCutoffs(PG_ARGISNULL(5) ? nullptr : PG_GETARG_ARRAYTYPE_P(5), &buffer);
    if (stats == nullptr) {
        stats = leadstats::NewEventStats(cutoffs, context);
    } else {
        leadstats::CheckCutoffs(*stats, cutoffs);
    }
    leadstats::AddEvent(stats, EventArgument(fcinfo), context);
    PG_RETURN_POINTER(stats);
}

FRESHCRM_FUNCTION(freshcrm_event_stats_combine) {
    const MemoryContext context = Context(fcinfo);
    auto* stats = pg::StateArgument<core::EventStats>(fcinfo, 0);
    const auto* other = pg::StateArgument<core::EventStats>(fcinfo, 1);
    if (other == nullptr) {
        if (stats == nullptr) {
            PG_RETURN_NULL();
        }
        PG_RETURN_POINTER(stats);
    }
    if (stats == nullptr) {
        stats = leadstats::NewEventStats(other->cutoffs(), context);
    }
    leadstats::Merge(stats, *other, context);
    PG_RETURN_POINTER(stats);
}

FRESHCRM_FUNCTION(freshcrm_event_stats_serialize) {
    Context(fcinfo);
    PG_RETURN_BYTEA_P(leadstats::Serialize(pg::StateArgument<core::EventStats>(fcinfo, 0)));
}

FRESHCRM_FUNCTION(freshcrm_event_stats_deserialize) {
    Context(fcinfo);
    PG_RETURN_POINTER(leadstats::Deserialize(PG_GETARG_BYTEA_PP(0), CurrentMemoryContext));
}

FRESHCRM_FUNCTION(freshcrm_event_stats_final) {
    Context(fcinfo);
    auto* stats = pg::StateArgument<core::EventStats>(fcinfo, 0);
    if (stats == nullptr) {
        stats = leadstats::NewEventStats({}, CurrentMemoryContext);
    }
    const core::ReplyDelays replies = Replies(stats);
    leadstats::ResultRow<17> row;
    row.Bigint(stats->total())
        .Bigint(stats->Total(Direction::kInbound))
        .Bigint(stats->Total(Direction::kOutbound))
        .Bigint(stats->Total(Direction::kOther))
        .Add(WindowCounts(*stats, Direction::kInbound), false)
        .Add(WindowCounts(*stats, Direction::kOutbound), false)
        .Add(WindowCounts(*stats, Direction::kOther), false)
        .Time(stats->first())
        .Time(stats->last())
        .Time(stats->Last(Direction::kInbound))
        .Time(stats->Last(Direction::kOutbound))
        .Integer(std::popcount(stats->channels()))
        .Bigint(stats->other_channel())
        .Bigint(stats->failed())
        .Bigint(static_cast<std::int64_t>(replies.replies))
        .Add(MakeInterval(replies.median), replies.replies == 0)
        .Add(MakeInterval(replies.mean), replies.replies == 0);
    return leadstats::MakeResult(fcinfo, &row);
}
