-- next_runs: when schedules of cron are due, by the clocks of time zones. (What the fields mean, value by value, is
-- tested in test/unit/cron_test.cpp, and against a walk through all minutes in test/pgtap/cron.sql.)
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, DMY';

-- 1. Without a zone it is the session's; ten times, after now.
SELECT count(*), min(run) > now() AS later, bool_and(extract(minute FROM run) = 5 AND extract(second FROM run) = 0) AS at_5
  FROM freshcrm.next_runs('5 * * * *') AS run;
BEGIN;
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT run FROM freshcrm.next_runs('0 9 * * mon', n => 2, after => '2025-06-01') AS run;
SET LOCAL TIME ZONE INTERVAL '-03:30' HOUR TO MINUTE;
SELECT run FROM freshcrm.next_runs('0 9 * * mon', n => 1, after => '2025-06-01') AS run;
COMMIT;
-- The zone is that of the schedule, whoever asks.
SELECT run FROM freshcrm.next_runs('0 9 * * mon', 'Asia/Kolkata', 2, '2025-06-01') AS run;
-- After, not at; seconds and parts of them count.
SELECT after, (SELECT run FROM freshcrm.next_runs('*/5 * * * *', 'UTC', 1, after) AS run)
  FROM unnest('{2025-01-01 00:04:59.999999, 2025-01-01 00:05:00, 2025-01-01 00:05:00.000001, 1969-12-31 23:59:59.5,
                1999-12-31 23:59:59.999999, 2000-01-01}'::timestamptz[]) AS after;

-- 2. The jobs of the CRM pack.
SELECT cron, array_agg(run) FROM unnest('{*/5 * * * *, 0 1 * * *, 30 1 * * *, @weekly}'::text[]) AS cron,
       freshcrm.next_runs(cron, 'UTC', 3, '2025-12-31 23:58') AS run GROUP BY cron;

-- 3. Days on which clocks are changed. For each zone: a schedule of a fixed time that is skipped or shown twice, one of
-- every half hour. Times are shown by the zone's own clocks, and in UTC.
CREATE FUNCTION shown(cron text, zone text, n integer, after timestamptz)
RETURNS TABLE (local timestamp, utc timestamp) LANGUAGE sql AS
$$
    SELECT run AT TIME ZONE zone, run AT TIME ZONE 'UTC' FROM freshcrm.next_runs(cron, zone, n, after) AS run
$$;
-- Berlin: 2:00 is 3:00 on March 30, 2025, and 3:00 is 2:00 on October 26.
SELECT * FROM shown('30 2 * * *', 'Europe/Berlin', 3, '2025-03-29 00:00Z');
SELECT * FROM shown('*/30 * * * *', 'Europe/Berlin', 4, '2025-03-30 00:00Z');
SELECT * FROM shown('30 2 * * *', 'Europe/Berlin', 3, '2025-10-25 00:00Z');
SELECT * FROM shown('*/30 * * * *', 'Europe/Berlin', 6, '2025-10-25 23:30Z');
-- What is skipped is due once, and not again when it is due at that moment anyway.
SELECT * FROM shown('0,15,30 2,3 * * *', 'Europe/Berlin', 4, '2025-03-30 00:00Z');
-- Every hour, but as fixed times: not due again in the hour that is shown again.
SELECT * FROM shown('0 0-23 * * *', 'Europe/Berlin', 3, '2025-10-25 23:30Z');
-- New York: 2:00 is 3:00 on March 9, 2025, and 2:00 is 1:00 on November 2.
SELECT * FROM shown('15 2 * * sun', 'America/New_York', 3, '2025-03-02 12:00Z');
SELECT * FROM shown('15 * * * *', 'America/New_York', 3, '2025-03-09 05:30Z');
SELECT * FROM shown('15 1 * * sun', 'America/New_York', 3, '2025-10-26 12:00Z');
SELECT * FROM shown('15 * * * *', 'America/New_York', 3, '2025-11-02 04:30Z');
-- Lord Howe, by half an hour: 2:00 is 2:30 on October 5, 2025, and 2:00 is 1:30 on April 6.
SELECT * FROM shown('10 2 * * *', 'Australia/Lord_Howe', 3, '2025-10-04 00:00Z');
SELECT * FROM shown('10,40 * * * *', 'Australia/Lord_Howe', 4, '2025-10-04 14:30Z');
SELECT * FROM shown('45 1 * * *', 'Australia/Lord_Howe', 3, '2025-04-05 00:00Z');
SELECT * FROM shown('15,45 * * * *', 'Australia/Lord_Howe', 4, '2025-04-05 14:00Z');
-- Kolkata: never, but for five hours and a half.
SELECT * FROM shown('30 2 * * *', 'Asia/Kolkata', 2, '2025-03-29 00:00Z');
-- Santiago: midnight is 1:00 on September 7, 2025.
SELECT * FROM shown('0 0 7 * *', 'America/Santiago', 2, '2025-09-01 00:00Z');
-- Apia has no December 30, 2011: a change of the calendar. Nothing is made up for.
SELECT * FROM shown('0 12 * * *', 'Pacific/Apia', 3, '2011-12-28 23:00Z');
SELECT * FROM shown('0 12 30 12 *', 'Pacific/Apia', 1, '2011-12-01 00:00Z');
SELECT * FROM shown('0 */8 * * *', 'Pacific/Apia', 6, '2011-12-29 20:00Z');
-- Kwajalein had no August 21, 1993.
SELECT * FROM shown('0 12 * * *', 'Pacific/Kwajalein', 3, '1993-08-19 12:00Z');
-- A zone that is a rule, as POSIX has it: for ever.
SELECT * FROM shown('30 2 * * *', 'CET-1CEST,M3.5.0,M10.5.0/3', 3, '2025-03-29 00:00Z');
SELECT * FROM shown('30 2 * 3 sun', 'CET-1CEST,M3.5.0,M10.5.0/3', 5, '2950-02-01 00:00Z');

-- 4. Rare days, and the ends of time.
SELECT * FROM shown('0 0 29 2 *', 'Europe/Berlin', 3, '2096-01-01');
SELECT * FROM shown('0 0 */28 2 tue', 'UTC', 3, '2000-03-01');
SELECT * FROM shown('0 0 29 2 *', 'UTC', 10, '294264-01-01');
SELECT * FROM shown('0 0 29 2 *', 'UTC', 1, '4713-11-24 BC');
SELECT count(*), max(run) FROM freshcrm.next_runs('* * * * *', 'UTC', 10000, '2025-01-01') AS run;

-- 5. Nothing asked, nothing answered; a count of 0 checks the schedule and the zone.
SELECT * FROM freshcrm.next_runs(NULL);
SELECT * FROM freshcrm.next_runs('* * * * *', n => NULL);
SELECT * FROM freshcrm.next_runs('* * * * *', after => NULL);
SELECT * FROM freshcrm.next_runs('* * * * *', 'Europe/Berlin', 0);
SELECT * FROM freshcrm.next_runs('* * * * 8', n => 0);
\set VERBOSITY sqlstate
SELECT * FROM freshcrm.next_runs('* * * * 8', n => 0);
SELECT * FROM freshcrm.next_runs('* * * * *', 'Europe/Berlim', 0);
SELECT * FROM freshcrm.next_runs('* * * * *', 'UTC', -1);
\set VERBOSITY default
SELECT * FROM freshcrm.next_runs('* * * * *', 'Europe/Berlim', 0);
SELECT * FROM freshcrm.next_runs('* * * * *', 'CEST', 0);
SELECT * FROM freshcrm.next_runs('* * * * *', '', 0);
SELECT * FROM freshcrm.next_runs('* * * * *', 'UTC', -1);
SELECT * FROM freshcrm.next_runs('* * * * *', 'UTC', 10001);
SELECT * FROM freshcrm.next_runs('* * * * *', 'UTC', 1, 'infinity');

-- 6. What is no schedule, in words.
CREATE FUNCTION refused(cron text) RETURNS TABLE (error text) LANGUAGE plpgsql AS
$$
DECLARE hint text;
BEGIN
    RETURN QUERY SELECT 'taken'::text FROM freshcrm.next_runs(cron, n => 1);
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN QUERY VALUES (SQLERRM), ('    ' || hint);
END
$$;
SELECT error FROM unnest(ARRAY[
    '', '* * * *', '*/5 * * * * *', '30 seconds', '@reboot', '@fortnightly', 'every day', '0 0 L * *', '0 0 ? * *',
    '60 * * * *', '* * 0 * *', '*/0 * * * *', '*/60 * * * *', '5/10 * * * *', '50-10 * * * *', '1, * * * *',
    '* * * foo *', '* * * * moon', '0 0 31 feb *', '0 0 31 2,4 */2',
    E'* * *\n* *', '99999999999999999999 * * * *']) WITH ORDINALITY AS c (cron, place), refused(cron) ORDER BY place;

-- 7. Anybody may ask, on a standby and in parallel, too.
SELECT has_function_privilege('public', p.oid, 'EXECUTE') AS everybody, provolatile, proparallel
  FROM pg_proc AS p WHERE proname = 'next_runs';
DROP FUNCTION refused, shown;
