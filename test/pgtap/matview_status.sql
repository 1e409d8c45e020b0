-- matview_status and health(): what monitoring sees, who sees it, and that it is the truth (X16, X18, X37).
SELECT plan(47);
SET client_min_messages = error;
SET TimeZone = 'UTC';
CREATE SCHEMA crm;
CREATE SCHEMA other;
SET search_path = crm, public;
CREATE TABLE leads (id integer PRIMARY KEY, value integer);
INSERT INTO leads SELECT g, g FROM generate_series(1, 10) AS g;
CREATE TABLE divisor (value integer);
INSERT INTO divisor VALUES (1);
CREATE MATERIALIZED VIEW mv_leads AS SELECT l.id, l.value / (SELECT d.value FROM divisor AS d) AS value FROM leads AS l;
CREATE UNIQUE INDEX ON mv_leads (id);
CREATE MATERIALIZED VIEW mv_today AS SELECT count(*), current_date AS day FROM leads;
CREATE MATERIALIZED VIEW other.mv_leads AS SELECT 1 AS id;
CREATE FUNCTION status(view regclass) RETURNS freshcrm.matview_status LANGUAGE sql AS
  $$ SELECT * FROM freshcrm.matview_status WHERE matview = view $$;
CREATE FUNCTION refresh_health(field text) RETURNS text LANGUAGE sql AS
  $$ SELECT freshcrm.health()->'components'->'refresh'->>field $$;

SELECT is(freshcrm.health()->>'status', 'ok', 'nothing is registered, nothing is wrong');
SELECT freshcrm.schedule('mv_leads', '0 * * * *'), freshcrm.schedule('mv_today', '0 * * * *'), freshcrm.schedule('other.mv_leads', '0 * * * *');

-- A view that was scheduled and has not been refreshed
SELECT is((status('mv_leads')).state, 'scheduled');
SELECT is((status('mv_leads')).last_refresh, NULL, 'PostgreSQL does not say when it was made (X16)');
SELECT is((status('mv_leads')).staleness, NULL, 'nor can anybody else');
SELECT is(refresh_health('status'), 'ok', 'just scheduled: no tick has had to come yet');

-- X16: the last refresh, whoever made it, and however: a concurrent one leaves the file that pg_stat_file() looks at.
SELECT is((freshcrm.refresh('mv_leads', 'concurrently')).status, 'refreshed');
SELECT ok((status('mv_leads')).last_refresh BETWEEN now() - interval '1 minute' AND clock_timestamp(), 'X16: known after a concurrent refresh');
SELECT is((status('mv_leads')).rows, 10::bigint);
SELECT is((status('mv_leads')).last_status, 'refreshed');
SELECT (status('mv_leads')).last_refresh AS first_refresh \gset
REFRESH MATERIALIZED VIEW mv_leads;
SELECT ok((status('mv_leads')).last_refresh > :'first_refresh', 'X16: after a statement, too');
-- X18: names are compared with their schema, so that a view of the same name elsewhere is another.
SELECT is((status('other.mv_leads')).last_refresh, NULL, 'X18: a view of that name in another schema has not been refreshed');
SELECT set_eq($$SELECT s.matview::oid FROM freshcrm.matview_status AS s JOIN pg_class AS c ON c.oid = s.matview
   WHERE c.relnamespace = 'crm'::regnamespace AND (c.relname LIKE 'mv\_leads%' OR c.relname LIKE 'mv\_today%')$$,
  ARRAY['crm.mv_leads'::regclass::oid, 'crm.mv_today'::regclass::oid], 'X18: a filter of schemas, and then of names in parentheses');

-- Staleness
SELECT is((freshcrm.refresh('mv_leads')).status, 'refreshed', 'what a statement made is not known to be right');
SELECT is((status('mv_leads')).staleness, interval '0', 'it shows everything');
SELECT is((freshcrm.refresh('mv_leads')).status, 'unchanged');
SELECT ok((status('mv_leads')).last_check > (status('mv_leads')).last_refresh, 'found unchanged later than refreshed');
INSERT INTO leads VALUES (11, 11);
SELECT ok((status('mv_leads')).staleness BETWEEN interval '0.000001 s' AND interval '1 minute', 'stale since the change');
SELECT ok((status('mv_leads')).last_change > (status('mv_leads')).last_check, 'the last change');
SELECT is((freshcrm.refresh('mv_leads')).rows_inserted, 1::bigint);
SELECT is((status('mv_leads')).staleness, interval '0');
SELECT is((status('mv_leads')).rows, 11::bigint);
SELECT ok((status('mv_leads')).skippable AND (status('mv_leads')).never_skipped IS NULL);
SELECT ok(NOT (status('mv_today')).skippable AND (status('mv_today')).never_skipped IS NOT NULL, 'what is never skipped');
SELECT freshcrm.refresh('mv_today');
SELECT ok((status('mv_today')).staleness BETWEEN interval '0.000001 s' AND interval '1 minute', 'is stale since its refresh');

-- X37: percentiles, which pg_stat_statements does not have.
DELETE FROM freshcrm.refresh_history;
INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, started_at, ended_at)
SELECT 'mv_leads'::regclass, 'crm.mv_leads', CASE WHEN g <= 100 THEN 'refreshed' ELSE 'unchanged' END, 'schedule', now(),
       now() + CASE WHEN g <= 100 THEN g ELSE 100000 END * interval '1 ms' FROM generate_series(1, 150) AS g;
SELECT is(round((status('mv_leads')).duration_p50::numeric, 3), 50.500, 'X37: the median of refreshes');
SELECT is(round((status('mv_leads')).duration_p95::numeric, 3), 95.050, 'X37: the 95th percentile');
SELECT is((status('other.mv_leads')).duration_p95, NULL, 'of none');

-- No tick comes.
UPDATE freshcrm.matview SET created_at = now() - interval '1 hour';
SELECT is(refresh_health('status'), 'down', 'nothing refreshes');
SELECT matches(refresh_health('problem'), 'nothing has called freshcrm.tick\(\) yet');
SELECT is(freshcrm.health()->>'status', 'down');
CALL freshcrm.tick() \g /dev/null
SELECT is(refresh_health('status'), 'ok', 'one tick is enough');
UPDATE freshcrm.tick_state SET ticked_at = now() - interval '6 minutes';
SELECT is(refresh_health('status'), 'down', 'no tick for six minutes');
UPDATE freshcrm.tick_state SET ticked_at = now();

-- Overdue: its time has come, and nothing happened.
UPDATE freshcrm.matview_state SET next_due = now() - interval '4 minutes' WHERE matview = 'mv_leads'::regclass;
SELECT is((status('mv_leads')).state, 'scheduled', 'a little late');
UPDATE freshcrm.matview_state SET next_due = now() - interval '6 minutes' WHERE matview = 'mv_leads'::regclass;
SELECT is((status('mv_leads')).state, 'overdue');
SELECT is(refresh_health('overdue'), '1');
SELECT is(freshcrm.health(true)->'components'->'refresh'->'views'->'overdue', '["crm.mv_leads"]'::jsonb, 'by name, when detailed');

-- Failing: what went wrong is for the owner.
UPDATE divisor SET value = 0;
CALL freshcrm.tick() \g /dev/null
SELECT is((status('mv_leads')).state, 'failing');
SELECT is((status('mv_leads')).last_error, 'division by zero');
SELECT is(refresh_health('status'), 'degraded');
CREATE ROLE freshcrm_test_reader;
GRANT USAGE ON SCHEMA crm TO freshcrm_test_reader;
SET ROLE freshcrm_test_reader;
SELECT results_eq($$SELECT state, last_error FROM freshcrm.matview_status WHERE matview = 'mv_leads'::regclass$$,
  $$VALUES ('failing', NULL::text)$$, 'others see that it fails, not the error, which may show data');
SELECT throws_ok('SELECT freshcrm.health()', '42501');
SELECT throws_ok('SELECT * FROM freshcrm.refresh_history', '42501');
RESET ROLE;
DROP OWNED BY freshcrm_test_reader;
DROP ROLE freshcrm_test_reader;
UPDATE freshcrm.matview_state SET given_up = true WHERE matview = 'mv_leads'::regclass;
SELECT is(refresh_health('given_up'), '1');

-- Projections
CREATE VIEW live AS SELECT id, value FROM leads;
SELECT freshcrm.create_projection('live', '{id}');
SELECT is(freshcrm.health()->'components'->'projections'->>'status', 'ok');
UPDATE freshcrm.projection SET problem = 'spoilt';
SELECT is(freshcrm.health()->'components'->'projections'->>'status', 'down', 'a broken projection');
SELECT is(freshcrm.health(true)->'components'->'projections'->'details'->0->>'problem', 'spoilt');
SELECT is(freshcrm.health()->'components'->'shared_memory'->>'preloaded', 'false', 'what there is not without preloading');
SELECT * FROM finish();
