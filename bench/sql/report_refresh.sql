-- The table of `make bench-refresh`. Medians over the repetitions; of writes, ratios are of one and the same round.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
CREATE TABLE bench.medians AS
SELECT way, measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value FROM bench.raw GROUP BY way, measure;
CREATE FUNCTION bench.median(p_way text, p_measure text) RETURNS float8 LANGUAGE sql AS
$$ SELECT value FROM bench.medians WHERE way = p_way AND measure = p_measure $$;
-- How many times what a write of an unwatched table costs, or gets done.
CREATE TABLE bench.ratios AS
SELECT r.way, r.measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value / u.value) AS value
  FROM bench.raw AS r
  JOIN bench.raw AS u ON (u.repetition, u.measure, u.way) = (r.repetition, r.measure, split_part(r.way, ' ', 1) || ' unwatched')
 GROUP BY r.way, r.measure;
CREATE FUNCTION bench.ratio(p_way text, p_measure text) RETURNS float8 LANGUAGE sql AS
$$ SELECT value FROM bench.ratios WHERE way = p_way AND measure = p_measure $$;
SELECT count(*) AS rows FROM crm.cockpit_leads_hot \gset

\echo
\echo 'When there is nothing to do: 1000 registered views, none due; a view of' :rows 'rows.'
SELECT what, round(bench.median(way, 'first_ms')::numeric, 2) AS "ms, first in a session",
       round(bench.median(way, 'ms')::numeric, 2) AS "ms, later", round(bench.median(way, 'wal')) AS "WAL, bytes"
  FROM (VALUES (1, 'tick', 'tick()'), (2, 'tick_stale', 'tick(), all stale, though within max_staleness'),
               (3, 'unchanged', 'refresh(), nothing changed'), (4, 'unchanged small', 'the same of a view of 10 rows')) AS w (place, way, what)
 ORDER BY place;

\echo 'Refresh of the view.'
SELECT what, round(bench.median(way, 'first_ms')::numeric, 2) AS ms,
       round((bench.median(way, 'first_ms') / bench.median('own_concurrently' || w.suffix, 'first_ms'))::numeric, 4) AS "× CONCURRENTLY",
       round((bench.median(way, 'first_wal') / 1e6)::numeric, 3) AS "WAL, MB"
  FROM (VALUES (1, 'unchanged', '', 'nothing changed: refresh()'), (2, 'own_plain', '', 'nothing changed: REFRESH'),
               (3, 'own_concurrently', '', 'nothing changed: REFRESH CONCURRENTLY'),
               (4, 'ours_plain changed', ' changed', '1 % changed: refresh(…, plain)'), (5, 'own_plain changed', ' changed', '1 % changed: REFRESH'),
               (6, 'ours_concurrently changed', ' changed', '1 % changed: refresh(…, concurrently)'),
               (7, 'own_concurrently changed', ' changed', '1 % changed: REFRESH CONCURRENTLY')) AS w (place, way, suffix, what)
 ORDER BY place;

\echo 'One-row writes to copies of the leads: µs with one client; transactions a second with 8; instructions of the server.'
SELECT w.name AS write, v.what AS table, round(bench.median(way, 'us')::numeric, 1) AS µs, round(bench.ratio(way, 'us')::numeric, 3) AS "× unwatched",
       round(bench.median(way, 'tps')) AS tps, round(bench.ratio(way, 'tps')::numeric, 3) AS "× unwatched",
       round(bench.median(way, 'instructions')) AS instructions, round(bench.ratio(way, 'instructions')::numeric, 3) AS "× unwatched"
  FROM (VALUES (1, 'update'), (2, 'insert')) AS w (place, name) CROSS JOIN bench.variants AS v
 CROSS JOIN LATERAL (SELECT w.name || ' ' || v.variant) AS n (way)
 ORDER BY w.place, v.place;
SELECT round(bench.median('update noting', 'instructions') - bench.median('update see', 'instructions')) AS updates,
       round(bench.median('insert noting', 'instructions') - bench.median('update see', 'instructions')) AS inserts \gset
\echo 'Instructions of the first write after a refresh, which notes the change: update' :updates 'insert' :inserts

\echo 'Goals. What is empty has not been measured.'
SELECT goal, round(reached::numeric, 3) AS reached, CASE WHEN least THEN '≥ ' ELSE '≤ ' END || wanted AS wanted,
       CASE WHEN CASE WHEN least THEN reached >= wanted ELSE reached <= wanted END THEN 'pass' WHEN reached IS NOT NULL THEN 'FAIL' END AS met
  FROM (VALUES (1, 'tick(), 1000 views, none due, first in a session, ms', bench.median('tick', 'first_ms'), 20, false),
               (2, 'tick(), 1000 views, none due, later, ms', bench.median('tick', 'ms'), 20, false),
               (3, 'refresh(), nothing changed, first in a session, ms', bench.median('unchanged', 'first_ms'), 5, false),
               (4, 'refresh(), nothing changed, later, ms', bench.median('unchanged', 'ms'), 5, false),
               (5, 'update, one client, watched / unwatched', bench.ratio('update watched', 'us'), 1.03, false),
               (6, 'insert, one client, watched / unwatched', bench.ratio('insert watched', 'us'), 1.03, false),
               (7, 'update, one client, refreshed / unwatched', bench.ratio('update refreshed', 'us'), 1.03, false),
               (8, 'insert, one client, refreshed / unwatched', bench.ratio('insert refreshed', 'us'), 1.03, false),
               (9, 'update, 8 clients, tps, watched / unwatched', bench.ratio('update watched', 'tps'), 0.9, true),
               (10, 'insert, 8 clients, tps, watched / unwatched', bench.ratio('insert watched', 'tps'), 0.9, true),
               (11, 'update, 8 clients, tps, refreshed / unwatched', bench.ratio('update refreshed', 'tps'), 0.9, true),
               (12, 'insert, 8 clients, tps, refreshed / unwatched', bench.ratio('insert refreshed', 'tps'), 0.9, true))
       AS g (place, goal, reached, wanted, least)
 ORDER BY place;
