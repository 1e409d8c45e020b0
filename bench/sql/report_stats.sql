-- The table of `make bench-stats`. Medians over the repetitions.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
CREATE TABLE bench.medians AS
SELECT way, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value FROM bench.raw GROUP BY way;
CREATE FUNCTION bench.median(name text) RETURNS float8 LANGUAGE sql AS 'SELECT value FROM bench.medians WHERE way = name';
-- The best plain SQL that gives the same columns.
CREATE FUNCTION bench.best() RETURNS float8 LANGUAGE sql AS $$ SELECT least(bench.median('filter'), bench.median('two_levels')) $$;
CREATE FUNCTION bench.best_batch() RETURNS float8 LANGUAGE sql AS $$ SELECT least(bench.median('batch_filter'), bench.median('batch_two_levels')) $$;
SELECT count(*) AS messages, count(DISTINCT lead_id) AS leads FROM crm.message_events WHERE user_id = bench.owner(1) \gset

\echo
\echo 'Statistics of the leads of one user, in the server, ms:' :messages 'messages to' :leads 'leads.'
SELECT what, round(m.value::numeric, 3) AS ms, round((m.value / bench.median(CASE WHEN w.way LIKE 'batch%' THEN 'batch_count' ELSE 'grouped' END))::numeric, 2) AS "× count(*) by lead",
       round((m.value / CASE WHEN w.way LIKE 'batch%' THEN bench.best_batch() ELSE bench.best() END)::numeric, 3) AS "× best plain SQL"
  FROM bench.ways AS w JOIN bench.medians AS m USING (way) ORDER BY place;

\echo 'Upkeep: one message inserted, by one client, µs.'
SELECT v.variant, round(m.value::numeric, 1) AS µs, round((m.value - bench.median('insert plain'))::numeric, 1) AS upkeep,
       round(((m.value - bench.median('insert plain')) / nullif(bench.median('insert daily') - bench.median('insert plain'), 0))::numeric, 2) AS "× daily"
  FROM bench.variants AS v JOIN bench.medians AS m ON m.way = 'insert ' || v.variant ORDER BY v.place;

\echo 'Goals. What is empty has not been measured.'
SELECT goal, round(reached::numeric, 3) AS reached, wanted, CASE WHEN reached <= wanted THEN 'pass' WHEN reached > wanted THEN 'FAIL' END AS met
  FROM (VALUES (1, 'lead_event_stats() / count(*) by lead', bench.median('aggregate') / bench.median('grouped'), 1.3),
               (2, 'lead_event_stats() / best plain SQL', bench.median('aggregate') / bench.best(), 0.5),
               (3, 'RPC, raw events / count(*) by lead', bench.median('rpc_raw') / bench.median('grouped'), 1.3),
               (4, 'RPC, raw events / best plain SQL', bench.median('rpc_raw') / bench.best(), 0.5),
               (5, 'RPC, rollup / best plain SQL', bench.median('rpc_rollup') / bench.best(), 0.05),
               (6, 'RPC, rollup, ms', bench.median('rpc_rollup'), 5),
               (7, '100 leads, P-score with rollup, ms', bench.median('batch_rollup'), 1),
               (8, '100 leads, P-score of raw events / best plain SQL', bench.median('batch_raw') / bench.best_batch(), 0.5),
               (9, 'upkeep of the rollup / of the daily table',
                (bench.median('insert rollup') - bench.median('insert plain')) / nullif(greatest(bench.median('insert daily') - bench.median('insert plain'), 0), 0), 0.5))
       AS g (place, goal, reached, wanted)
 ORDER BY place;
