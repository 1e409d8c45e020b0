-- Scores of leads and customers: functions of their arguments alone (formulas: src/core/scoring.hpp).

-- Not STRICT: what is NULL is not known, which has a score, too.
CREATE FUNCTION freshcrm.lead_score(
    stats freshcrm.lead_event_stats,
    p_now timestamptz,
    p_weights jsonb DEFAULT NULL,
    p_status text DEFAULT NULL,
    OUT p_score numeric,
    OUT factors jsonb
)
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_score';

COMMENT ON FUNCTION freshcrm.lead_score(freshcrm.lead_event_stats, timestamptz, jsonb, text) IS
'P-score of a lead, 0 to 100, and the factors that made it: value, weight and points of each, and what was unknown';

CREATE FUNCTION freshcrm.p_score(
    stats freshcrm.lead_event_stats,
    p_now timestamptz,
    p_weights jsonb DEFAULT NULL,
    p_status text DEFAULT NULL
) RETURNS numeric
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_p_score';

COMMENT ON FUNCTION freshcrm.p_score(freshcrm.lead_event_stats, timestamptz, jsonb, text) IS
'P-score of a lead, 0 to 100: that of lead_score() without its factors';

-- Immutable: now() is the caller's.
CREATE FUNCTION freshcrm.engagement_score(
    active_deals integer,
    activity_count_30d integer,
    last_activity_at timestamptz,
    won_deals integer,
    weights jsonb DEFAULT NULL,
    p_now timestamptz DEFAULT now()
) RETURNS numeric
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_engagement_score';

COMMENT ON FUNCTION freshcrm.engagement_score(integer, integer, timestamptz, integer, jsonb, timestamptz) IS
'engagement of a customer, 0 to 100, from its deals and activities';

GRANT EXECUTE ON FUNCTION
    freshcrm.lead_score(freshcrm.lead_event_stats, timestamptz, jsonb, text),
    freshcrm.p_score(freshcrm.lead_event_stats, timestamptz, jsonb, text),
    freshcrm.engagement_score(integer, integer, timestamptz, integer, jsonb, timestamptz)
TO PUBLIC;
