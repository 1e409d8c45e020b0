-- Statistics of events (sql/leadstats.sql) beside plain SQL that says the same.
SET client_min_messages = warning;
CREATE SCHEMA event_stats;
SET search_path = event_stats;
SET TimeZone = 'UTC';
SET jit = off;

-- Declared on purpose, described; the aggregates are open to everybody, and their parts to nobody.
SELECT p.oid::regprocedure, provolatile, proparallel, proisstrict,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS described,
       has_function_privilege('public', p.oid, 'EXECUTE') AS open
FROM pg_proc AS p
WHERE pronamespace = 'freshcrm'::regnamespace AND proname ~ '^(lead_)?event_stats(_add|_combine|_serialize|_deserialize|_final)?$'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- One lead, by hand: asked twice, answered twice, of which the first is the reply; a message that failed asks nobody.
CREATE TABLE few (direction text, channel text, status text, created_at timestamptz);
INSERT INTO few VALUES
    ('outbound', 'email', 'delivered', '2026-01-01 10:00'), ('outbound', 'Email', 'delivered', '2026-01-02 10:00'),
    ('inbound', 'EMAIL', 'read', '2026-01-03 11:30'), ('inbound', 'sms', 'read', '2026-01-03 12:00'),
    ('OUTBOUND', 'whatsapp', 'delivered', '2026-01-04 10:00'), ('outbound', 'whatsapp', 'Bounced', '2026-01-04 11:00'),
    ('inbound', 'pigeon', NULL, '2026-01-04 12:00'), ('sideways', 'drum', 'sent', '2026-01-05 10:00'),
    (NULL, NULL, NULL, NULL);
\x on
SELECT (freshcrm.event_stats(direction, channel, status, created_at, '2026-01-03', '2026-01-04 12:00', NULL, 'infinity')).* FROM few;
SELECT (freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-03', '2026-01-04 12:00')).* FROM few;
-- Of nothing.
SELECT (freshcrm.event_stats(direction, channel, status, created_at, '2026-01-03')).* FROM few WHERE false;
SELECT (freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-03', '2026-01-04 12:00')).* FROM few WHERE false;
SELECT (freshcrm.event_stats(NULL, NULL, NULL, NULL, NULL)).*;
\x off
SELECT freshcrm.event_stats(direction, channel, status, created_at, VARIADIC '{}') = freshcrm.event_stats(direction, channel, status, created_at, VARIADIC NULL) AS none,
       freshcrm.event_stats(direction, channel, status, created_at, '2026-01-03', NULL)
       = freshcrm.event_stats(direction, channel, status, created_at, VARIADIC '[5:6]={2026-01-03,NULL}') AS wherever_it_begins,
       freshcrm.event_stats(direction, channel, status, created_at, date '2026-01-03', timestamp '2026-01-03')
       = freshcrm.event_stats(direction, channel, status, created_at, '2026-01-03', '2026-01-03') AS dates
FROM few;

-- Random events: of times that many share, in every form of words and none, known and not; lead 0 has more
-- messages than are looked at for replies, and many of the same time where these end.
SELECT setseed(0.7);
CREATE TABLE event (id int GENERATED ALWAYS AS IDENTITY, lead_id int, direction text, channel text, status text, created_at timestamptz);
CREATE FUNCTION one_of(list text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT list[1 + floor(random() * cardinality(list))::int]';
CREATE FUNCTION some_time() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN r < 0.03 THEN NULL WHEN r < 0.05 THEN 'infinity' WHEN r < 0.07 THEN '-infinity'
                WHEN r < 0.5 THEN timestamptz '2026-01-01' + floor(random() * 100) * interval '7 hours'
                WHEN r < 0.97 THEN timestamptz '2026-01-01' + random() * interval '30 days'
                ELSE timestamptz '1999-12-31' + random() * interval '20 days' - floor(random() * 2) * interval '5000 years' END
      FROM (SELECT random()) AS s (r)
$$;
INSERT INTO event (lead_id, direction, channel, status, created_at)
SELECT CASE WHEN n % 2 = 0 THEN 0 ELSE floor(power(random(), 2) * 200) END,
       one_of('{inbound,outbound,inbound,outbound,inbound,outbound,Inbound,OUTBOUND,inbounds,sideways,"",NULL}'),
       one_of('{email,email,sms,EMAIL,Sms,whatsapp,in_app,x,phone,PIGEON,pigeon,other,"",NULL,a channel whose name is long}'),
       one_of('{delivered,read,failed,BOUNCED,undelivered,Rejected,sent,NULL}'), some_time()
  FROM generate_series(1, 14000) AS n;
-- Words as they are stored out of line, and compressed; so long that none is known.
INSERT INTO event (lead_id, direction, channel, status, created_at)
SELECT n % 10, 'inbound' || repeat(' ', n * 1000), (SELECT string_agg(md5(i::text), '') FROM generate_series(1, n * 100) AS i), repeat('failed', n * 1000), '2026-01-07'
  FROM generate_series(1, 20) AS n;
ANALYZE event;

-- Every cutoff that there may be: times of events, others, infinite ones, NULL; none and many.
CREATE TABLE windows (i int PRIMARY KEY, list timestamptz[], cutoff_14d timestamptz, cutoff_7d timestamptz);
INSERT INTO windows
SELECT i, ARRAY(SELECT some_time() FROM generate_series(2, i)), CASE WHEN a <= b OR a IS NULL OR b IS NULL THEN a ELSE b END,
       CASE WHEN a <= b OR a IS NULL OR b IS NULL THEN b ELSE a END
  FROM generate_series(1, 8) AS i, LATERAL (SELECT some_time(), some_time() WHERE i > 0) AS t (a, b);
INSERT INTO windows VALUES (9, '{-infinity,infinity,NULL,-infinity}', '-infinity', 'infinity'), (10, NULL, NULL, NULL),
                           (11, ARRAY(SELECT timestamptz '2026-01-31' - n * interval '43 minutes' FROM generate_series(1, 1000) AS n), 'infinity', 'infinity');
ANALYZE windows;

CREATE VIEW native AS
SELECT i, lead_id, freshcrm.event_stats(direction, channel, status, created_at, VARIADIC list) AS stats,
       freshcrm.lead_event_stats(direction, channel, created_at, cutoff_14d, cutoff_7d) AS lead_stats
  FROM windows, event WHERE i < 11 OR lead_id BETWEEN 1 AND 9 GROUP BY i, lead_id;

CREATE MATERIALIZED VIEW plain_event AS
SELECT e.*, CASE WHEN lower(direction) IN ('inbound', 'outbound') THEN lower(direction) ELSE 'other' END AS d,
       CASE WHEN channel IS NULL THEN NULL
            WHEN lower(channel) = ANY ('{call,chat,dm,email,event,facebook,fax,form,in_app,instagram,letter,line,linkedin,mail,meeting,messenger,mms,other,phone,push,rcs,reddit,signal,skype,slack,sms,teams,telegram,threads,tiktok,twitter,viber,video,visit,voice,voicemail,web,webchat,webinar,wechat,whatsapp,x,xing,youtube,zoom}')
            THEN lower(channel) ELSE 'other' END AS c,
       coalesce(lower(status) IN ('failed', 'bounced', 'undelivered', 'rejected'), false) AS has_failed
  FROM event AS e;
CREATE VIEW plain_reply AS
SELECT lead_id, count(*) AS replies, percentile_cont(0.5) WITHIN GROUP (ORDER BY created_at - before) AS median,
       -- In days and the rest, since a number of microseconds is too long for interval's multiplication.
       div(round(avg(us)), 86400000000)::int * interval '1 day' + mod(round(avg(us)), 86400000000) * interval '1 microsecond' AS mean
  FROM (SELECT lead_id, created_at, d, lag(d) OVER w AS d_before, lag(created_at) OVER w AS before,
               extract(epoch FROM created_at - lag(created_at) OVER w) * 1000000 AS us
          FROM (SELECT *, row_number() OVER (PARTITION BY lead_id ORDER BY created_at DESC, d = 'outbound' DESC) AS place FROM plain_event
                 WHERE isfinite(created_at) AND d <> 'other' AND NOT (d = 'outbound' AND has_failed)) AS m
         WHERE place <= 4096 WINDOW w AS (PARTITION BY lead_id ORDER BY created_at, d = 'outbound')) AS l
 WHERE d = 'inbound' AND d_before = 'outbound' GROUP BY lead_id;
CREATE VIEW plain_total AS
SELECT lead_id, count(*) AS events, count(*) FILTER (WHERE d = 'inbound') AS inbound, count(*) FILTER (WHERE d = 'outbound') AS outbound,
       count(*) FILTER (WHERE d = 'other') AS other, min(created_at) AS first, max(created_at) AS last,
       max(created_at) FILTER (WHERE d = 'inbound') AS last_inbound, max(created_at) FILTER (WHERE d = 'outbound') AS last_outbound,
       count(DISTINCT c)::int AS channels, count(*) FILTER (WHERE c = 'other') AS other_channel, count(*) FILTER (WHERE has_failed) AS failed
  FROM plain_event GROUP BY lead_id;
CREATE VIEW plain_window AS
SELECT i, lead_id, coalesce(array_agg(inbound ORDER BY place) FILTER (WHERE place IS NOT NULL), '{}') AS inbound,
       coalesce(array_agg(outbound ORDER BY place) FILTER (WHERE place IS NOT NULL), '{}') AS outbound,
       coalesce(array_agg(other ORDER BY place) FILTER (WHERE place IS NOT NULL), '{}') AS other
  FROM (SELECT i, lead_id, place, count(*) FILTER (WHERE d = 'inbound' AND created_at >= cutoff) AS inbound,
               count(*) FILTER (WHERE d = 'outbound' AND created_at >= cutoff) AS outbound,
               count(*) FILTER (WHERE d = 'other' AND created_at >= cutoff) AS other
          FROM plain_event, windows LEFT JOIN LATERAL unnest(list) WITH ORDINALITY AS u (cutoff, place) ON true
         WHERE i < 11 OR lead_id BETWEEN 1 AND 9
         GROUP BY i, lead_id, place) AS w
 GROUP BY i, lead_id;
CREATE VIEW plain AS
SELECT i, lead_id, ROW(events, t.inbound, t.outbound, t.other, w.inbound, w.outbound, w.other, first, last, last_inbound, last_outbound,
                       channels, other_channel, failed, coalesce(replies, 0), median, mean)::freshcrm.event_statistics AS stats
  FROM plain_total AS t JOIN plain_window AS w USING (lead_id) LEFT JOIN plain_reply USING (lead_id);
CREATE VIEW plain_lead AS
SELECT i, lead_id, ROW(count(*), count(*) FILTER (WHERE d = 'inbound'), count(*) FILTER (WHERE d = 'outbound'),
                       count(*) FILTER (WHERE d = 'inbound' AND created_at >= cutoff_14d), count(*) FILTER (WHERE d = 'outbound' AND created_at >= cutoff_14d),
                       count(*) FILTER (WHERE d = 'inbound' AND created_at >= cutoff_7d), count(*) FILTER (WHERE d = 'outbound' AND created_at >= cutoff_7d),
                       max(created_at) FILTER (WHERE d = 'inbound'), max(created_at) FILTER (WHERE d = 'outbound'),
                       count(DISTINCT c))::freshcrm.lead_event_stats AS lead_stats
  FROM windows, plain_event WHERE i < 11 OR lead_id BETWEEN 1 AND 9 GROUP BY i, lead_id;

-- What plain SQL says, once for each state of the table; the native statistics are compared with it in every plan.
CREATE TABLE wanted AS SELECT * FROM plain_lead FULL JOIN plain USING (i, lead_id);
\set differences 'SELECT count(*) > 1500 AS enough, count(*) FILTER (WHERE (w.stats).reply_count > 0) > 500 AS with_replies, count(*) FILTER (WHERE n.lead_stats IS DISTINCT FROM w.lead_stats) AS lead_differences, count(*) FILTER (WHERE n.stats IS DISTINCT FROM w.stats) AS differences FROM native AS n FULL JOIN wanted AS w USING (i, lead_id)'
SET max_parallel_workers_per_gather = 0;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT * FROM native;
:differences;
SET enable_sort = on;
SET enable_hashagg = off;
:differences;
RESET enable_hashagg;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
-- Each process has a part of each group when events are dear.
SET cpu_operator_cost = 1;
EXPLAIN (COSTS OFF) SELECT freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10'),
                           freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') FROM event;
EXPLAIN (COSTS OFF) SELECT * FROM native;
:differences;
-- All leads in one group, and what one process makes of it.
CREATE TABLE parallel AS
SELECT freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10', NULL, '2026-01-17') AS stats,
       freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') AS lead_stats FROM event;
SET max_parallel_workers_per_gather = 0;
SELECT freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10', NULL, '2026-01-17') = (SELECT stats FROM parallel) AS same,
       freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') = (SELECT lead_stats FROM parallel) AS lead_same,
       freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10', NULL, '2026-01-17' ORDER BY md5(id::text)) = (SELECT stats FROM parallel) AS in_any_order
FROM event;

-- After updates and deletes.
UPDATE event SET created_at = some_time(), direction = one_of('{inbound,outbound,NULL}') WHERE id % 7 = 0;
DELETE FROM event WHERE id % 5 = 0 OR lead_id = 150;
UPDATE event SET lead_id = 151 + id % 3, status = one_of('{failed,read}') WHERE lead_id BETWEEN 100 AND 110;
REFRESH MATERIALIZED VIEW plain_event;
TRUNCATE wanted;
INSERT INTO wanted SELECT * FROM plain_lead FULL JOIN plain USING (i, lead_id);
:differences;
SET max_parallel_workers_per_gather = 2;
:differences;

-- Compiled, by the server's own inlining, too.
SET max_parallel_workers_per_gather = 0;
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
:differences;
RESET ALL;
SET client_min_messages = warning;
SET search_path = event_stats;
SET TimeZone = 'UTC';
SET jit = off;

-- A moving frame: each has the statistics of its rows.
SELECT count(*) AS frames, bool_and(moving.stats = again.stats AND moving.lead_stats = again.lead_stats) AS same
  FROM (SELECT id, freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10') OVER w AS stats,
               freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') OVER w AS lead_stats
          FROM event WHERE id <= 500 WINDOW w AS (ORDER BY id RANGE BETWEEN 20 PRECEDING AND CURRENT ROW)) AS moving,
       LATERAL (SELECT freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10') AS stats,
                       freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') AS lead_stats
                  FROM event AS e WHERE e.id BETWEEN moving.id - 20 AND moving.id) AS again;
-- Running statistics: the state goes on after a result.
SELECT count(*) AS frames, bool_and(running.stats = again.stats) AS same
  FROM (SELECT id, freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10') OVER (ORDER BY id) AS stats
          FROM event WHERE id <= 500) AS running,
       LATERAL (SELECT freshcrm.event_stats(direction, channel, status, created_at, '2026-01-10') AS stats FROM event AS e WHERE e.id <= running.id) AS again;

-- A million leads in one query, in little memory: what does not fit goes to disk.
CREATE FUNCTION hash_batches(query text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ' || query INTO plan;
    RETURN (jsonb_path_query_first(plan, '$.**."HashAgg Batches"'))::int > 1;
END
$$;
SET work_mem = '4MB';
SET max_parallel_workers_per_gather = 0;
SET enable_sort = off;
SELECT hash_batches($$
    SELECT lead_id, freshcrm.lead_event_stats('inbound', 'email', created_at, '2026-01-10', '2026-01-17'),
           freshcrm.event_stats('inbound', 'email', 'read', created_at, '2026-01-10', '2026-01-17')
      FROM (SELECT n % 100000, timestamptz '2026-01-01' + n * interval '1 second' FROM generate_series(1, 120000) AS n) AS e (lead_id, created_at)
     GROUP BY lead_id$$) AS a_tenth_spills;
SELECT count(*) AS leads, sum((a).total_events) AS events, sum((a).inbound_14d) AS in_14d, sum((b).inbound[1]) AS again, sum((b).total_events) AS and_again
  FROM (SELECT lead_id, freshcrm.lead_event_stats('inbound', 'email', created_at, '2026-01-10', '2026-01-17'),
               freshcrm.event_stats('inbound', 'email', 'read', created_at, '2026-01-10', '2026-01-17')
          FROM (SELECT n % 1000000, timestamptz '2026-01-01' + n * interval '1 second' FROM generate_series(1, 1200000) AS n) AS e (lead_id, created_at)
         GROUP BY lead_id) AS s (lead_id, a, b);
RESET enable_sort;
RESET work_mem;

-- Refused: cutoffs that say nothing clear, and the parts by themselves.
CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, message, detail, hint);
END
$$;
SELECT refused($$SELECT freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-17', '2026-01-10') FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.lead_event_stats(direction, channel, created_at, NULL, '2026-01-10') FROM event_stats.event$$) AS half,
       refused($$SELECT freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-10') FROM event_stats.event$$) AS the_same;
SELECT refused($$SELECT freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', timestamptz '2026-01-17' + id * interval '1 hour') FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.lead_event_stats(direction, channel, created_at, CASE WHEN id % 2 = 0 THEN timestamptz '2026-01-10' END, '2026-01-17') FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, timestamptz '2026-01-17' + id * interval '1 hour') FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, CASE WHEN id % 2 = 0 THEN timestamptz '2026-01-10' END) FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, VARIADIC array_fill('2026-01-17'::timestamptz, ARRAY[(id % 3)])) FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, VARIADIC array_fill('2026-01-17'::timestamptz, ARRAY[1000000])) FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, VARIADIC array_fill(NULL::timestamptz, ARRAY[1001])) FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, VARIADIC '{{2026-01-17},{2026-01-10}}') FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats(direction, channel, status, created_at, 7) FROM event_stats.event$$);
SELECT refused($$SELECT freshcrm.event_stats_deserialize('\x00', internal_in(NULL))$$);
-- Attributes one by one, with and without NULLs, where a row has been made and where it has been stored.
CREATE TABLE kept AS SELECT freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') AS stats FROM event_stats.event GROUP BY id % 50;
INSERT INTO kept VALUES (NULL), (ROW(1, NULL, 3, NULL, 5, 6, NULL, NULL, 'infinity', NULL)), (ROW(1, 0, 1, 0, 0, 0, 0, NULL, 'epoch', 1)), (ROW(1, 1, 0, 0, 0, 0, 0, 'epoch', NULL, 2));
SELECT count(*) > 40 AS many, count(*) FILTER (WHERE s IS DISTINCT FROM a) AS differ
  FROM (SELECT stats AS s, CASE WHEN stats IS DISTINCT FROM NULL THEN ROW(freshcrm.lead_event_stats_count(stats, 1), freshcrm.lead_event_stats_count(stats, 2), freshcrm.lead_event_stats_count(stats, 3),
               freshcrm.lead_event_stats_count(stats, 4), freshcrm.lead_event_stats_count(stats, 5), freshcrm.lead_event_stats_count(stats, 6),
               freshcrm.lead_event_stats_count(stats, 7), freshcrm.lead_event_stats_time(stats, 8), freshcrm.lead_event_stats_time(stats, 9),
               freshcrm.lead_event_stats_channels(stats))::freshcrm.lead_event_stats END AS a
          FROM (TABLE kept UNION ALL
                SELECT freshcrm.lead_event_stats(direction, channel, created_at, '2026-01-10', '2026-01-17') FROM event_stats.event GROUP BY id % 9) AS k) AS c;
SELECT refused('SELECT freshcrm.lead_event_stats_count(stats, 8) FROM event_stats.kept');
SELECT refused('SELECT freshcrm.lead_event_stats_count(stats, 0) FROM event_stats.kept');
SELECT refused('SELECT freshcrm.lead_event_stats_time(stats, 10) FROM event_stats.kept');
DROP TABLE kept;
-- Workers that each have cutoffs of their own, and find out when their states meet.
CREATE TABLE halves AS SELECT n, timestamptz '2026-01-10' + (n / 40000) * interval '1 day' AS cutoff FROM generate_series(1, 79999) AS n;
ANALYZE halves;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT refused($$SELECT freshcrm.event_stats('inbound', 'email', 'read', now(), cutoff) FROM event_stats.halves$$);
SELECT refused($$SELECT freshcrm.lead_event_stats('inbound', 'email', now(), cutoff, 'infinity') FROM event_stats.halves$$);
-- A stored state that is none, as only a superuser's own aggregates can hand it over.
CREATE AGGREGATE crafted(int8) (
    SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg, COMBINEFUNC = int8_avg_combine,
    SERIALFUNC = int8_avg_serialize, DESERIALFUNC = freshcrm.event_stats_deserialize, PARALLEL = SAFE
);
CREATE AGGREGATE crafted_lead(int8) (
    SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg, COMBINEFUNC = int8_avg_combine,
    SERIALFUNC = int8_avg_serialize, DESERIALFUNC = freshcrm.lead_event_stats_deserialize, PARALLEL = SAFE
);
SELECT refused('SELECT event_stats.crafted(n) FROM event_stats.halves');
SELECT refused('SELECT event_stats.crafted_lead(n) FROM event_stats.halves');
RESET ALL;

SET client_min_messages = warning;
DROP SCHEMA event_stats CASCADE;
