-- tick(): what is refreshed at which time, in which order, and what becomes of what fails. Not in a transaction, since
-- it commits; times are given.
SELECT plan(86);
SET client_min_messages = error;
SET TimeZone = 'UTC';
CREATE SCHEMA crm;
SET search_path = crm, public;
CREATE TABLE leads (id integer PRIMARY KEY, value integer);
INSERT INTO leads SELECT g, g FROM generate_series(1, 10) AS g;
CREATE TABLE divisor (value integer);
INSERT INTO divisor VALUES (1);
-- z reads nothing of ours, m reads z through a view, a reads m.
CREATE MATERIALIZED VIEW z AS SELECT l.id, l.value / (SELECT d.value FROM divisor AS d) AS value FROM leads AS l;
CREATE UNIQUE INDEX ON z (id);
CREATE VIEW over_z AS SELECT id, value + 1 AS value FROM z;
CREATE MATERIALIZED VIEW m AS SELECT sum(value) AS value FROM over_z;
CREATE MATERIALIZED VIEW a AS SELECT value * 2 AS value FROM m;
CREATE MATERIALIZED VIEW alone AS SELECT count(*) FROM leads;

-- What the views are due at, without the noise of when it really was.
CREATE FUNCTION due(at timestamptz, VARIADIC views regclass[]) RETURNS void LANGUAGE sql AS
  $$ UPDATE freshcrm.matview_state SET next_due = at WHERE matview = ANY (views::oid[]) $$;
CREATE VIEW last_run AS
  SELECT DISTINCT ON (matview) matview::regclass, status, trigger, due_at, error, sqlstate FROM freshcrm.refresh_history ORDER BY matview, id DESC;

SELECT freshcrm.schedule(v, '0 * * * *', timezone => 'UTC') FROM unnest('{a,m,z,alone}'::regclass[]) AS v;
SELECT due('2030-01-01 10:00Z', 'a', 'm', 'z', 'alone');

-- When
CALL freshcrm.tick('2030-01-01 09:59:59Z') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged + :tick_failed + :tick_skipped, 0, 'nothing is due');
CALL freshcrm.tick('2030-01-01 10:00:10Z') \gset tick_
SELECT is(:tick_refreshed, 4, 'all are due');
SELECT results_eq($$SELECT name FROM freshcrm.refresh_history WHERE name <> 'crm.alone' ORDER BY id$$,
  $$VALUES ('crm.z'), ('crm.m'), ('crm.a')$$, 'each after those that it reads');
SELECT results_eq('SELECT DISTINCT trigger, due_at FROM freshcrm.refresh_history', $$VALUES ('schedule', '2030-01-01 10:00Z'::timestamptz)$$);
SELECT results_eq('SELECT DISTINCT next_due FROM freshcrm.matview_state', $$VALUES ('2030-01-01 11:00Z'::timestamptz)$$, 'and due again');
CALL freshcrm.tick('2030-01-01 10:00:20Z') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged, 0, 'once');
-- After a day without a tick
CALL freshcrm.tick('2030-01-02 13:30Z') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged, 4, 'what was missed is made up for, once');
SELECT results_eq('SELECT DISTINCT next_due FROM freshcrm.matview_state', $$VALUES ('2030-01-02 14:00Z'::timestamptz)$$);
SELECT due('2030-01-02 14:00Z', 'a', 'm', 'z', 'alone');

-- A view that fails stops what reads it, and nothing else.
UPDATE divisor SET value = 0;
CALL freshcrm.tick('2030-01-02 14:00:01Z') \gset tick_
SELECT is(:tick_failed, 1);
SELECT is(:tick_skipped, 2);
SELECT is(status, 'failed') FROM last_run WHERE matview = 'z'::regclass;
SELECT is(sqlstate, '22012') FROM last_run WHERE matview = 'z'::regclass;
SELECT is(status, 'skipped') FROM last_run WHERE matview = 'm'::regclass;
SELECT is(error, 'reads crm.z, which was not refreshed') FROM last_run WHERE matview = 'm'::regclass;
SELECT matches(error, 'reads crm\.[mz], crm\.[mz], which was not refreshed') FROM last_run WHERE matview = 'a'::regclass;
SELECT isnt(status, 'skipped', 'what does not read it goes on') FROM last_run WHERE matview = 'alone'::regclass;
SELECT results_eq($$SELECT matview::regclass::text, failures, date_trunc('second', next_due) FROM freshcrm.matview_state
    WHERE matview <> 'alone'::regclass ORDER BY 1$$, $$VALUES
  ('a', 0, '2030-01-02 14:00:00Z'::timestamptz), ('m', 0, '2030-01-02 14:00:00Z'), ('z', 1, '2030-01-02 14:01:01Z')$$,
  'it is tried again after a minute, and the others are still due');
CALL freshcrm.tick('2030-01-02 14:00:30Z') \gset tick_
SELECT is(:tick_skipped, 2, 'what reads it waits for that');
SELECT results_eq($$SELECT count(*) FROM freshcrm.refresh_history WHERE name = 'crm.m' AND status = 'skipped'$$, 'VALUES (2::bigint)');
CALL freshcrm.tick('2030-01-02 14:00:40Z') \gset tick_
SELECT results_eq($$SELECT count(*) FROM freshcrm.refresh_history WHERE name = 'crm.m' AND status = 'skipped'$$, 'VALUES (2::bigint)',
  'waiting for the same is not told twice');

-- Backoff: 1, 2, 4 … minutes, at most an hour, and then it is given up.
SELECT results_eq('SELECT array_agg(freshcrm.refresh_retry_delay(n) ORDER BY n) FROM generate_series(1, 9) AS n',
  $$VALUES ('{1 min,2 min,4 min,8 min,16 min,32 min,1 hour,1 hour,1 hour}'::interval[])$$);
SELECT is(freshcrm.refresh_retry_delay(2147483647), interval '1 hour');
CALL freshcrm.tick('2030-01-02 14:01:05Z') \gset tick_
SELECT is(failures, 2) FROM freshcrm.matview_state WHERE matview = 'z'::regclass;
SELECT is(date_trunc('second', next_due), '2030-01-02 14:03:05Z'::timestamptz) FROM freshcrm.matview_state WHERE matview = 'z'::regclass;
SELECT is(trigger, 'retry') FROM last_run WHERE matview = 'z'::regclass;
SELECT is(state, 'failing') FROM freshcrm.matview_status WHERE matview = 'z'::regclass;
UPDATE freshcrm.matview SET max_attempts = 3 WHERE matview = 'z'::regclass;
CALL freshcrm.tick('2030-01-02 14:03:10Z') \gset tick_
SELECT results_eq($$SELECT failures, given_up FROM freshcrm.matview_state WHERE matview = 'z'::regclass$$, 'VALUES (3, true)', 'given up');
SELECT is(state, 'given up') FROM freshcrm.matview_status WHERE matview = 'z'::regclass;
UPDATE divisor SET value = 1;
CALL freshcrm.tick('2030-01-03 10:00Z') \gset tick_
SELECT results_eq($$SELECT failures, given_up FROM freshcrm.matview_state WHERE matview = 'z'::regclass$$, 'VALUES (3, true)',
  'it is not tried again');
SELECT is(:tick_failed + :tick_skipped, 0, 'and nothing waits for it any more');
SELECT is((freshcrm.refresh('z')).status, 'refreshed', 'a refresh by hand');
SELECT results_eq($$SELECT failures, given_up FROM freshcrm.matview_state WHERE matview = 'z'::regclass$$, 'VALUES (0, false)',
  'takes it up again');
CALL freshcrm.tick('2030-01-03 10:00:10Z') \gset tick_
SELECT is(next_due, '2030-01-03 11:00Z'::timestamptz, 'by its schedule') FROM freshcrm.matview_state WHERE matview = 'z'::regclass;

-- A view that was never populated, and one that is gone without anybody having noticed, are in nobody's way.
CREATE MATERIALIZED VIEW empty AS SELECT id FROM leads WITH NO DATA;
CREATE MATERIALIZED VIEW gone AS SELECT id FROM leads;
SELECT freshcrm.schedule('empty', '0 * * * *', timezone => 'UTC'), freshcrm.schedule('gone', '0 * * * *', timezone => 'UTC');
SELECT due('2030-01-03 10:30Z', 'empty', 'gone');
ALTER EVENT TRIGGER freshcrm_forget_dropped_matviews DISABLE;
DROP MATERIALIZED VIEW gone;
ALTER EVENT TRIGGER freshcrm_forget_dropped_matviews ENABLE ALWAYS;
CALL freshcrm.tick('2030-01-03 10:30Z') \gset tick_
SELECT is(:tick_refreshed, 1);
SELECT is(:tick_failed, 0);
SELECT is((SELECT relispopulated FROM pg_class WHERE oid = 'empty'::regclass), true, 'populated');
SELECT lives_ok('SELECT * FROM freshcrm.matview_status', 'status goes on');
SELECT lives_ok('SELECT freshcrm.health(true)', 'health goes on');
SELECT freshcrm.schedule('empty', '0 * * * *', timezone => 'UTC');
SELECT results_eq('SELECT count(*) FROM freshcrm.matview', 'VALUES (5::bigint)', 'the next schedule() clears that away');

-- A schedule that somebody has spoilt
UPDATE freshcrm.matview SET cron = 'now and then' WHERE matview = 'alone'::regclass;
UPDATE freshcrm.matview_state SET next_due = NULL WHERE matview = 'alone'::regclass;
CALL freshcrm.tick('2030-01-03 10:31Z') \gset tick_
SELECT is(state, 'failing', 'fails') FROM freshcrm.matview_status WHERE matview = 'alone'::regclass;
SELECT is(sqlstate, '22023') FROM last_run WHERE matview = 'alone'::regclass;
CALL freshcrm.tick('2030-01-03 10:33Z') \gset tick_
SELECT is(failures, 2, 'again') FROM freshcrm.matview_state WHERE matview = 'alone'::regclass;
SELECT freshcrm.schedule('alone', '0 * * * *', timezone => 'UTC');

-- A restored database knows no state: it is found out, and nothing runs for it.
DELETE FROM freshcrm.matview_state;
CALL freshcrm.tick('2030-01-03 10:40Z') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged + :tick_failed, 0);
SELECT results_eq('SELECT DISTINCT next_due FROM freshcrm.matview_state', $$VALUES ('2030-01-03 11:00Z'::timestamptz)$$);

-- Jitter: the same for a time, another for another, never more than asked for.
SELECT freshcrm.schedule('alone', '0 * * * *', timezone => 'UTC', jitter => '10 min');
SELECT is(freshcrm.next_due(m, '2030-01-03 10:40Z'), freshcrm.next_due(m, '2030-01-03 10:59Z'), 'the same')
  FROM freshcrm.matview AS m WHERE m.matview = 'alone'::regclass;
SELECT results_eq($$SELECT min(j) >= interval '0', max(j) < interval '10 min', max(j) - min(j) > interval '5 min', count(DISTINCT j) > 90
  FROM freshcrm.matview AS m, generate_series('2030-01-03 00:30Z'::timestamptz, '2030-01-07 03:30Z', '1 hour') AS t,
       LATERAL (SELECT freshcrm.next_due(m, t) - (t + interval '30 min') AS j) AS x WHERE m.matview = 'alone'::regclass$$,
  'VALUES (true, true, true, true)');

-- Days on which clocks change: a job at 02:30 in Berlin runs once on each.
SELECT freshcrm.schedule('alone', '30 2 * * *', timezone => 'Europe/Berlin');
SELECT due('2030-03-30 01:30Z', 'alone');
CALL freshcrm.tick('2030-03-30 01:30Z');
SELECT is(next_due, '2030-03-31 01:00Z'::timestamptz, '02:30 is skipped: due when clocks show 03:00') FROM freshcrm.matview_state WHERE matview = 'alone'::regclass;
CALL freshcrm.tick('2030-03-31 01:00:30Z');
SELECT is(next_due, '2030-04-01 00:30Z'::timestamptz, 'in summer') FROM freshcrm.matview_state WHERE matview = 'alone'::regclass;
SELECT due('2030-10-26 00:30Z', 'alone');
CALL freshcrm.tick('2030-10-26 00:31Z');
SELECT is(next_due, '2030-10-27 00:30Z'::timestamptz, '02:30 comes twice: due the first time') FROM freshcrm.matview_state WHERE matview = 'alone'::regclass;
CALL freshcrm.tick('2030-10-27 00:31Z');
SELECT is(next_due, '2030-10-28 01:30Z'::timestamptz, 'once') FROM freshcrm.matview_state WHERE matview = 'alone'::regclass;

-- X20: pg_cron 1.4 knows no time zone; 01:00 of Vienna is not 01:00 of Greenwich, and not the same there all year.
SELECT freshcrm.schedule('alone', '0 1 * * *', timezone => 'Europe/Vienna');
SELECT is(freshcrm.next_due(m, '2030-01-15 12:00Z'), '2030-01-16 00:00Z'::timestamptz, 'X20 in winter')
  FROM freshcrm.matview AS m WHERE m.matview = 'alone'::regclass;
SELECT is(freshcrm.next_due(m, '2030-07-15 12:00Z'), '2030-07-15 23:00Z'::timestamptz, 'X20 in summer')
  FROM freshcrm.matview AS m WHERE m.matview = 'alone'::regclass;

-- Killed: the next tick says so, and counts it as a failure.
SELECT due('2040-01-01', 'a', 'm', 'z', 'alone', 'empty');
INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, started_at, pid)
VALUES ('z'::regclass, 'crm.z', 'running', 'schedule', now() - interval '1 hour', 2147483647),
       ('m'::regclass, 'crm.m', 'running', 'schedule',
        (SELECT backend_start + interval '1 us' FROM pg_stat_activity WHERE pid = pg_backend_pid()), pg_backend_pid());
SELECT is(freshcrm.is_refreshing('z'::regclass), false, 'its session is gone');
SELECT is(freshcrm.is_refreshing('m'::regclass), false, 'its session has gone on to another statement');
SELECT ok(freshcrm.health()->'components'->'refresh'->>'interrupted' = '2', 'health knows before any tick');
CALL freshcrm.tick('2030-11-01 00:00Z');
SELECT results_eq($$SELECT matview::text, status, error FROM last_run WHERE matview IN ('z'::regclass, 'm'::regclass) ORDER BY 1$$,
  $$VALUES ('m', 'interrupted', 'the session that refreshed it has ended, or was cancelled'),
           ('z', 'interrupted', 'the session that refreshed it has ended, or was cancelled')$$);
SELECT results_eq($$SELECT failures, next_due FROM freshcrm.matview_state WHERE matview = 'z'::regclass$$,
  $$SELECT 1, next_due FROM freshcrm.matview_state WHERE matview = 'z'::regclass AND next_due < '2030-11-01 00:02Z'$$);

-- Two ticks have found the same view due, and the other one was faster.
SELECT freshcrm.begin_run('alone'::regclass, 'schedule', now()) AS run \gset
SELECT is(freshcrm.run_refresh('alone'::regclass, :run, interval '0'), 'skipped', 'it is due no longer');
SELECT is(error, 'has just been refreshed') FROM last_run WHERE matview = 'alone'::regclass;
SELECT is(freshcrm.begin_run(2147483647, 'schedule', now()), NULL, 'a view that was dropped meanwhile');

-- What reads what: also through functions and projections.
CREATE FUNCTION counted() RETURNS bigint BEGIN ATOMIC SELECT count FROM crm.alone; END;
CREATE MATERIALIZED VIEW by_function AS SELECT crm.counted();
CREATE VIEW z_live AS SELECT id, value FROM z;
SELECT freshcrm.create_projection('z_live', '{id}');
CREATE MATERIALIZED VIEW by_projection AS SELECT count(*) FROM z_live_hot;
SELECT set_eq($$SELECT matview::regclass::text, reads::regclass::text FROM freshcrm.read_matviews('{crm.a,crm.by_function,crm.by_projection,crm.alone}'::regclass[]::oid[])$$,
  $$VALUES ('a', 'm'), ('a', 'z'), ('by_function', 'alone'), ('by_projection', 'z')$$, 'what reads what');
DROP MATERIALIZED VIEW by_projection;
SELECT freshcrm.drop_projection('z_live_hot');

-- What is not in its place: a transaction block.
BEGIN;
SELECT throws_ok('CALL freshcrm.tick()', '2D000');
ROLLBACK;
-- A session whose transactions are serializable
INSERT INTO leads VALUES (11, 11);
SELECT due('2030-11-01 00:05Z', 'alone');
SET default_transaction_isolation = serializable;
CALL freshcrm.tick('2030-11-01 00:05Z') \g /dev/null
RESET default_transaction_isolation;
SELECT is(status, 'refreshed') FROM last_run WHERE matview = 'alone'::regclass;
SELECT ok(seen IS NOT NULL, 'it is known what was seen') FROM freshcrm.matview_state WHERE matview = 'alone'::regclass;

-- Operators of a search_path that anybody may have filled mean nothing to it.
CREATE FUNCTION trap(integer, integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap(timestamptz, timestamptz) RETURNS interval LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE SCHEMA traps;
CREATE OPERATOR traps.+ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = trap);
CREATE OPERATOR traps.- (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = trap);
SET search_path = traps, pg_catalog, crm, public;
SELECT throws_ok('SELECT 1 + 1', 'P0001', 'trapped', 'the trap works');
SELECT due('2030-11-02 00:00Z', 'crm.alone');
CALL freshcrm.tick('2030-11-02 00:00Z');
SET search_path = crm, public;
SELECT is(due_at, '2030-11-02 00:00Z'::timestamptz) FROM last_run WHERE matview = 'alone'::regclass;

-- Too stale: without any cron expression.
SELECT freshcrm.unschedule(matview) FROM freshcrm.matview;
SELECT freshcrm.schedule('alone', NULL, max_staleness => '10 min');
CALL freshcrm.tick() \gset tick_
SELECT is(:tick_refreshed, 1, 'nothing is known of it: it is refreshed');
CALL freshcrm.tick(now() + interval '1 hour') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged, 0, 'nothing has changed');
INSERT INTO leads VALUES (12, 12);
SELECT freshcrm.refresh('alone');
CALL freshcrm.tick(now() + interval '1 hour') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged, 0, 'what has changed is seen');
INSERT INTO leads VALUES (13, 13);
CALL freshcrm.tick(now() + interval '9 min') \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged, 0, 'the change is young');
SELECT ok(staleness > interval '0' AND staleness < interval '5 min', 'stale since the change') FROM freshcrm.matview_status;
CALL freshcrm.tick(now() + interval '11 min') \gset tick_
SELECT is(:tick_refreshed, 1, 'it is old');
SELECT is(trigger, 'staleness') FROM last_run WHERE matview = 'alone'::regclass;
SELECT results_eq('SELECT count FROM alone', 'VALUES (13::bigint)');
SELECT is(staleness, interval '0', 'not stale') FROM freshcrm.matview_status;

-- A partition that is new is watched as soon as it is read.
SELECT freshcrm.unschedule(matview) FROM freshcrm.matview;
CREATE TABLE events (id integer) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE MATERIALIZED VIEW event_count AS SELECT count(*) FROM events;
SELECT freshcrm.schedule('event_count', '* * * * *');
CALL freshcrm.tick(now() + interval '2 min') \g /dev/null
SELECT is((freshcrm.refresh('event_count')).status, 'unchanged', 'all is known');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
CALL freshcrm.tick(now() + interval '4 min') \g /dev/null
SELECT is(freshcrm.watch_problem('events_2'::regclass), NULL, 'watched');
CALL freshcrm.tick(now() + interval '6 min') \g /dev/null
SELECT is((freshcrm.refresh('event_count')).status, 'unchanged', 'all is known again');
INSERT INTO events_2 VALUES (10);
SELECT is((freshcrm.refresh('event_count')).status, 'refreshed', 'what is written to it is seen');
SELECT freshcrm.unschedule('event_count');
SELECT is(count(*), 0::bigint, 'neither it nor the others are watched in the end') FROM pg_trigger
 WHERE tgfoid = 'freshcrm.note_change'::regproc AND tgrelid::regclass::text LIKE 'events%';
SELECT freshcrm.schedule('alone', NULL, max_staleness => '10 min');

-- History: so many rows a view, so many days, and the last one.
DELETE FROM freshcrm.refresh_history;
INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, started_at, ended_at)
SELECT 'alone'::regclass, 'crm.alone', 'refreshed', 'schedule', now() - interval '1 day' + g * interval '1 s', now()
  FROM generate_series(1, 1500) AS g;
INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, started_at, ended_at)
SELECT v::regclass, v, 'refreshed', 'schedule', now() - interval '31 days' + g * interval '1 s', now()
  FROM generate_series(1, 5) AS g, unnest('{z,m}'::text[]) AS v;
SELECT freshcrm.schedule('z', '0 * * * *');
UPDATE freshcrm.tick_state SET pruned_at = NULL;
CALL freshcrm.tick();
SELECT results_eq('SELECT name, count(*), min(id) > 0 FROM freshcrm.refresh_history GROUP BY name ORDER BY name',
  $$VALUES ('crm.alone', 1000::bigint, true), ('z', 1, true)$$, 'bounded, but for the last one of a registered view');
SET freshcrm.refresh_history_rows = 10;
CALL freshcrm.tick(now() + interval '59 min');
SELECT is(count(*), 1000::bigint, 'once an hour') FROM freshcrm.refresh_history WHERE name = 'crm.alone';
CALL freshcrm.tick(now() + interval '61 min');
SELECT is(count(*), 10::bigint) FROM freshcrm.refresh_history WHERE name = 'crm.alone';

-- Views that were dropped leave triggers behind, until then.
CREATE TABLE lonely (id integer);
CREATE MATERIALIZED VIEW of_lonely AS SELECT count(*) FROM lonely;
SELECT freshcrm.schedule('of_lonely', '0 * * * *');
SELECT ok(freshcrm.watch_problem('lonely'::regclass) IS NULL, 'the table of a registered view is watched');
DROP MATERIALIZED VIEW of_lonely;
CALL freshcrm.tick(now() + interval '150 min');
SELECT ok(freshcrm.watch_problem('lonely'::regclass) IS NOT NULL, 'and no longer where nothing reads it');
SELECT ok(freshcrm.watch_problem('leads'::regclass) IS NULL, 'others are');
SELECT * FROM finish();
