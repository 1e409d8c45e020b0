-- next_runs() against another way to find the same: all minutes of some days are looked at, one by one, as the zone's
-- clocks show them, and the rules of sql/cron.sql are applied to each. Schedules, zones and days are random, the same each
-- time, most of them days on which clocks are changed.
BEGIN;
SELECT plan(9);
SELECT setseed(0.8);

-- The values of a field, read by its text.
CREATE FUNCTION pg_temp.field_value(item text, lowest int, names text) RETURNS int LANGUAGE sql AS $$
  SELECT CASE WHEN item ~ '^\d+$' THEN item::int ELSE (strpos(names, item) - 1) / 3 + lowest END
$$;
CREATE FUNCTION pg_temp.field_values(field text, lowest int, highest int, names text) RETURNS int[] LANGUAGE sql AS $$
  WITH items AS (
    SELECT regexp_match(lower(item), '^(\*|\w+)(?:-(\w+))?(?:/(\d+))?$') AS m FROM string_to_table(field, ',') AS item
  ), ends AS (
    SELECT CASE WHEN m[1] = '*' THEN lowest ELSE pg_temp.field_value(m[1], lowest, names) END AS first,
           CASE WHEN m[1] = '*' THEN highest ELSE pg_temp.field_value(coalesce(m[2], m[1]), lowest, names) END AS last,
           coalesce(m[3]::int, 1) AS step
      FROM items)
  SELECT array_agg(DISTINCT v) FROM ends, generate_series(first, last, step) AS v
$$;

-- The minutes from `start` on for some days that are due. The zone is the session's TimeZone.
CREATE FUNCTION pg_temp.walk(cron text, start timestamptz, until timestamptz)
RETURNS TABLE (run timestamptz, made_up boolean) LANGUAGE sql AS $$
  WITH f AS MATERIALIZED (
    SELECT fields, pg_temp.field_values(fields[1], 0, 59, '') AS minutes, pg_temp.field_values(fields[2], 0, 23, '') AS hours,
           pg_temp.field_values(fields[3], 1, 31, '') AS days,
           pg_temp.field_values(fields[4], 1, 12, 'janfebmaraprmayjunjulaugsepoctnovdec') AS months,
           pg_temp.field_values(fields[5], 0, 7, 'sunmontuewedthufrisat') AS weekdays,
           fields[1] !~ '^\*' AND fields[2] !~ '^\*' AS fixed, fields[3] !~ '^\*' AND fields[5] !~ '^\*' AS either
      FROM regexp_split_to_array(cron, ' ') AS fields
  ), shown AS MATERIALIZED (
    SELECT m AS time, m::timestamp AS local FROM generate_series(start - interval '1 day', until, interval '1 minute') AS m
  ), beside AS (
    SELECT *, lag(local) OVER (ORDER BY time) AS before,
           time - lag(time) OVER (PARTITION BY local ORDER BY time) < interval '3 hours' AS again
      FROM shown
  ), looked_at AS (
    -- Every time that clocks show, and those that they skip when they are put forward by less than three hours.
    SELECT time, local, again, false AS skipped FROM beside
    UNION ALL
    SELECT time, missed, false, true
      FROM beside, generate_series(before + interval '1 minute', local - interval '1 minute', interval '1 minute') AS missed
     WHERE local - before < interval '03:01')
  SELECT time, bool_and(skipped) FROM looked_at, f
   WHERE time > start AND time < until
     AND extract(minute FROM local) = ANY (minutes) AND extract(hour FROM local) = ANY (hours)
     AND extract(month FROM local) = ANY (months)
     AND CASE WHEN either THEN extract(day FROM local) = ANY (days)
                            OR extract(dow FROM local) = ANY (weekdays) OR extract(isodow FROM local) = ANY (weekdays)
              ELSE extract(day FROM local) = ANY (days)
                   AND (extract(dow FROM local) = ANY (weekdays) OR extract(isodow FROM local) = ANY (weekdays)) END
     AND CASE WHEN fixed THEN again IS NOT TRUE ELSE NOT skipped END
   GROUP BY time
$$;

-- The walk itself, by days that were written down from crontab(5) and a calendar.
SET LOCAL TimeZone = 'Europe/Berlin';
SELECT is(array_agg(to_char(run, 'DD HH24:MI OF') || CASE WHEN made_up THEN ' made up' ELSE '' END ORDER BY run),
          '{"29 02:30 +01","30 03:00 +02 made up","31 02:30 +02"}'::text[], 'a skipped time, walked')
  FROM pg_temp.walk('30 2 * * *', '2025-03-29 00:00', '2025-04-01 00:00');
SELECT is(array_agg(to_char(run, 'DD HH24:MI OF') ORDER BY run), '{"26 02:30 +02","27 02:30 +01"}'::text[], 'one shown twice, walked')
  FROM pg_temp.walk('30 2 * * *', '2025-10-26 00:00', '2025-10-28 00:00');
SELECT is(array_agg(to_char(run, 'DD HH24:MI OF') ORDER BY run), '{"26 02:30 +02","26 02:30 +01"}'::text[], 'and twice, walked')
  FROM pg_temp.walk('30 */2 26 oct *', '2025-10-26 01:00', '2025-10-26 03:00');

-- Random schedules: what a field may be, each as likely.
CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
CREATE FUNCTION pg_temp.value(lowest int, highest int) RETURNS int LANGUAGE sql VOLATILE AS $$
  SELECT lowest + floor(random() * (highest - lowest + 1))::int
$$;
CREATE FUNCTION pg_temp.item(lowest int, highest int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  a int := pg_temp.value(lowest, highest);
  b int := pg_temp.value(a, highest);
BEGIN
  RETURN CASE pg_temp.value(1, 4)
    WHEN 1 THEN a::text
    WHEN 2 THEN a || '-' || b
    WHEN 3 THEN CASE WHEN b > a THEN format('%s-%s/%s', a, b, pg_temp.value(1, b - a)) ELSE b::text END
    ELSE '*/' || pg_temp.value(1, (highest - lowest) / 2) END;
END $$;
CREATE FUNCTION pg_temp.field(lowest int, highest int, items int) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT string_agg(pg_temp.item(lowest, highest), ',') FROM generate_series(1, items)
$$;
CREATE FUNCTION pg_temp.schedule() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT concat_ws(' ',
    pg_temp.pick('0', '30', '30', '15,45', '*/20', pg_temp.value(0, 59)::text, pg_temp.field(0, 59, 1), pg_temp.field(0, 59, 2)),
    pg_temp.pick('*', '0', '1', '2', '2', '0-3', '1-2,5', '*/2', '0-23', pg_temp.field(0, 23, 1), pg_temp.field(0, 23, 2)),
    pg_temp.pick('*', '*', '*', '*', '*', '*/2', pg_temp.field(1, 31, 2)),
    pg_temp.pick('*', '*', '*', '*', 'MAR-may,sep-Nov', pg_temp.field(1, 12, 3)),
    pg_temp.pick('*', '*', '*', '*', '*', '*', 'sun', 'Fri-sat,7', '5-7', 'mon-fri', pg_temp.field(0, 6, 2)))
$$;

-- Days: those around a change of clocks in the two years after a random one, where there is any. Since 1973 no zone is
-- away from UTC by parts of a minute.
CREATE TABLE pg_temp.cases (number int, zone text, start timestamptz, cron text, expected timestamptz[], got timestamptz[],
                            made_up int, clocks_change interval);
DO $$
DECLARE
  zones text[] := (SELECT array_agg(name ORDER BY name COLLATE "C") FROM pg_timezone_names WHERE name !~ '^(posix|right)/');
  zone text;
  start timestamptz;
  cron text;
  change interval;
BEGIN
  FOR number IN 1..160 LOOP
    -- Some zones by name: half an hour, midnight, twice a year in winter, a day that is not there.
    zone := pg_temp.pick(pg_temp.pick(VARIADIC zones), pg_temp.pick(VARIADIC zones), 'Europe/Berlin', 'America/New_York',
                         'Australia/Lord_Howe', 'Asia/Kolkata', 'Africa/Casablanca', 'America/Santiago', 'Pacific/Apia');
    PERFORM set_config('TimeZone', zone, true);
    start := timestamptz '1973-01-10 00:00Z' + floor(random() * 65 * 365) * interval '24 hours';
    IF zone = 'Pacific/Apia' AND random() < 0.5 THEN
      start := '2011-12-29 00:00Z';
    END IF;
    SELECT INTO start, change
           coalesce(min(d) FILTER (WHERE changed <> '0') - pg_temp.value(0, 2879) * interval '1 minute', start),
           coalesce((array_agg(changed ORDER BY d) FILTER (WHERE changed <> '0'))[1], '0')
      FROM (SELECT d, (d + interval '24 hours')::timestamp - d::timestamp - interval '24 hours' AS changed
              FROM generate_series(start, start + interval '730 days', interval '24 hours') AS d) AS days;
    cron := pg_temp.schedule();
    -- In seconds, too, as nobody calls at full minutes.
    start := start + pg_temp.pick('0', '0.000001', '29', '59.999999')::float * interval '1 second';
    INSERT INTO pg_temp.cases
    SELECT number, zone, start, cron, expected, got, made_up, change
      FROM (SELECT coalesce(array_agg(run ORDER BY run), '{}') AS expected, count(*) FILTER (WHERE w.made_up) AS made_up
              FROM pg_temp.walk(cron, date_trunc('minute', start), start + interval '5 days') AS w
             WHERE run > start) AS walked,
           (SELECT coalesce(array_agg(run ORDER BY run), '{}') AS got
              FROM freshcrm.next_runs(cron, CASE WHEN number % 2 = 0 THEN zone END, 7201, start) AS run
             WHERE run < start + interval '5 days') AS answered;
  END LOOP;
END $$;
SET LOCAL TimeZone = 'UTC';
SELECT is(array_agg(format('%s: %s in %s after %s: got %s, walked %s', number, cron, zone, start, got, expected)), NULL,
          'both find the same times')
  FROM pg_temp.cases WHERE got <> expected;

-- The cases are of all kinds.
SELECT cmp_ok(count(*), '>', 60::bigint, 'clocks are changed in many') FROM pg_temp.cases WHERE clocks_change <> '0';
SELECT cmp_ok(count(*), '>', 80::bigint, 'schedules are due in many') FROM pg_temp.cases WHERE cardinality(expected) > 1;
SELECT cmp_ok(count(*), '>', 5::bigint, 'skipped times are made up for') FROM pg_temp.cases WHERE made_up > 0;
SELECT cmp_ok(count(*), '>', 1::bigint, 'a day is missing')
  FROM pg_temp.cases WHERE clocks_change >= '12:00' AND cardinality(expected) > 0;
SELECT cmp_ok(count(DISTINCT zone), '>', 25::bigint, 'zones are many') FROM pg_temp.cases;

SELECT * FROM finish();
ROLLBACK;
