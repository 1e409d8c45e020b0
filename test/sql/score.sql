-- Scores (properties over random facts: test/unit/scoring_test.cpp).
SET client_min_messages = warning;
SET TimeZone = 'UTC';
\set now '''2026-06-15 12:00+00'''

-- Statistics of a lead: total, inbound and outbound events, in 14 and 7 days, last times, channels.
CREATE FUNCTION pg_temp.stats(inbound bigint, outbound bigint, inbound_14d bigint, inbound_7d bigint,
    last_inbound_at timestamptz, last_outbound_at timestamptz, channels int) RETURNS freshcrm.lead_event_stats
LANGUAGE sql AS $$ SELECT ROW(inbound + outbound, inbound, outbound, inbound_14d, 0, inbound_7d, 0, last_inbound_at, last_outbound_at, channels)::freshcrm.lead_event_stats $$;

-- Worked out by hand: recency 2^-1, frequency 1 - exp(-(2 + 2/2)/3), reply 0.7 * 6/16 + 0.3, channels 1 - 2^-2, qualified 0.4.
SELECT p_score, 100 * (0.35 * 0.5 + 0.25 * 0.6321 + 0.2 * 0.5625 + 0.05 * 0.75 + 0.15 * 0.4) AS by_hand, jsonb_pretty(factors)
FROM freshcrm.lead_score(pg_temp.stats(5, 7, 4, 2, '2026-06-08 12:00+00', '2026-06-07 12:00+00', 2), :now, p_status => 'qualified');
SELECT freshcrm.p_score(pg_temp.stats(5, 7, 4, 2, '2026-06-08 12:00+00', '2026-06-07 12:00+00', 2), :now, p_status => 'qualified');

-- From events, as a query makes them.
SELECT lead, s.p_score, s.factors
FROM (SELECT lead, freshcrm.lead_event_stats(direction, channel, at, timestamptz :now - interval '14 days', timestamptz :now - interval '7 days') AS stats
      FROM (VALUES (1, 'outbound', 'email', timestamptz '2026-06-01 12:00+00'), (1, 'inbound', 'email', '2026-06-02 12:00+00'),
                   (1, 'outbound', 'phone', '2026-06-10 12:00+00'), (1, 'inbound', 'phone', '2026-06-14 12:00+00'),
                   (2, 'outbound', 'email', '2026-06-14 12:00+00'), (3, 'note', NULL, '2026-06-14 12:00+00')) AS e (lead, direction, channel, at)
      GROUP BY lead) AS l, freshcrm.lead_score(stats, :now, NULL, 'engaged') AS s ORDER BY lead;

-- The formulas in SQL, over random statistics.
CREATE TEMP TABLE random AS
SELECT n, s.* FROM (SELECT setseed(0.5)) AS seed, generate_series(1, 5000) AS n,
    LATERAL (SELECT CASE WHEN random() < 0.9 THEN (random() * 9 * (n % 3))::int END AS inbound, CASE WHEN random() < 0.9 THEN (random() * 20)::int END AS outbound,
                    CASE WHEN random() < 0.9 THEN (random() * 5)::int END AS inbound_14d, CASE WHEN random() < 0.9 THEN (random() * 3)::int END AS inbound_7d,
                    CASE WHEN random() < 0.8 THEN timestamptz :now - random() * interval '40 days' END AS last_inbound_at,
                    CASE WHEN random() < 0.8 THEN timestamptz :now - random() * interval '40 days' END AS last_outbound_at,
                    CASE WHEN random() < 0.9 THEN (random() * 4)::int END AS channels,
                    (ARRAY['new', 'Qualified', 'negotiation', 'won', 'lost', '?', NULL])[1 + n % 7] AS status,
                    n AS r) AS s;
CREATE TEMP TABLE scored AS
SELECT r.*, s.p_score, s.factors, freshcrm.p_score(stats, :now, NULL, status) AS alone
FROM random AS r, LATERAL (SELECT pg_temp.stats(inbound, outbound, inbound_14d, inbound_7d, last_inbound_at, last_outbound_at, channels)) AS p (stats),
     freshcrm.lead_score(stats, :now, NULL, status) AS s;
CREATE TEMP TABLE by_formula AS
SELECT n, p_score, alone, factors, v.* FROM scored AS s, LATERAL (SELECT
    coalesce(round((2.0::float8 ^ (-extract(epoch FROM timestamptz :now - last_inbound_at)::float8 / 86400 / 7))::numeric, 4), 0) AS recency,
    round((1 - exp(-(coalesce(inbound_7d, 0) + greatest(coalesce(inbound_14d, 0) - coalesce(inbound_7d, 0), 0) / 2.0::float8) / 3))::numeric, 4) AS frequency,
    round(0.7 * (coalesce(inbound, 0) + 1) / (coalesce(inbound, 0) + coalesce(outbound, 0) + 4)
          + CASE WHEN last_inbound_at > coalesce(last_outbound_at, '-infinity') THEN 0.3 ELSE 0 END, 4) AS reply,
    round(1 - 2.0 ^ -coalesce(channels, 0), 4) AS channels_value,
    CASE lower(status) WHEN 'new' THEN 0.1 WHEN 'qualified' THEN 0.4 WHEN 'negotiation' THEN 0.9 WHEN 'won' THEN 1 WHEN 'lost' THEN 0 ELSE 0.5 END AS stage) AS v;
SELECT count(*), count(DISTINCT p_score) > 2000 AS many_values,
    count(*) FILTER (WHERE p_score = round(100 * (0.35 * recency + 0.25 * frequency + 0.2 * reply + 0.05 * channels_value + 0.15 * stage), 2)) AS same_score,
    count(*) FILTER (WHERE alone = p_score) AS same_alone,
    count(*) FILTER (WHERE (factors #>> '{recency,value}')::numeric = recency AND (factors #>> '{frequency,value}')::numeric = frequency
        AND (factors #>> '{reply,value}')::numeric = reply AND (factors #>> '{channels,value}')::numeric = channels_value
        AND (factors #>> '{stage,value}')::numeric = stage) AS same_values,
    count(*) FILTER (WHERE p_score = (SELECT sum((value ->> 'points')::numeric) FROM jsonb_each(factors) WHERE key <> 'unknown')) AS sum_of_points
FROM by_formula;
SELECT count(*) FILTER (WHERE factors -> 'unknown' = coalesce((SELECT jsonb_agg(name ORDER BY place) FROM (VALUES
        (1, 'inbound_total', inbound IS NULL), (2, 'outbound_total', outbound IS NULL), (3, 'inbound_14d', inbound_14d IS NULL),
        (4, 'inbound_7d', inbound_7d IS NULL), (5, 'channels', channels IS NULL), (6, 'last_inbound_at', inbound > 0 AND last_inbound_at IS NULL),
        (7, 'last_outbound_at', outbound > 0 AND last_outbound_at IS NULL), (8, 'p_status', coalesce(status, '?') = '?')) AS u (place, name, unknown)
    WHERE unknown), '[]')) AS right_unknown, count(*) FROM scored;

-- What is not known, and times without an age.
SELECT what, s.p_score, s.factors #> '{recency,value}' AS recency, s.factors -> 'unknown' AS unknown
FROM (VALUES (1, 'no events', pg_temp.stats(0, 0, 0, 0, NULL, NULL, 0), :now::timestamptz), (2, 'no statistics', NULL, :now), (3, 'nothing but NULL', pg_temp.stats(NULL, NULL, NULL, NULL, NULL, NULL, NULL), :now),
    (4, 'no p_now', pg_temp.stats(1, 0, 1, 1, :now, NULL, 1), NULL), (5, 'no p_now, no events', NULL, NULL),
    (6, 'after p_now', pg_temp.stats(1, 0, 1, 1, timestamptz :now + interval '1 year', NULL, 1), :now), (7, 'infinity', pg_temp.stats(1, 0, 1, 1, 'infinity', NULL, 1), :now),
    (8, '-infinity', pg_temp.stats(1, 0, 1, 1, '-infinity', NULL, 1), :now), (9, 'p_now infinity', pg_temp.stats(1, 0, 1, 1, :now, NULL, 1), 'infinity'),
    (10, 'p_now -infinity', pg_temp.stats(1, 0, 1, 1, :now, NULL, 1), '-infinity'), (11, 'long ago', pg_temp.stats(1, 0, 1, 1, '4713-01-01 BC', NULL, 1), '294276-12-31'),
    (12, 'no times', pg_temp.stats(1, 1, 0, 0, NULL, NULL, 1), :now), (13, 'as many as there are', pg_temp.stats(9223372036854775807, 0, 9223372036854775807, 9223372036854775807, :now, NULL, 2147483647), :now)) AS v (place, what, stats, now),
    freshcrm.lead_score(stats, now, NULL, 'new') AS s ORDER BY place;

-- Statuses, in whatever spelling; what is none of them is neutral.
SELECT status, s.factors #> '{stage,value}' AS value, s.factors -> 'unknown' AS unknown
FROM unnest(ARRAY['new', 'New', 'Closed Won', 'closed-lost', 'NEGOTIATION/REVIEW', 'contacted', 'engaging', 'won ', '', 'gewonnen', 'Ä', NULL]) WITH ORDINALITY AS t (status, n),
    freshcrm.lead_score(NULL, NULL, NULL, status) AS s ORDER BY n;
-- The bytes of the factors are those that the server makes of their text.
SELECT setseed(0.25) \g /dev/null
SELECT count(*) AS scores, count(*) FILTER (WHERE record_image_eq(ROW(factors), ROW(factors::text::jsonb))) AS of_the_same_bytes
  FROM generate_series(1, 5000) AS n,
       LATERAL (SELECT ROW(n % 7, n % 5, n % 7, n % 3, 0, n % 2, 0, CASE WHEN n % 11 > 0 THEN now() - n * interval '1 hour' END,
                           CASE WHEN n % 13 > 0 THEN now() - n * interval '50 min' END, n % 4)::freshcrm.lead_event_stats AS stats) AS e,
       freshcrm.lead_score(CASE WHEN n % 17 > 0 THEN stats END, CASE WHEN n % 19 > 0 THEN now() END,
                           CASE n % 3 WHEN 0 THEN jsonb_build_object('recency', random(), 'stage', 1e9 * random(), 'reply', n % 2)
                                      WHEN 1 THEN '{"recency": 0, "frequency": 0, "reply": 0, "channels": 0}' END,
                           (ARRAY['new', 'won', 'x', NULL])[1 + n % 4]) AS s;
SELECT factors -> 'unknown' AS unknown FROM freshcrm.lead_score(NULL, :now, NULL, repeat('won', 100000));

-- Weights: what is not named keeps its default; they need not sum to one.
\set lead 'pg_temp.stats(5, 7, 4, 2, ''2026-06-08 12:00+00'', ''2026-06-07 12:00+00'', 2), ''2026-06-15 12:00+00'''
SELECT weights, s.p_score, (SELECT jsonb_object_agg(key, value -> 'weight') FROM jsonb_each(s.factors) WHERE key <> 'unknown') AS shares
FROM unnest(ARRAY[NULL, '{}', '{"recency": 35, "frequency": 25, "reply": 20, "channels": 5, "stage": 15}', '{"stage": 0}', '{"stage": 0, "reply": 0, "channels": 0, "frequency": 0}',
    '{"recency": 1, "frequency": 1, "reply": 1, "channels": 0, "stage": 0}', '{"recency": 1000000000, "stage": 1e9}']::jsonb[]) WITH ORDINALITY AS t (weights, n),
    freshcrm.lead_score(:lead, weights, 'qualified') AS s ORDER BY n;
SELECT factors -> 'reply' AS next_to_nothing FROM freshcrm.lead_score(:lead, '{"reply": 1e-400}');
-- A call site keeps what it has read last.
SELECT count(DISTINCT p) FROM (SELECT freshcrm.p_score(:lead, CASE n % 3 WHEN 0 THEN '{"recency": 0}' WHEN 1 THEN '{"stage": 9}' END::jsonb, 'won') AS p, n FROM generate_series(1, 1000) AS n) AS s;
SELECT n % 3 AS which, min(p) = max(p) AS same FROM (SELECT freshcrm.p_score(:lead, CASE n % 3 WHEN 0 THEN '{"recency": 0}' WHEN 1 THEN '{"stage": 9}' END::jsonb, 'won') AS p, n FROM generate_series(1, 1000) AS n) AS s GROUP BY n % 3 ORDER BY 1;

-- Bad weights.
SELECT freshcrm.p_score(:lead, '{"recency": -0.1}');
SELECT freshcrm.p_score(:lead, '{"recency": "0.1"}');
SELECT freshcrm.p_score(:lead, '{"recency": "NaN"}');
SELECT freshcrm.p_score(:lead, '{"recency": null}');
SELECT freshcrm.p_score(:lead, '{"recency": true}');
SELECT freshcrm.p_score(:lead, '{"recency": [1]}');
SELECT freshcrm.p_score(:lead, '{"recency": {"weight": 1}}');
SELECT freshcrm.p_score(:lead, '{"recency": 1e400}');
SELECT freshcrm.p_score(:lead, '{"recency": 1000000000.5}');
SELECT freshcrm.p_score(:lead, '{"Recency": 1}');
SELECT freshcrm.p_score(:lead, '{"": 1}');
SELECT freshcrm.p_score(:lead, jsonb_build_object(repeat('ä', 1000), 1));
SELECT freshcrm.p_score(:lead, '{"weights": {"recency": 1}}');
SELECT freshcrm.p_score(:lead, '{"recency": 0, "frequency": 0, "reply": 0, "channels": 0, "stage": 0}');
SELECT freshcrm.p_score(:lead, '[1, 2, 3, 4, 5]');
SELECT freshcrm.p_score(:lead, '1');
SELECT freshcrm.p_score(:lead, 'null');
SELECT freshcrm.lead_score(:lead, '{"stages": 1}');

-- Bad statistics.
SELECT freshcrm.p_score(pg_temp.stats(-1, 0, 0, 0, NULL, NULL, 0), :now);
SELECT freshcrm.p_score(pg_temp.stats(0, 0, 0, 0, NULL, NULL, -3), :now);
BEGIN;
ALTER TYPE freshcrm.lead_event_stats ADD ATTRIBUTE more int;
SELECT freshcrm.p_score(ROW(0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0)::freshcrm.lead_event_stats, :now);
ROLLBACK;

-- Engagement, worked out by hand: 1 - exp(-2/2), 1 - exp(-10/10), 2^-(14/14), 1 - exp(-2/2).
SELECT freshcrm.engagement_score(2, 10, '2026-06-01 12:00+00', 2, p_now => :now), round(100 * (0.3 * 0.6321 + 0.3 * 0.6321 + 0.25 * 0.5 + 0.15 * 0.6321), 2) AS by_hand;
SELECT n, count(*) AS scores, count(*) FILTER (WHERE freshcrm.engagement_score(deals, activities, at, won, p_now => :now) = round(100 * (
    0.3 * round((1 - exp(-deals / 2.0::float8))::numeric, 4) + 0.3 * round((1 - exp(-activities / 10.0::float8))::numeric, 4)
    + 0.25 * round((2.0::float8 ^ (-extract(epoch FROM timestamptz :now - at)::float8 / 86400 / 14))::numeric, 4) + 0.15 * round((1 - exp(-won / 2.0::float8))::numeric, 4)), 2)) AS as_by_formula
FROM (SELECT 1 AS n, d AS deals, 7 * d + 1 AS activities, timestamptz :now - d * interval '30 hours' AS at, d % 5 AS won FROM generate_series(0, 99) AS d) AS s GROUP BY n;
SELECT freshcrm.engagement_score(NULL, NULL, NULL, NULL) AS nothing, freshcrm.engagement_score(0, 0, NULL, 0, NULL, NULL) AS zero,
    freshcrm.engagement_score(2147483647, 2147483647, 'infinity', 2147483647) AS most, freshcrm.engagement_score(0, 0, :now, 0, NULL, NULL) AS no_now,
    freshcrm.engagement_score(0, 0, '-infinity', 0) AS never, freshcrm.engagement_score(1, 2, :now, 3, '{"active_deals": 0, "activity": 0, "won_deals": 0}', :now) AS recency;
SELECT freshcrm.engagement_score(-1, 0, NULL, 0);
SELECT freshcrm.engagement_score(0, -1, NULL, 0);
SELECT freshcrm.engagement_score(0, 0, NULL, -1);
SELECT freshcrm.engagement_score(1, 1, NULL, 1, '{"stage": 1}');
SELECT freshcrm.engagement_score(1, 1, NULL, 1, '{"recency": -1}');
SELECT freshcrm.engagement_score(1, 1, NULL, 1, '{"recency": 0, "activity": 0, "active_deals": 0, "won_deals": 0}');

-- Immutable: a column can be made of it, and an index.
CREATE TEMP TABLE customer (deals int, activities int, at timestamptz, won int, as_of timestamptz,
    score numeric GENERATED ALWAYS AS (freshcrm.engagement_score(deals, activities, at, won, NULL, as_of)) STORED);
CREATE INDEX ON customer (freshcrm.engagement_score(deals, activities, at, won, NULL, as_of));
INSERT INTO customer VALUES (2, 10, '2026-06-01 12:00+00', 2, :now) RETURNING score;
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
WHERE pronamespace = 'freshcrm'::regnamespace AND proname IN ('lead_score', 'p_score', 'engagement_score') ORDER BY 1;
CREATE ROLE score_reader;
SET ROLE score_reader;
SELECT freshcrm.p_score(NULL, NULL) AS p_score, freshcrm.engagement_score(0, 0, NULL, 0) AS engagement;
RESET ROLE;
DROP ROLE score_reader;
