// SQL: freshcrm.lead_score(…), p_score(…), engagement_score(…).
#include "leadstats/arguments.hpp"
#include "leadstats/result_row.hpp"
#include "leadstats/score.hpp"
#include "leadstats/score_weights.hpp"
#include "pg/entry.hpp"

extern "C" {
#include "funcapi.h"
}

namespace core = freshcrm::core;
namespace leadstats = freshcrm::leadstats;

namespace {

// What a call site keeps in fn_extra.
struct ScoreCall {
    leadstats::KnownWeights weights;
    TupleDesc result;
    bool stats_checked;  // the type of the statistics
};

ScoreCall* Call(FmgrInfo* flinfo) {
    if (flinfo->fn_extra == nullptr) {
        flinfo->fn_extra = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ScoreCall));
    }
    return static_cast<ScoreCall*>(flinfo->fn_extra);
}

// Arguments of SQL that may be NULL.
const Jsonb* OptionalJson(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? nullptr : PG_GETARG_JSONB_P(argument);
}

core::Count OptionalCount(FunctionCallInfo fcinfo, int argument, const char* name) {
    return PG_ARGISNULL(argument) ? std::nullopt
                                  : leadstats::CheckedCount(PG_GETARG_INT32(argument), name);
}

HeapTupleHeader OptionalStats(FunctionCallInfo fcinfo, int argument, ScoreCall* call) {
    if (PG_ARGISNULL(argument)) {
        return nullptr;
    }
    HeapTupleHeader stats = PG_GETARG_HEAPTUPLEHEADER(argument);
    if (!call->stats_checked) {
        leadstats::CheckStatsType(stats);
        call->stats_checked = true;
    }
    return stats;
}

// stats, p_now, p_weights, p_status
core::LeadScore Score(FunctionCallInfo fcinfo) {
    ScoreCall* call = Call(fcinfo->flinfo);
    core::LeadFacts facts{};
    leadstats::ReadStatistics(OptionalStats(fcinfo, 0, call), &facts);
    facts.now = leadstats::TimeArgument(fcinfo, 1);
    if (!PG_ARGISNULL(3)) {
        const text* status = PG_GETARG_TEXT_PP(3);
        facts.status = std::string_view(VARDATA_ANY(status), VARSIZE_ANY_EXHDR(status));
    }
    return core::ScoreLead(facts,
                           leadstats::SharesOfWeights(&call->weights, fcinfo->flinfo->fn_mcxt,
                                                      core::kLeadFactors, OptionalJson(fcinfo, 2)));
}

TupleDesc ResultType(FunctionCallInfo fcinfo) {
    ScoreCall* call = Call(fcinfo->flinfo);
    if (call->result == nullptr) {
        TupleDesc result;
        if (get_call_result_type(fcinfo, nullptr, &result) != TYPEFUNC_COMPOSITE) {
            elog(ERROR, "lead_score() does not return a row");
        }
        const MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
        call->result = BlessTupleDesc(CreateTupleDescCopy(result));
        MemoryContextSwitchTo(before);
    }
    return call->result;
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_lead_score) {
    const core::LeadScore score = Score(fcinfo);
    Datum values[] = {NumericGetDatum(leadstats::PointsAsNumeric(score.score)),
                      leadstats::FactorsAsJson(score)};
    bool nulls[] = {false, false};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(ResultType(fcinfo), values, nulls)));
}

FRESHCRM_FUNCTION(freshcrm_p_score) {
    PG_RETURN_NUMERIC(leadstats::PointsAsNumeric(Score(fcinfo).score));
}

// active_deals, activity_count_30d, last_activity_at, won_deals, weights, p_now
FRESHCRM_FUNCTION(freshcrm_engagement_score) {
    core::EngagementFacts facts{};
    facts.active_deals = OptionalCount(fcinfo, 0, "active_deals");
    facts.activity_count_30d = OptionalCount(fcinfo, 1, "activity_count_30d");
    facts.last_activity_at = leadstats::TimeArgument(fcinfo, 2);
    facts.won_deals = OptionalCount(fcinfo, 3, "won_deals");
    facts.now = leadstats::TimeArgument(fcinfo, 5);
    const auto shares =
        leadstats::SharesOfWeights(&Call(fcinfo->flinfo)->weights, fcinfo->flinfo->fn_mcxt,
                                   core::kEngagementFactors, OptionalJson(fcinfo, 4));
    PG_RETURN_NUMERIC(leadstats::PointsAsNumeric(core::ScoreEngagement(facts, shares)));
}
