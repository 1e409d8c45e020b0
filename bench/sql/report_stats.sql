-- The table of `make bench-stats`. Medians over the turns, and over those of ratios within a turn.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
CREATE VIEW bench.medians AS
SELECT way, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value FROM bench.raw GROUP BY way;
CREATE FUNCTION bench.median(name text) RETURNS float8 LANGUAGE sql AS 'SELECT value FROM bench.medians WHERE way = name';
CREATE FUNCTION bench.ratio(one text, other text) RETURNS float8 LANGUAGE sql AS $$
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY o.value / t.value)
    FROM bench.raw AS o JOIN bench.raw AS t USING (turn) WHERE o.way = one AND t.way = other
$$;
-- The best plain SQL that gives the same columns.
CREATE FUNCTION bench.better(one text, other text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN bench.median(one) < bench.median(other) THEN one ELSE other END
$$;
SELECT bench.better('filter', 'two_levels') AS best, bench.better('batch_filter', 'batch_two_levels') AS best_batch \gset
CREATE VIEW bench.upkeep AS
SELECT turn, substr(r.way, 8) AS variant, r.value - p.value AS value
  FROM bench.raw AS r JOIN bench.raw AS p USING (turn) WHERE p.way = 'insert plain' AND r.way LIKE 'insert %';
CREATE FUNCTION bench.upkeep_of(name text) RETURNS float8 LANGUAGE sql AS $$
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM bench.upkeep WHERE variant = name
$$;
CREATE FUNCTION bench.upkeep_ratio(name text) RETURNS float8 LANGUAGE sql AS $$
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u.value / nullif(greatest(d.value, 0), 0))
    FROM bench.upkeep AS u JOIN bench.upkeep AS d USING (turn) WHERE u.variant = name AND d.variant = 'daily'
$$;
SELECT count(*) AS messages, count(DISTINCT lead_id) AS leads FROM crm.message_events WHERE user_id = bench.owner(1) \gset

\echo
\echo 'Statistics of the leads of one user, in the server, ms:' :messages 'messages to' :leads 'leads.'
SELECT what, round(m.value::numeric, 3) AS ms,
       round(bench.ratio(way, CASE WHEN w.way LIKE 'batch%' THEN 'batch_count' ELSE 'grouped' END)::numeric, 2) AS "× count(*) by lead",
       round(bench.ratio(way, CASE WHEN w.way LIKE 'batch%' THEN :'best_batch' ELSE :'best' END)::numeric, 3) AS "× best plain SQL"
  FROM bench.ways AS w JOIN bench.medians AS m USING (way) ORDER BY place;

\echo 'Upkeep: one message inserted, by one client, µs.'
SELECT v.variant, round(m.value::numeric, 1) AS µs, round(bench.upkeep_of(v.variant)::numeric, 1) AS upkeep,
       round(bench.upkeep_ratio(v.variant)::numeric, 2) AS "× daily"
  FROM bench.variants AS v JOIN bench.medians AS m ON m.way = 'insert ' || v.variant ORDER BY v.place;

\echo 'Goals. What is empty has not been measured.'
SELECT goal, round(reached::numeric, 3) AS reached, wanted, CASE WHEN reached <= wanted THEN 'pass' WHEN reached > wanted THEN 'FAIL' END AS met
  FROM (VALUES (1, 'lead_event_stats() / count(*) by lead', bench.ratio('aggregate', 'grouped'), 1.3),
               (2, 'lead_event_stats() / best plain SQL', bench.ratio('aggregate', :'best'), 0.5),
               (3, 'RPC, raw events / count(*) by lead', bench.ratio('rpc_raw', 'grouped'), 1.3),
               (4, 'RPC, raw events / best plain SQL', bench.ratio('rpc_raw', :'best'), 0.5),
               (5, 'RPC, rollup / best plain SQL', bench.ratio('rpc_rollup', :'best'), 0.05),
               (6, 'RPC, rollup, ms', bench.median('rpc_rollup'), 5),
               (7, '100 leads, P-score with rollup, ms', bench.median('batch_rollup'), 1),
               (8, '100 leads, P-score of raw events / in plain SQL', bench.ratio('batch_raw', 'batch_score'), 0.5),
               (9, '100 leads, P-score of raw events / best plain SQL for their statistics alone', bench.ratio('batch_raw', :'best_batch'), 0.5),
               (10, 'upkeep of the rollup / of the daily table', bench.upkeep_ratio('rollup'), 0.5))
       AS g (place, goal, reached, wanted)
 ORDER BY place;
