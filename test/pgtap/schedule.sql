-- schedule(), unschedule(), schedule_all(): what they accept, from whom, and what they leave behind.
SELECT plan(94);
SET client_min_messages = error;
SET TimeZone = 'Europe/Berlin';
CREATE SCHEMA crm;
SET search_path = crm, public;
CREATE TABLE leads (id integer PRIMARY KEY, owner integer, value integer);
INSERT INTO leads SELECT g, g % 10, g FROM generate_series(1, 100) AS g;
CREATE MATERIALIZED VIEW by_owner AS SELECT owner, sum(value) AS value FROM leads GROUP BY owner;
CREATE UNIQUE INDEX ON by_owner (owner);
CREATE MATERIALIZED VIEW totals AS SELECT sum(value) AS value FROM by_owner;
CREATE VIEW plain AS SELECT 1 AS one;

-- The notices of a statement, which the lints are.
CREATE FUNCTION watched(relation regclass) RETURNS boolean LANGUAGE sql AS
  $$ SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relation AND tgname LIKE 'freshcrm_watch%') $$;

SELECT is(freshcrm.schedule('by_owner', '*/10 * * * *'), 'crm.by_owner', 'a job has the name of its view');
SELECT results_eq(
  $$SELECT matview::text, cron, timezone, job_name, max_staleness, jitter, mode, statement_timeout, lock_timeout, max_attempts,
           refreshers = '{}' FROM freshcrm.matview$$,
  $$VALUES ('by_owner', '*/10 * * * *', 'Europe/Berlin', 'crm.by_owner', NULL::interval, interval '0', 'auto', NULL::interval,
            interval '10 s', 10, true)$$, 'what is not said has its default, and the time zone is that of the session');
SELECT ok(watched('leads'), 'the table is watched');
SELECT ok(next_due > now() AND next_due <= now() + interval '10 minutes 1 second', 'it is due next')
  FROM freshcrm.matview_state WHERE matview = 'by_owner'::regclass;

-- Again: the same view, the same row; the name stays.
SELECT is(freshcrm.schedule('by_owner', '0 1 * * *', timezone => 'America/New_York', max_staleness => '1 hour', jitter => '5 min',
  mode => 'concurrently', statement_timeout => '1 min', lock_timeout => '0', max_attempts => 3), 'crm.by_owner', 'the schedule changes');
SELECT freshcrm.grant_refresh('by_owner', 'public');
SELECT freshcrm.schedule('by_owner', '0 1 * * *', 'nightly', 'America/New_York', '1 hour', '5 min', 'concurrently', '1 min', '0', 3);
SELECT results_eq(
  $$SELECT cron, timezone, job_name, max_staleness, jitter, mode, statement_timeout, lock_timeout, max_attempts, refreshers = '{public}'
      FROM freshcrm.matview$$,
  $$VALUES ('0 1 * * *', 'America/New_York', 'nightly', interval '1 hour', interval '5 min', 'concurrently', interval '1 min',
            interval '0', 3, true)$$, 'there is one row, with what was said last, and the grants are kept');
UPDATE freshcrm.matview_state SET failures = 7, given_up = true;
SELECT freshcrm.schedule('by_owner', '0 1 * * *');
SELECT results_eq('SELECT failures, given_up FROM freshcrm.matview_state', 'VALUES (0, false)', 'scheduled again, it is tried again');
SELECT is(freshcrm.schedule('totals', NULL, max_staleness => '15 min'), 'crm.totals', 'a view needs no cron expression');
SELECT is(freshcrm.schedule('totals', NULL), 'crm.totals', 'nor anything else, to be refreshed by hand');
SELECT is((SELECT state FROM freshcrm.matview_status WHERE matview = 'totals'::regclass), 'unscheduled');

-- What it refuses
SELECT throws_ok($$SELECT freshcrm.schedule('leads', '* * * * *')$$, '42809', '"leads" is not a materialized view');
SELECT throws_ok($$SELECT freshcrm.schedule('plain', '* * * * *')$$, '42809', '"plain" is not a materialized view');
SELECT throws_ok($$SELECT freshcrm.schedule(NULL, '* * * * *')$$, '22004', 'argument "matview" must not be NULL');
SELECT throws_ok($$SELECT freshcrm.schedule(1::regclass, '* * * * *')$$, '42P01');
SELECT throws_ok($$SELECT freshcrm.schedule('totals', '* * * * *', 'nightly')$$, '42710', 'the job "nightly" refreshes crm.by_owner');
SELECT throws_ok($$SELECT freshcrm.schedule('totals', '* * * * *', '')$$, '22023', 'the job has no name');
SELECT throws_ok(format($$SELECT freshcrm.schedule('totals', %L)$$, cron), '22023', NULL, cron)
  FROM unnest('{"",often,"* * * *","* * * * * *","60 * * * *","30 seconds","0 0 30 2 *"}'::text[]) AS cron;
SELECT throws_ok(format($$SELECT freshcrm.schedule('totals', '* * * * *', %s)$$, argument), '22023', NULL, argument)
  FROM unnest(ARRAY['timezone => ''Mars/Olympus''', 'mode => ''quickly''', 'jitter => ''-1 s''', 'max_staleness => ''0''',
    'statement_timeout => ''-1 s''', 'lock_timeout => ''-1 s''', 'max_attempts => 0']) AS argument;
SELECT is((SELECT cron FROM freshcrm.matview WHERE matview = 'totals'::regclass), NULL, 'a refused schedule leaves the old one');

-- unschedule(): by view, by job, by the name of the view.
SELECT is(freshcrm.unschedule('plain'::regclass), false, 'what is not registered');
SELECT is(freshcrm.unschedule('no such "job'), false, 'a job that is not there');
SELECT is(freshcrm.unschedule('nightly'), true, 'by the name of the job');
SELECT ok(watched('by_owner') OR NOT watched('leads'), 'tables that no view needs are not watched');
SELECT is_empty('SELECT FROM freshcrm.matview WHERE job_name = ''nightly''');
SELECT is(freshcrm.unschedule('nightly'), false, 'once');
SELECT is(freshcrm.unschedule('totals'), true, 'by the name of the view, without its schema');
SELECT freshcrm.schedule('totals', '* * * * *', 'x'), freshcrm.schedule('by_owner', '* * * * *', 'totals');
SELECT is(freshcrm.unschedule('totals'), true);
SELECT results_eq('SELECT job_name FROM freshcrm.matview', $$VALUES ('x')$$, 'the name of a job goes before the name of a view');
SELECT is(freshcrm.unschedule('totals'::regclass), true, 'by the view');
SELECT is_empty('SELECT FROM freshcrm.matview_state', 'nothing is left');

-- A table is watched for as long as a view reads it.
CREATE MATERIALIZED VIEW highest AS SELECT max(value) AS value FROM leads;
SELECT freshcrm.schedule('by_owner', '* * * * *'), freshcrm.schedule('highest', '* * * * *');
SELECT freshcrm.unschedule('by_owner'::regclass);
SELECT ok(watched('leads'), 'the other one reads it');
SELECT freshcrm.unschedule('highest'::regclass);
SELECT ok(NOT watched('leads'), 'none does');

-- Names that need quoting
CREATE SCHEMA "O'Brien ""Sales""";
CREATE MATERIALIZED VIEW "O'Brien ""Sales"""."Über; DROP TABLE leads" AS SELECT 1 AS id;
SELECT is(freshcrm.schedule('"O''Brien ""Sales"""."Über; DROP TABLE leads"', '* * * * *'), '"O''Brien ""Sales"""."Über; DROP TABLE leads"');
CALL freshcrm.tick(now() + interval '1 minute') \gset tick_
SELECT is(:tick_refreshed, 1, 'it is refreshed');
SELECT is(freshcrm.unschedule('"O''Brien ""Sales"""."Über; DROP TABLE leads"'), true);

-- schedule_all()
SELECT set_eq($$SELECT matview::text, job_name FROM freshcrm.schedule_all('crm')$$,
  $$VALUES ('by_owner', 'crm.by_owner'), ('highest', 'crm.highest'), ('totals', 'crm.totals')$$, 'all of a schema');
SELECT results_eq('SELECT DISTINCT cron, jitter FROM freshcrm.matview', $$VALUES ('*/15 * * * *', interval '1 minute')$$);
SELECT is_empty($$SELECT freshcrm.schedule_all('crm')$$, 'once');
SELECT set_eq($$SELECT job_name FROM freshcrm.schedule_all(cron => '0 * * * *', timezone => 'UTC')$$,
  $$VALUES ('"O''Brien ""Sales"""."Über; DROP TABLE leads"')$$, 'all that is left in the database');
SELECT throws_ok($$SELECT freshcrm.schedule_all('nowhere')$$, '3F000', 'schema "nowhere" does not exist');

-- An ordinary role: it schedules its own views, and only with a grant.
CREATE ROLE freshcrm_test_planner;
CREATE ROLE freshcrm_test_group;
GRANT freshcrm_test_group TO freshcrm_test_planner;
CREATE SCHEMA mine AUTHORIZATION freshcrm_test_planner;
SET ROLE freshcrm_test_planner;
CREATE TABLE mine.things (id integer);
CREATE MATERIALIZED VIEW mine.count AS SELECT count(*) FROM mine.things;
SELECT throws_ok($$SELECT freshcrm.schedule('mine.count', '* * * * *')$$, '42501', 'permission denied for function schedule');
RESET ROLE;
SELECT ok(NOT has_function_privilege('freshcrm_test_planner', p.oid, 'EXECUTE'), p.proname || ' is not for PUBLIC')
  FROM pg_proc AS p WHERE p.pronamespace = 'freshcrm'::regnamespace
   AND p.proname IN ('schedule', 'unschedule', 'schedule_all', 'tick', 'health', 'store_schedule', 'forget_schedule', 'run_refresh', 'begin_run');
GRANT EXECUTE ON FUNCTION freshcrm.schedule, freshcrm.unschedule(regclass), freshcrm.unschedule(text), freshcrm.schedule_all
  TO freshcrm_test_planner;
GRANT USAGE ON SCHEMA crm TO freshcrm_test_planner;
SET ROLE freshcrm_test_planner;
SELECT is(freshcrm.schedule('mine.count', '* * * * *'), 'mine.count', 'a grant is enough');
SELECT ok(crm.watched('mine.things'), 'its table is watched');
SELECT throws_ok($$SELECT freshcrm.schedule('crm.totals', '* * * * *')$$, '42501', 'must be owner of materialized view totals');
SELECT throws_ok($$SELECT freshcrm.unschedule('crm.totals')$$, '42501', 'must be owner of materialized view totals');
SELECT is_empty('SELECT freshcrm.schedule_all()', 'it owns no other');
SELECT is(freshcrm.unschedule('mine.count'), true);
-- Over a table of another's, on which it may make no trigger.
RESET ROLE;
CREATE TABLE crm.secrets (id integer);
GRANT SELECT ON crm.secrets TO freshcrm_test_planner;
SET ROLE freshcrm_test_planner;
CREATE MATERIALIZED VIEW mine.theirs AS SELECT count(*) FROM crm.secrets;
SELECT is(freshcrm.schedule('mine.theirs', '* * * * *'), 'mine.theirs', 'it is scheduled');
SELECT ok(NOT crm.watched('crm.secrets'), 'but not watched');
SELECT is((freshcrm.refresh('mine.theirs')).status, 'refreshed') FROM generate_series(1, 2);
SELECT ok(NOT skippable AND never_skipped ~ '^changes of crm.secrets are not noted: ', 'and so refreshed each time: ' || never_skipped)
  FROM freshcrm.matview_status WHERE matview = 'mine.theirs'::regclass;
RESET ROLE;
GRANT TRIGGER ON crm.secrets TO freshcrm_test_planner;
SET ROLE freshcrm_test_planner;
SELECT freshcrm.schedule('mine.theirs', '* * * * *');
SELECT is(never_skipped, NULL, 'TRIGGER is what it takes') FROM freshcrm.matview_status WHERE matview = 'mine.theirs'::regclass;
SELECT is(freshcrm.unschedule('mine.theirs'), true);
RESET ROLE;
ALTER MATERIALIZED VIEW crm.totals OWNER TO freshcrm_test_group;
SET ROLE freshcrm_test_planner;
SELECT is(freshcrm.schedule('crm.totals', '0 * * * *'), 'crm.totals', 'a member of the role that owns it may');
RESET ROLE;

-- Lints
CREATE FUNCTION lints(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE statement;
END
$$;
CREATE MATERIALIZED VIEW bare AS SELECT owner, clock_timestamp() FROM leads WITH NO DATA;
SELECT set_eq($$SELECT lint FROM freshcrm.refresh_lints('bare')$$, '{no_unique_index,not_populated,never_skipped}'::text[],
  'what schedule() says of a view');
SELECT lives_ok($$SELECT freshcrm.schedule('bare', '* * * * *')$$, 'but it is scheduled');
-- X19: without a unique index, and before it is populated, it cannot be refreshed concurrently.
SELECT throws_ok('REFRESH MATERIALIZED VIEW CONCURRENTLY bare', '0A000', NULL, 'X19: not populated');
SELECT is((freshcrm.refresh('bare')).mode, 'plain', 'X19: auto does what can be done');
SELECT throws_ok('REFRESH MATERIALIZED VIEW CONCURRENTLY bare', '55000', NULL, 'X19: no unique index');
SELECT is((freshcrm.refresh('bare', 'concurrently')).status, 'failed', 'X19: when it is insisted on, that is an outcome');
SELECT matches((SELECT hint FROM freshcrm.refresh_lints('bare') WHERE lint = 'no_unique_index'), 'CREATE UNIQUE INDEX ON crm.bare',
  'X19: schedule() says which index it takes');
SELECT ok(NOT skippable AND never_skipped ~ 'clock_timestamp', 'status says why it is never skipped')
  FROM freshcrm.matview_status WHERE matview = 'bare'::regclass;

-- Dumps know registered views by the names that they have then.
SELECT set_eq('SELECT name, matview FROM freshcrm.matview_dump', 'SELECT matview::text AS name, matview::oid FROM freshcrm.matview')
  FROM set_config('search_path', 'public', false);
ALTER MATERIALIZED VIEW crm.bare RENAME TO stark;
ALTER TABLE crm.highest RENAME TO top;
ALTER SCHEMA "O'Brien ""Sales""" RENAME TO sales;
ALTER MATERIALIZED VIEW crm.totals SET SCHEMA sales;
SELECT set_eq('SELECT name, matview FROM freshcrm.matview_dump', 'SELECT matview::text AS name, matview::oid FROM freshcrm.matview', 'renamed');
ALTER MATERIALIZED VIEW crm.stark RENAME TO bare;
UPDATE freshcrm.matview SET refreshers = '{public}', jitter = '-1 day +02:03:04' WHERE matview = 'crm.bare'::regclass;
-- As a restore loads them: one view is there, another comes later.
CREATE TEMPORARY TABLE dumped AS SELECT * FROM freshcrm.matview_dump;
CREATE TEMPORARY TABLE registered AS SELECT * FROM freshcrm.matview;
DELETE FROM freshcrm.matview;
SELECT is_empty('SELECT FROM freshcrm.matview_dump');
INSERT INTO freshcrm.matview_dump SELECT name, 12345, definition FROM dumped;
INSERT INTO freshcrm.matview_dump SELECT 'crm.late', 1, jsonb_set(definition, '{job_name}', '"late"') FROM dumped WHERE name = 'crm.bare';
SELECT set_eq('SELECT * FROM freshcrm.matview', 'SELECT * FROM registered', 'all are registered, and as they were');
SELECT results_eq('SELECT name FROM freshcrm.matview_dump WHERE matview = 0', $$VALUES ('crm.late')$$, 'one is to come');
CREATE MATERIALIZED VIEW crm.late AS SELECT 1 AS one;
SELECT results_eq($$SELECT cron, timezone, refreshers = '{public}', jitter FROM freshcrm.matview WHERE job_name = 'late'$$,
  $$VALUES ('* * * * *', 'Europe/Berlin', true, interval '-1 day +02:03:04')$$, 'it came');
SELECT is(freshcrm.unschedule('late'), true);
SELECT is_empty($$SELECT FROM freshcrm.matview_dump WHERE name = 'crm.late'$$);
SET search_path = crm, public;

-- A registered view that goes
DROP MATERIALIZED VIEW bare;
SELECT is_empty('SELECT FROM freshcrm.matview AS m WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = m.matview)');
DROP OWNED BY freshcrm_test_planner, freshcrm_test_group CASCADE;
DROP ROLE freshcrm_test_planner, freshcrm_test_group;
SELECT * FROM finish();
