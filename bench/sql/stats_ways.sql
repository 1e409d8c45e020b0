-- The ways to get the statistics, and the tables whose upkeep is measured. What freshcrm does not have yet is left out.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE TABLE bench.raw (turn int, way text, value float8);

-- $1 is the user, $2 and $3 the cutoffs, $4 100 leads, $5 the time of the question.
CREATE TABLE bench.ways (place int, way text PRIMARY KEY, statement text, needs text, what text);

-- Plain SQL, of what condition: with DISTINCT, and in two levels, of which the first has a row for each channel.
CREATE FUNCTION bench.filter(condition text) RETURNS text LANGUAGE sql AS $$ SELECT
$f$SELECT lead_id, count(*) AS total_events, count(*) FILTER (WHERE direction = 'inbound') AS inbound_total,
       count(*) FILTER (WHERE direction = 'outbound') AS outbound_total,
       count(*) FILTER (WHERE direction = 'inbound' AND created_at >= $2) AS inbound_14d,
       count(*) FILTER (WHERE direction = 'outbound' AND created_at >= $2) AS outbound_14d,
       count(*) FILTER (WHERE direction = 'inbound' AND created_at >= $3) AS inbound_7d,
       count(*) FILTER (WHERE direction = 'outbound' AND created_at >= $3) AS outbound_7d,
       max(created_at) FILTER (WHERE direction = 'inbound') AS last_inbound_at,
       max(created_at) FILTER (WHERE direction = 'outbound') AS last_outbound_at,
       count(DISTINCT channel)::int AS channels
  FROM crm.message_events WHERE $f$ || condition || ' GROUP BY lead_id' $$;
CREATE FUNCTION bench.two_levels(condition text) RETURNS text LANGUAGE sql AS $$ SELECT
$f$SELECT lead_id, sum(n)::bigint AS total_events, coalesce(sum(n) FILTER (WHERE direction = 'inbound'), 0)::bigint AS inbound_total,
       coalesce(sum(n) FILTER (WHERE direction = 'outbound'), 0)::bigint AS outbound_total,
       coalesce(sum(n14) FILTER (WHERE direction = 'inbound'), 0)::bigint AS inbound_14d,
       coalesce(sum(n14) FILTER (WHERE direction = 'outbound'), 0)::bigint AS outbound_14d,
       coalesce(sum(n7) FILTER (WHERE direction = 'inbound'), 0)::bigint AS inbound_7d,
       coalesce(sum(n7) FILTER (WHERE direction = 'outbound'), 0)::bigint AS outbound_7d,
       max(last) FILTER (WHERE direction = 'inbound') AS last_inbound_at, max(last) FILTER (WHERE direction = 'outbound') AS last_outbound_at,
       count(DISTINCT channel)::int AS channels
  FROM (SELECT lead_id, direction, channel, count(*) AS n, count(*) FILTER (WHERE created_at >= $2) AS n14,
               count(*) FILTER (WHERE created_at >= $3) AS n7, max(created_at) AS last
          FROM crm.message_events WHERE $f$ || condition || ' GROUP BY lead_id, direction, channel) AS l GROUP BY lead_id' $$;

-- The P-scores of 100 leads and the factors that made them (README), of the statistics above: what p_score_batch() gives.
CREATE FUNCTION bench.plain_score() RETURNS text LANGUAGE sql AS $$ SELECT
$f$SELECT lead_id, total5 AS p_score, jsonb_build_object(
         'recency', jsonb_build_object('value', trim_scale(recency), 'points', trim_scale(total1), 'weight', 0.35),
         'frequency', jsonb_build_object('value', trim_scale(frequency), 'points', trim_scale(total2 - total1), 'weight', 0.25),
         'reply', jsonb_build_object('value', trim_scale(reply), 'points', trim_scale(total3 - total2), 'weight', 0.2),
         'channels', jsonb_build_object('value', trim_scale(channels), 'points', trim_scale(total4 - total3), 'weight', 0.05),
         'stage', jsonb_build_object('value', trim_scale(stage), 'points', trim_scale(total5 - total4), 'weight', 0.15),
         'unknown', '[]'::jsonb) AS factors
  FROM (SELECT *, round(35 * recency, 2) AS total1, round(35 * recency + 25 * frequency, 2) AS total2,
               round(35 * recency + 25 * frequency + 20 * reply, 2) AS total3,
               round(35 * recency + 25 * frequency + 20 * reply + 5 * channels, 2) AS total4,
               round(35 * recency + 25 * frequency + 20 * reply + 5 * channels + 15 * stage, 2) AS total5
          FROM (SELECT l.id AS lead_id,
                       round(CASE WHEN s.last_inbound_at >= $5 THEN 1 WHEN s.last_inbound_at IS NULL THEN 0
                         ELSE power(2, -extract(epoch FROM $5 - s.last_inbound_at)::float8 / 604800) END::numeric, 4) AS recency,
                       round((1 - exp(-(coalesce(s.inbound_7d, 0)
                         + 0.5 * (coalesce(s.inbound_14d, 0) - coalesce(s.inbound_7d, 0)))::float8 / 3))::numeric, 4) AS frequency,
                       round((0.7 * (coalesce(s.inbound_total, 0) + 1)::float8
                           / (coalesce(s.inbound_total, 0) + coalesce(s.outbound_total, 0) + 4)
                         + CASE WHEN s.last_inbound_at > coalesce(s.last_outbound_at, '-infinity') THEN 0.3 ELSE 0 END)::numeric, 4) AS reply,
                       round((1 - power(2, -coalesce(s.channels, 0)::float8))::numeric, 4) AS channels,
                       CASE l.status WHEN 'new' THEN 0.1 WHEN 'open' THEN 0.1 WHEN 'qualified' THEN 0.4 WHEN 'proposal' THEN 0.75
                         WHEN 'won' THEN 1 WHEN 'lost' THEN 0 END AS stage
                  FROM crm.leads AS l LEFT JOIN ($f$
    || replace(replace(bench.filter('lead_id = ANY ($4) AND user_id IS NOT NULL'), '$2', '($5 - interval ''336 hours'')'),
         '$3', '($5 - interval ''168 hours'')') || $f$) AS s ON s.lead_id = l.id
                 WHERE l.id = ANY ($4)
                OFFSET 0) AS factors
        OFFSET 0) AS totals$f$ $$;

-- As it is written where each lead is gone through.
CREATE FUNCTION bench.loop(p_user uuid, p_cutoff_14d timestamptz, p_cutoff_7d timestamptz)
RETURNS TABLE (lead_id uuid, total_events bigint, inbound_total bigint, outbound_total bigint, inbound_14d bigint,
               outbound_14d bigint, inbound_7d bigint, outbound_7d bigint, last_inbound_at timestamptz,
               last_outbound_at timestamptz, channels int)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  event record;
  seen text[];
BEGIN
  FOR event IN SELECT e.lead_id, e.direction, e.channel, e.created_at FROM crm.message_events AS e WHERE e.user_id = p_user ORDER BY e.lead_id LOOP
    IF lead_id IS DISTINCT FROM event.lead_id THEN
      IF lead_id IS NOT NULL THEN
        channels := cardinality(seen);
        RETURN NEXT;
      END IF;
      lead_id := event.lead_id;
      total_events := 0; inbound_total := 0; outbound_total := 0; inbound_14d := 0; outbound_14d := 0;
      inbound_7d := 0; outbound_7d := 0; last_inbound_at := NULL; last_outbound_at := NULL; seen := '{}';
    END IF;
    total_events := total_events + 1;
    IF event.direction = 'inbound' THEN
      inbound_total := inbound_total + 1;
      IF event.created_at >= p_cutoff_14d THEN inbound_14d := inbound_14d + 1; END IF;
      IF event.created_at >= p_cutoff_7d THEN inbound_7d := inbound_7d + 1; END IF;
      last_inbound_at := greatest(last_inbound_at, event.created_at);
    ELSIF event.direction = 'outbound' THEN
      outbound_total := outbound_total + 1;
      IF event.created_at >= p_cutoff_14d THEN outbound_14d := outbound_14d + 1; END IF;
      IF event.created_at >= p_cutoff_7d THEN outbound_7d := outbound_7d + 1; END IF;
      last_outbound_at := greatest(last_outbound_at, event.created_at);
    END IF;
    IF event.channel <> ALL (seen) THEN seen := seen || event.channel; END IF;
  END LOOP;
  IF lead_id IS NOT NULL THEN
    channels := cardinality(seen);
    RETURN NEXT;
  END IF;
END
$$;

-- The pack's functions as they are without a rollup.
CREATE SCHEMA raw;
SELECT replace(pg_get_functiondef(oid), 'FUNCTION crm.', 'FUNCTION raw.')
  FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND proname IN ('calculate_lead_event_stats', 'p_score_batch') \gexec
SELECT to_regproc('freshcrm.create_event_rollup') IS NOT NULL AS rollups \gset
\if :rollups
SELECT freshcrm.create_event_rollup('crm.message_events', '{user_id,lead_id}', 'created_at') AS rollup \gset
SELECT 'VACUUM ANALYZE ' || :'rollup' \gexec
\endif

INSERT INTO bench.ways VALUES
  (1, 'count', 'SELECT count(*) FROM crm.message_events WHERE user_id = $1', NULL, 'count(*)'),
  (2, 'grouped', 'SELECT lead_id, count(*) FROM crm.message_events WHERE user_id = $1 GROUP BY lead_id', NULL, 'count(*) by lead'),
  (3, 'filter', bench.filter('user_id = $1'), NULL, 'FILTER, count(DISTINCT channel)'),
  (4, 'two_levels', bench.two_levels('user_id = $1'), NULL, 'FILTER, grouped twice'),
  (5, 'loop', 'SELECT * FROM bench.loop($1, $2, $3)', NULL, 'a loop of PL/pgSQL'),
  (6, 'aggregate', 'SELECT lead_id, freshcrm.lead_event_stats(direction, channel, created_at, $2, $3) FROM crm.message_events WHERE user_id = $1 GROUP BY lead_id', NULL, 'lead_event_stats()'),
  (7, 'columns', 'SELECT lead_id, (freshcrm.lead_event_stats(direction, channel, created_at, $2, $3)).* FROM crm.message_events WHERE user_id = $1 GROUP BY lead_id', NULL, 'lead_event_stats(), its columns'),
  (8, 'replies', 'SELECT lead_id, freshcrm.event_stats(direction, channel, status, created_at, $2, $3) FROM crm.message_events WHERE user_id = $1 GROUP BY lead_id', NULL, 'event_stats(): with failures and replies'),
  (9, 'rpc_raw', 'SELECT * FROM raw.calculate_lead_event_stats($1, $2, $3)', 'raw.calculate_lead_event_stats', 'calculate_lead_event_stats(), raw events'),
  (10, 'rpc_rollup', 'SELECT * FROM crm.calculate_lead_event_stats($1, $2, $3)', 'freshcrm.create_event_rollup', 'calculate_lead_event_stats(), rollup'),
  (11, 'batch_count', 'SELECT lead_id, count(*) FROM crm.message_events WHERE lead_id = ANY ($4) GROUP BY lead_id', NULL, '100 leads: count(*)'),
  (12, 'batch_filter', bench.filter('lead_id = ANY ($4)'), NULL, '100 leads: FILTER, count(DISTINCT channel)'),
  (13, 'batch_two_levels', bench.two_levels('lead_id = ANY ($4)'), NULL, '100 leads: FILTER, grouped twice'),
  (14, 'batch_score', bench.plain_score(), NULL, '100 leads: the P-score, in plain SQL'),
  (15, 'batch_aggregate', 'SELECT lead_id, freshcrm.lead_event_stats(direction, channel, created_at, $2, $3) FROM crm.message_events WHERE lead_id = ANY ($4) GROUP BY lead_id', NULL, '100 leads: lead_event_stats()'),
  (16, 'batch_raw', 'SELECT * FROM raw.p_score_batch($4, $5)', 'raw.p_score_batch', '100 leads: p_score_batch(), raw events'),
  (17, 'batch_rollup', 'SELECT * FROM crm.p_score_batch($4, $5)', 'freshcrm.create_event_rollup', '100 leads: p_score_batch(), rollup');
DELETE FROM bench.ways WHERE to_regproc(needs) IS NULL AND needs IS NOT NULL
    OR way = 'batch_rollup' AND to_regproc('raw.p_score_batch') IS NULL;

-- The ways that give all columns, and do not give those that plain SQL gives.
CREATE FUNCTION bench.wrong_ways() RETURNS TABLE (way text) LANGUAGE plpgsql AS $$
DECLARE
  tested record;
  differences bigint;
BEGIN
  FOR tested IN SELECT w.way, replace(w.statement, '$4', 'q.leads') AS statement, f.statement AS plain
                  FROM (VALUES ('two_levels', 'filter'), ('loop', 'filter'), ('columns', 'filter'), ('rpc_raw', 'filter'), ('rpc_rollup', 'filter'),
                          ('batch_two_levels', 'batch_filter'), ('batch_raw', 'batch_score'), ('batch_rollup', 'batch_score')) AS t (way, plain)
                  JOIN bench.ways AS w USING (way) JOIN bench.ways AS f ON f.way = t.plain ORDER BY w.place LOOP
    EXECUTE format('SELECT count(*) FROM (TABLE bench.question) AS q,
        LATERAL ((SELECT w::text FROM (%1$s) AS w EXCEPT ALL SELECT f::text FROM (%2$s) AS f)
                 UNION ALL (SELECT f::text FROM (%2$s) AS f EXCEPT ALL SELECT w::text FROM (%1$s) AS w)) AS d',
        bench.bind(tested.statement), bench.bind(tested.plain)) INTO differences;
    IF differences > 0 THEN
      way := tested.way;
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;
-- With what is asked for instead of the parameters.
CREATE FUNCTION bench.bind(statement text) RETURNS text LANGUAGE sql AS $$
  SELECT replace(replace(replace(replace(replace(statement, '$1', quote_literal(owner) || '::uuid'), '$2', quote_literal(cutoff_14d) || '::timestamptz'),
         '$3', quote_literal(cutoff_7d) || '::timestamptz'), '$4', quote_literal(leads) || '::uuid[]'), '$5', quote_literal(at) || '::timestamptz')
    FROM bench.question
$$;

-- Upkeep: tables of the user's messages, with the indexes of the pack; by day, kept by a trigger as one writes it, and
-- in a rollup.
CREATE TABLE bench.variants (place serial, variant text PRIMARY KEY, counts text);
CREATE SCHEMA plain;
CREATE SCHEMA daily;
CREATE SCHEMA rollup;
CREATE TABLE plain.message_events (LIKE crm.message_events INCLUDING ALL);
CREATE TABLE daily.message_events (LIKE crm.message_events INCLUDING ALL);
CREATE TABLE rollup.message_events (LIKE crm.message_events INCLUDING ALL);
INSERT INTO plain.message_events SELECT * FROM crm.message_events WHERE user_id = bench.owner(1);
INSERT INTO daily.message_events TABLE plain.message_events;
INSERT INTO rollup.message_events TABLE plain.message_events;

CREATE TABLE daily.lead_day (user_id uuid, lead_id uuid, day date, direction text, channel text, events bigint NOT NULL,
    last_at timestamptz NOT NULL, PRIMARY KEY (user_id, lead_id, day, direction, channel)) WITH (fillfactor = 80);
INSERT INTO daily.lead_day
SELECT user_id, lead_id, created_at::date, direction, channel, count(*), max(created_at) FROM daily.message_events GROUP BY 1, 2, 3, 4, 5;
CREATE FUNCTION daily.count_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO daily.lead_day AS d VALUES (NEW.user_id, NEW.lead_id, NEW.created_at::date, NEW.direction, NEW.channel, 1, NEW.created_at)
  ON CONFLICT (user_id, lead_id, day, direction, channel)
  DO UPDATE SET events = d.events + 1, last_at = greatest(d.last_at, excluded.last_at);
  RETURN NULL;
END
$$;
CREATE TRIGGER count_event AFTER INSERT ON daily.message_events FOR EACH ROW EXECUTE FUNCTION daily.count_event();
INSERT INTO bench.variants (variant) VALUES ('plain'), ('daily');
\if :rollups
SELECT freshcrm.create_event_rollup('rollup.message_events', '{user_id,lead_id}', 'created_at') \g /dev/null
INSERT INTO bench.variants (variant) VALUES ('rollup');
\endif
VACUUM ANALYZE plain.message_events, daily.message_events, rollup.message_events, daily.lead_day;

CREATE FUNCTION bench.wrong_upkeep() RETURNS TABLE (variant text) LANGUAGE plpgsql AS $$
DECLARE
  differences bigint;
BEGIN
  IF EXISTS (SELECT user_id, lead_id, created_at::date, direction, channel, count(*), max(created_at) FROM daily.message_events GROUP BY 1, 2, 3, 4, 5
             EXCEPT SELECT * FROM daily.lead_day) THEN
    variant := 'daily';
    RETURN NEXT;
  END IF;
  IF EXISTS (SELECT FROM bench.variants AS v WHERE v.variant = 'rollup') THEN
    SELECT count(*) INTO differences FROM freshcrm.verify_projection((SELECT rollup FROM freshcrm.event_rollup WHERE source = 'rollup.message_events'::regclass));
    IF differences > 0 THEN
      variant := 'rollup';
      RETURN NEXT;
    END IF;
  END IF;
END
$$;
