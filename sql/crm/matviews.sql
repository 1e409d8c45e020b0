
-- The CRM pack: materialized views of leads, of feedback and of templates. Each has the unique index that REFRESH
-- MATERIALIZED VIEW CONCURRENTLY needs.
--
-- They are copies: no row security of the tables holds for them, so nobody but their owner is given rights to them.

-- The leads of the cockpit with the statistics that their score is made of. "now()" is that of the refresh: scores and
-- windows are those of refreshed_at. Windows are in hours, since a day is 23 to 25 of them by TimeZone.
CREATE FUNCTION freshcrm.crm_hot_leads_query(schema name, columns freshcrm.crm_column[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mapped CONSTANT text[] := ARRAY(SELECT ref_table FROM unnest(columns));
  web text := '(SELECT NULL::uuid AS lead_id, NULL::bigint AS events_14d, NULL::timestamptz AS last_at WHERE false)';
  social text := web;
BEGIN
  IF 'web_tracking_events' = ANY (mapped) THEN
    web := '(SELECT {web_tracking_events.lead_id} AS lead_id,
        count(*) FILTER (WHERE {web_tracking_events.timestamp} >= now() - interval ''336 hours'') AS events_14d,
        max({web_tracking_events.timestamp}) AS last_at
      FROM {web_tracking_events} AS web_tracking_events GROUP BY 1)';
  END IF;
  IF 'social_engagement_events' = ANY (mapped) THEN
    social := '(SELECT {social_engagement_events.lead_id} AS lead_id,
        count(*) FILTER (WHERE {social_engagement_events.created_at} >= now() - interval ''336 hours'') AS events_14d,
        max({social_engagement_events.created_at}) AS last_at
      FROM {social_engagement_events} AS social_engagement_events GROUP BY 1)';
  END IF;
  RETURN format('SELECT cockpit.owner_user_id AS user_id, cockpit.lead_id, score.p_score, cockpit.customer_name, cockpit.status,
      coalesce((message.stats).total_events, 0) AS total_events,
      coalesce((message.stats).inbound_14d, 0) AS inbound_14d, coalesce((message.stats).outbound_14d, 0) AS outbound_14d,
      coalesce((message.stats).inbound_7d, 0) AS inbound_7d, coalesce((message.stats).outbound_7d, 0) AS outbound_7d,
      coalesce((message.stats).channels, 0) AS channels,
      coalesce(web.events_14d, 0) AS web_events_14d, coalesce(social.events_14d, 0) AS social_events_14d,
      (message.stats).last_inbound_at, (message.stats).last_outbound_at, cockpit.last_activity_at,
      greatest((message.stats).last_inbound_at, (message.stats).last_outbound_at, web.last_at, social.last_at) AS last_event_at,
      score.factors, now() AS refreshed_at
    FROM %I.cockpit_leads_live AS cockpit
    LEFT JOIN ', schema)
    || freshcrm.crm_fill('(SELECT {message_events.lead_id} AS lead_id,
        freshcrm.lead_event_stats({message_events.direction}, {message_events.channel}, {message_events.created_at},
          now() - interval ''336 hours'', now() - interval ''168 hours'') AS stats
      FROM {message_events} AS message_events WHERE {message_events.lead_id} IS NOT NULL GROUP BY 1) AS message
      ON message.lead_id = cockpit.lead_id
    LEFT JOIN ' || web || ' AS web ON web.lead_id = cockpit.lead_id
    LEFT JOIN ' || social || ' AS social ON social.lead_id = cockpit.lead_id
    CROSS JOIN LATERAL freshcrm.lead_score(
      coalesce(message.stats, ROW(0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0)::freshcrm.lead_event_stats),
      now(), NULL, cockpit.status::text) AS score', columns);
END
$$;
COMMENT ON FUNCTION freshcrm.crm_hot_leads_query(name, freshcrm.crm_column[]) IS
  'the query of mv_hot_leads over the user''s tables';

-- Days are those of UTC, whatever the settings of the session.
CREATE FUNCTION freshcrm.crm_rlhf_query(columns freshcrm.crm_column[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT freshcrm.crm_fill('SELECT ({rlhf_feedback_sessions.created_at} AT TIME ZONE ''UTC'')::date AS day,
      {rlhf_feedback_sessions.user_id} AS user_id,
      count(*) AS sessions,
      count(*) FILTER (WHERE {rlhf_feedback_sessions.accepted}) AS accepted,
      count(*) FILTER (WHERE NOT {rlhf_feedback_sessions.accepted}) AS rejected,
      count({rlhf_feedback_sessions.rating}) AS ratings,
      avg({rlhf_feedback_sessions.rating}::numeric) AS average_rating,
      count(DISTINCT {rlhf_feedback_sessions.lead_id}) AS leads
    FROM {rlhf_feedback_sessions} AS rlhf_feedback_sessions
    WHERE {rlhf_feedback_sessions.created_at} IS NOT NULL AND {rlhf_feedback_sessions.user_id} IS NOT NULL
    GROUP BY 1, 2', columns, '{"rlhf_feedback_sessions.accepted": "NULL::boolean",
      "rlhf_feedback_sessions.rating": "NULL::numeric", "rlhf_feedback_sessions.lead_id": "NULL::uuid"}');
END;
COMMENT ON FUNCTION freshcrm.crm_rlhf_query(freshcrm.crm_column[]) IS
  'the query of mv_rlhf_sessions_daily over the user''s tables';

-- A message has a reply where the next message of its lead comes from the lead. Of messages of one instant those to the
-- lead come first, and then the order of template_id decides, so that the answer never depends on where rows lie.
CREATE FUNCTION freshcrm.crm_template_query(columns freshcrm.crm_column[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT freshcrm.crm_fill('SELECT {message_templates.id} AS template_id, {message_templates.name} AS name,
      {message_templates.channel} AS channel,
      count(message.template_id) AS sent,
      count(DISTINCT message.lead_id) AS leads,
      count(*) FILTER (WHERE message.answered) AS replied,
      round(count(*) FILTER (WHERE message.answered) / nullif(count(message.template_id), 0)::numeric, 4) AS reply_rate,
      percentile_cont(0.5) WITHIN GROUP (ORDER BY message.next_at - message.sent_at) FILTER (WHERE message.answered)
        AS median_reply_time,
      max(message.sent_at) AS last_sent_at
    FROM {message_templates} AS message_templates
    LEFT JOIN (SELECT step.*, lead(step.inbound) OVER steps AS answered, lead(step.sent_at) OVER steps AS next_at
                 FROM (SELECT {message_events.lead_id} AS lead_id, {message_events.template_id} AS template_id,
                              {message_events.created_at} AS sent_at,
                              lower({message_events.direction} COLLATE "C") = ''inbound'' AS inbound,
                              lower({message_events.direction} COLLATE "C") = ''outbound'' AS outbound
                         FROM {message_events} AS message_events
                        WHERE {message_events.lead_id} IS NOT NULL AND isfinite({message_events.created_at})) AS step
                WHERE step.inbound OR step.outbound
               WINDOW steps AS (PARTITION BY step.lead_id ORDER BY step.sent_at, step.inbound, step.template_id)) AS message
      ON message.template_id = {message_templates.id} AND message.outbound
    GROUP BY 1, 2, 3', columns, '{"message_templates.channel": "NULL::text"}');
END;
COMMENT ON FUNCTION freshcrm.crm_template_query(freshcrm.crm_column[]) IS
  'the query of mv_template_performance over the user''s tables';

-- Makes those whose tables are mapped, and returns their names.
CREATE FUNCTION freshcrm.crm_create_matviews(schema name, columns freshcrm.crm_column[]) RETURNS name[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mapped CONSTANT text[] := ARRAY(SELECT ref_table || '.' || ref_column FROM unnest(columns));
  made name[] := '{}';
BEGIN
  IF 'message_events.lead_id' = ANY (mapped) THEN
    EXECUTE format($ddl$
      CREATE MATERIALIZED VIEW %1$I.mv_hot_leads AS %2$s;
      CREATE UNIQUE INDEX mv_hot_leads_lead ON %1$I.mv_hot_leads (lead_id);
      CREATE INDEX mv_hot_leads_user_score ON %1$I.mv_hot_leads (user_id, p_score DESC, lead_id);
      COMMENT ON MATERIALIZED VIEW %1$I.mv_hot_leads IS
        'The leads of the cockpit with score and statistics as of refreshed_at, the time of the refresh; a copy without row security.';
      $ddl$, schema, freshcrm.crm_hot_leads_query(schema, columns));
    made := made || 'mv_hot_leads'::name;
  END IF;
  IF 'rlhf_feedback_sessions.user_id' = ANY (mapped) THEN
    EXECUTE format($ddl$
      CREATE MATERIALIZED VIEW %1$I.mv_rlhf_sessions_daily AS %2$s;
      CREATE UNIQUE INDEX mv_rlhf_sessions_daily_day_user ON %1$I.mv_rlhf_sessions_daily (day, user_id);
      COMMENT ON MATERIALIZED VIEW %1$I.mv_rlhf_sessions_daily IS
        'Feedback sessions of each user by days of UTC; a copy without row security.';
      $ddl$, schema, freshcrm.crm_rlhf_query(columns));
    made := made || 'mv_rlhf_sessions_daily'::name;
  END IF;
  IF mapped @> ARRAY['message_events.template_id', 'message_templates.id'] THEN
    PERFORM freshcrm.crm_check_comparable(columns, 'message_events.template_id', 'message_templates.id');
    EXECUTE format($ddl$
      CREATE MATERIALIZED VIEW %1$I.mv_template_performance AS %2$s;
      CREATE UNIQUE INDEX mv_template_performance_template ON %1$I.mv_template_performance (template_id);
      COMMENT ON MATERIALIZED VIEW %1$I.mv_template_performance IS
        'What became of the messages made of each template; replied counts those whose lead wrote next. A copy without row security.';
      $ddl$, schema, freshcrm.crm_template_query(columns));
    made := made || 'mv_template_performance'::name;
  END IF;
  RETURN made;
END
$$;
COMMENT ON FUNCTION freshcrm.crm_create_matviews(name, freshcrm.crm_column[]) IS
  'makes mv_hot_leads, mv_rlhf_sessions_daily and mv_template_performance in a schema, each when its tables are mapped';

REVOKE ALL ON FUNCTION freshcrm.crm_create_matviews(name, freshcrm.crm_column[]) FROM PUBLIC;
