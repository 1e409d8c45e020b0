-- The table of `make bench-refresh`. Medians over the repetitions; of writes, of the ratios within a repetition.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
CREATE TABLE medians AS
SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value, percentile_cont(0.5) WITHIN GROUP (ORDER BY wal) AS wal
  FROM raw GROUP BY what;
CREATE FUNCTION median(name text) RETURNS float8 LANGUAGE sql AS 'SELECT value FROM medians WHERE what = name';
CREATE FUNCTION ratio(workload text) RETURNS float8 LANGUAGE sql AS $$
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY w.value / p.value)
    FROM raw AS w JOIN raw AS p USING (repetition) WHERE w.what = workload || ' watched' AND p.what = workload || ' plain'
$$;

\echo
\echo 'A refresh, ms, and its WAL.'
SELECT name AS refresh, round((value / 1000)::numeric, 3) AS ms, pg_size_pretty(wal::bigint) AS wal
  FROM (VALUES (1, 'plain', 'REFRESH MATERIALIZED VIEW'), (2, 'concurrently', 'the same CONCURRENTLY, nothing changed'),
               (3, 'unchanged large', 'freshcrm.refresh(), nothing changed'),
               (4, 'unchanged small', 'freshcrm.refresh(), nothing changed, a view of few rows'),
               (5, 'changed', 'freshcrm.refresh(), one row changed')) AS w (place, what, name) JOIN medians USING (what)
 ORDER BY place;

\echo 'A tick when nothing is due, ms.'
SELECT name AS views, round((value / 1000)::numeric, 3) AS ms
  FROM (VALUES (1, 'tick cron', 'with cron'), (2, 'tick staleness', 'with max_staleness, too, half of them changed')) AS w (place, what, name)
  JOIN medians USING (what)
 ORDER BY place;

\echo 'Writes to a table that materialized views read, beside one that none does.'
SELECT name AS workload, round(median(what || ' plain')::numeric, 1) AS unwatched, round(median(what || ' watched')::numeric, 1) AS watched,
       round(ratio(what)::numeric, 3) AS ratio
  FROM (VALUES (1, 'activity', 'an activity inserted, one client, µs'), (2, 'status', 'a status updated, one client, µs'),
               (3, 'load', 'activities inserted, eight clients, a second')) AS w (place, what, name)
 ORDER BY place;

\echo 'Goals. What is empty has not been measured.'
SELECT goal, round(reached::numeric, 3) AS reached, wanted,
       CASE WHEN CASE WHEN "least" THEN reached >= wanted ELSE reached <= wanted END THEN 'pass' WHEN reached IS NOT NULL THEN 'FAIL' END AS met
  FROM (VALUES (1, 'tick, no view due, ms, at most', median('tick cron') / 1000, 20, false),
               (2, 'the same with max_staleness, ms, at most', median('tick staleness') / 1000, 20, false),
               (3, 'refresh of an unchanged view, ms, at most', median('unchanged large') / 1000, 5, false),
               (4, 'the same of few rows, ms, at most', median('unchanged small') / 1000, 5, false),
               (5, 'insert, latency / unwatched, at most', ratio('activity'), 1.03, false),
               (6, 'update, latency / unwatched, at most', ratio('status'), 1.03, false),
               (7, 'eight clients, throughput / unwatched, at least', ratio('load'), 0.9, true))
       AS g (place, goal, reached, wanted, "least")
 ORDER BY place;
