-- Event rollups: packed events equal what they are packed of, and the functions over them give what
-- plain SQL gives over the events, at any cutoff, whatever has been written and however it is kept.
\set ECHO none
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT freshcrm.create_crm_tables('event_rollup') \g /dev/null
SET search_path = event_rollup;
ALTER TABLE message_events ALTER COLUMN user_id DROP NOT NULL, ALTER COLUMN direction DROP NOT NULL,
    ALTER COLUMN channel DROP NOT NULL, ALTER COLUMN created_at DROP NOT NULL;
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION lead(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('10000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION rep(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('a0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pick(VARIADIC words text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT words[1 + floor(random() * cardinality(words))::int] $$;
-- Between 1 June and 1 July, at starts of hours, elsewhere in these, NULL or infinite.
CREATE FUNCTION some_time() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN r < 0.03 THEN NULL WHEN r < 0.04 THEN 'infinity' WHEN r < 0.05 THEN '-infinity'
                WHEN r < 0.3 THEN timestamptz '2026-06-01Z' + floor(random() * 720) * interval '1 hour'
                ELSE timestamptz '2026-06-01Z' + random() * interval '720 hours' END
      FROM random() AS r
$$;
CREATE PROCEDURE write_events(count int) LANGUAGE sql AS $$
    INSERT INTO message_events (user_id, lead_id, direction, channel, status, created_at)
    SELECT CASE WHEN random() < 0.98 THEN rep(1 + n % 3) END, e.lead,
           pick('inbound', 'outbound', 'Inbound', 'note', NULL), pick('email', 'EMAIL', 'sms', 'phone', 'pigeon', 'other', 'crow', NULL),
           'sent', some_time()
      FROM (SELECT n, CASE WHEN random() < 0.98 THEN lead(1 + floor(random() * 40)::int) END AS lead
              FROM generate_series(1, count) AS n OFFSET 0) AS e
     WHERE e.lead IS NULL OR EXISTS (SELECT FROM leads AS l WHERE l.id = e.lead)
$$;
INSERT INTO customers (name) VALUES ('Acme');
INSERT INTO leads (id, customer_id, owner_user_id, status)
SELECT lead(n), (SELECT id FROM customers), rep(1), pick('new', 'won', 'x') FROM generate_series(1, 45) AS n;
SELECT setseed(0.5) \g /dev/null
CALL write_events(6000);
SELECT freshcrm.install_crm('event_rollup') \g /dev/null

-- The same without anything of freshcrm.
CREATE FUNCTION plain(owner uuid, cutoff_14d timestamptz, cutoff_7d timestamptz, named uuid[])
RETURNS TABLE (lead_id uuid, total_events bigint, inbound_total bigint, outbound_total bigint, inbound_14d bigint, outbound_14d bigint,
               inbound_7d bigint, outbound_7d bigint, last_inbound_at timestamptz, last_outbound_at timestamptz, channels int)
LANGUAGE sql STABLE AS $$
    SELECT l.lead_id, count(e.id), count(e.id) FILTER (WHERE way = 'inbound'), count(e.id) FILTER (WHERE way = 'outbound'),
           count(e.id) FILTER (WHERE way = 'inbound' AND e.created_at >= cutoff_14d), count(e.id) FILTER (WHERE way = 'outbound' AND e.created_at >= cutoff_14d),
           count(e.id) FILTER (WHERE way = 'inbound' AND e.created_at >= cutoff_7d), count(e.id) FILTER (WHERE way = 'outbound' AND e.created_at >= cutoff_7d),
           max(e.created_at) FILTER (WHERE way = 'inbound'), max(e.created_at) FILTER (WHERE way = 'outbound'),
           count(DISTINCT CASE WHEN lower(e.channel) IN ('email', 'sms', 'phone') THEN lower(e.channel) WHEN e.channel IS NOT NULL THEN 'other' END)::int
      FROM (SELECT DISTINCT m.lead_id FROM message_events AS m WHERE m.user_id = owner AND named IS NULL AND m.lead_id IS NOT NULL
             UNION SELECT n FROM unnest(named) AS n WHERE n IS NOT NULL) AS l
      LEFT JOIN (SELECT m.*, lower(m.direction) AS way FROM message_events AS m WHERE m.user_id = owner) AS e ON e.lead_id = l.lead_id
     GROUP BY l.lead_id
$$;

-- Draws questions, and says what of the answers differs from plain SQL: of the function, and of what it is put in the place of.
CREATE FUNCTION compare(draws int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    cutoffs timestamptz[];
    owner uuid;
    named uuid[];
    compared bigint := 0;
    wrong bigint := 0;
    counted record;
BEGIN
    FOR draw IN 1 .. draws LOOP
        cutoffs[1] := CASE WHEN draw % 4 = 0 THEN date_trunc('hour', some_time()) ELSE some_time() END;
        cutoffs[2] := CASE draw % 5 WHEN 0 THEN cutoffs[1] + random() * interval '1 hour' WHEN 1 THEN cutoffs[1] + interval '7 days'
                                    WHEN 2 THEN date_trunc('hour', some_time()) ELSE some_time() END;
        IF cutoffs[2] < cutoffs[1] THEN
            cutoffs := ARRAY[cutoffs[2], cutoffs[1]];
        END IF;
        owner := rep(1 + draw % 4);
        named := CASE WHEN draw % 3 = 0 THEN ARRAY(SELECT lead(1 + floor(random() * 50)::int) FROM generate_series(1, 10)) || NULL::uuid END;
        EXECUTE 'SELECT count(*) AS rows, count(*) FILTER (WHERE p IS DISTINCT FROM f) AS wrong FROM plain($1, $2, $3, $4) AS p
                 FULL JOIN calculate_lead_event_stats($1, $2, $3, $4) AS f USING (lead_id)'
            INTO counted USING owner, cutoffs[1], cutoffs[2], named;
        compared := compared + counted.rows;
        wrong := wrong + counted.wrong;
    END LOOP;
    RETURN CASE WHEN compared > 10 * draws THEN 'many' ELSE compared::text END || ' rows compared, ' || wrong || ' differ';
END
$$;
CREATE FUNCTION compare_scores(draws int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    named uuid[];
    compared bigint := 0;
    wrong bigint := 0;
    counted record;
BEGIN
    FOR draw IN 1 .. draws LOOP
        at := timestamptz '2026-06-10Z' + random() * interval '500 hours';
        at := CASE draw % 3 WHEN 0 THEN date_trunc('hour', at) ELSE at END;
        named := ARRAY(SELECT lead(1 + floor(random() * 50)::int) FROM generate_series(1, 20)) || NULL::uuid;
        SELECT count(*) AS rows, count(*) FILTER (WHERE (e.s).p_score IS DISTINCT FROM b.p_score OR (e.s).factors IS DISTINCT FROM b.factors) AS wrong
          INTO counted
          FROM (SELECT l.id AS lead_id, freshcrm.lead_score(
                         (SELECT freshcrm.lead_event_stats(m.direction, m.channel, m.created_at, at - interval '336 hours', at - interval '168 hours')
                            FROM message_events AS m WHERE m.lead_id = l.id AND m.user_id IS NOT NULL), at, '{"stage": 2}', l.status) AS s
                  FROM leads AS l WHERE l.id = ANY (named) OFFSET 0) AS e
          FULL JOIN p_score_batch(named, at, '{"stage": 2}') AS b USING (lead_id);
        compared := compared + counted.rows;
        wrong := wrong + counted.wrong;
    END LOOP;
    RETURN CASE WHEN compared > 5 * draws THEN 'many' ELSE compared::text END || ' scores compared, ' || wrong || ' differ';
END
$$;

\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
CREATE FUNCTION check_all() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT coalesce(difference(to_regclass('event_rollup.message_events_rollup')), 'equal to its view')
    UNION ALL SELECT count(*) || ' differences found by verify_projection' FROM freshcrm.verify_projection(to_regclass('event_rollup.message_events_rollup'))
    UNION ALL SELECT compare(20) UNION ALL SELECT compare_scores(8)
$$;
-- Whether the functions read the rollup.
CREATE FUNCTION reads() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(p.proname || ' reads ' || CASE WHEN EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid
               AND d.refobjid = to_regclass('event_rollup.message_events_rollup')) THEN 'the rollup' ELSE 'the events' END, ', ' ORDER BY p.proname)
      FROM pg_proc AS p WHERE p.pronamespace = 'event_rollup'::regnamespace AND p.proname IN ('calculate_lead_event_stats', 'p_score_batch')
$$;
-- How many rows a statement reads of which table or function.
CREATE FUNCTION reads_rows(statement text) RETURNS TABLE (name text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF, COSTS OFF) ' || statement INTO plan;
    RETURN QUERY
        SELECT coalesce(node->>'Relation Name', node->>'Function Name'), sum((node->>'Actual Rows')::bigint)::bigint
          FROM jsonb_path_query(plan, 'strict $.** ? (@."Relation Name" != null || @."Function Name" != null)') AS node
         GROUP BY 1 ORDER BY 1;
END
$$;
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(': ', SQLSTATE, SQLERRM, nullif(detail, ''));
END
$$;
\set ECHO all

-- The packed value: the same in any order, by the aggregate and event by event, serial and parallel.
CREATE AGGREGATE folded(bucket interval, created_at timestamptz, VARIADIC dimensions text[]) (SFUNC = freshcrm.event_rollup_add, STYPE = bytea);
SELECT count(*), count(*) FILTER (WHERE packed IS DISTINCT FROM other OR packed IS DISTINCT FROM shuffled)
  FROM (SELECT freshcrm.event_rollup('6 hours', created_at, direction, channel) AS packed,
               folded('6 hours', created_at, direction, channel) AS other,
               freshcrm.event_rollup('6 hours', created_at, direction, channel ORDER BY md5(id::text)) AS shuffled
          FROM message_events GROUP BY lead_id, user_id) AS p;
CREATE TABLE serial AS SELECT lead_id, freshcrm.event_rollup('6 hours', created_at, direction, channel) AS packed FROM message_events GROUP BY lead_id;
CREATE TABLE all_of_it AS SELECT freshcrm.event_rollup('1 minute', created_at, direction, channel, status) AS packed FROM message_events;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT freshcrm.event_rollup('1 minute', created_at, direction, channel, status) FROM message_events;
SELECT count(*) FILTER (WHERE s.packed IS DISTINCT FROM p.packed) FROM serial AS s
  JOIN (SELECT lead_id, freshcrm.event_rollup('6 hours', created_at, direction, channel) AS packed FROM message_events GROUP BY lead_id) AS p
    ON p.lead_id IS NOT DISTINCT FROM s.lead_id;
SELECT packed = (SELECT freshcrm.event_rollup('1 minute', created_at, direction, channel, status) FROM message_events) FROM all_of_it;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
SELECT freshcrm.event_rollup('1 hour', NULL, NULL, 'x'), freshcrm.event_rollup('1 hour', t, VARIADIC '{}') FROM (VALUES (timestamptz 'epoch')) AS v (t);
SELECT freshcrm.event_rollup('1 hour', created_at, channel) FROM message_events WHERE false;
SELECT freshcrm.event_rollup_add(NULL, '1 hour', 'epoch', 'x') = freshcrm.event_rollup('1 hour', 'epoch', 'x');
-- Buckets are those of UTC, whatever the TimeZone.
SET TimeZone = 'Asia/Kathmandu';
SELECT count(*) FROM serial AS s JOIN (SELECT lead_id, freshcrm.event_rollup('6 hours', created_at, direction, channel) AS packed
  FROM message_events GROUP BY lead_id) AS p USING (lead_id) WHERE s.packed <> p.packed;
SET TimeZone = 'UTC';
SELECT freshcrm.event_rollup_edge('1 day', '2026-06-01 00:00Z'), freshcrm.event_rollup_edge('1 day', '2026-06-01 00:00:00.000001Z'),
       freshcrm.event_rollup_edge('1 hour', '1999-12-31 23:30Z'), freshcrm.event_rollup_edge('1 hour', '-infinity'),
       freshcrm.event_rollup_edge('100000 days', '294276-12-31 23:30Z'), freshcrm.event_rollup_edge('1 hour', NULL);
-- Statistics of a packed value, without edges.
SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', at, channel, way), 2, 1, '2026-06-01 01:30Z', '2026-06-01 02:00Z')
  FROM (VALUES (timestamptz '2026-06-01 01:45Z', 'inbound', 'sms'), ('2026-06-01 02:00Z', 'inbound', 'x'), ('2026-06-01 03:00Z', 'outbound', NULL),
               (NULL, 'outbound', 'pigeon')) AS v (at, way, channel);

-- Bad input.
\set ECHO queries
-- The edges of all leads in one table give what those of each lead give, of few leads and of many.
WITH cutoffs AS MATERIALIZED (SELECT timestamptz '2026-06-01Z' + random() * interval '15 days' AS a, timestamptz '2026-06-16Z' + random() * interval '14 days' AS b, n
                               FROM generate_series(1, 6) AS n),
     edges AS MATERIALIZED (
  SELECT n, m.* FROM cutoffs AS c JOIN message_events AS m ON created_at >= a AND created_at < freshcrm.event_rollup_edge('5 days', a)
                                                   OR created_at >= b AND created_at < freshcrm.event_rollup_edge('5 days', b)),
     packed AS (SELECT lead_id, freshcrm.event_rollup('5 days', created_at, direction, channel) AS events FROM message_events GROUP BY lead_id)
SELECT count(*) > 200 AS many, count(*) FILTER (WHERE
         freshcrm.event_rollup_stats(events, 1, 2, a, b, (SELECT freshcrm.lead_event_stats(direction, channel, created_at, a, b) FROM edges AS e WHERE e.n = c.n AND e.lead_id = p.lead_id))
         IS DISTINCT FROM
         freshcrm.event_rollup_stats(events, 1, 2, a, b, (SELECT freshcrm.event_rollup_edges(lead_id, direction, created_at, a, b) FROM edges AS e WHERE e.n = c.n), lead_id)) AS differ
  FROM cutoffs AS c, packed AS p WHERE lead_id IS NOT NULL;
SELECT octet_length(freshcrm.event_rollup_edges(lead(n), 'inbound', 'infinity', 'epoch', 'epoch')) AS bytes,
       bool_and(octet_length(freshcrm.event_rollup_edges(NULL, 'inbound', 'infinity', 'epoch', 'epoch')) = 512) OVER () AS of_none FROM generate_series(1, 1000) AS n GROUP BY n % 1;
SELECT (freshcrm.event_rollup_stats(events, 1, 2, 'epoch', 'epoch', edges, NULL)).inbound_14d, (freshcrm.event_rollup_stats(events, 1, 2, 'epoch', 'epoch', NULL, lead(1))).inbound_14d,
       freshcrm.event_rollup_stats(NULL, 1, 2, 'epoch', 'epoch', edges, lead(1)) IS NULL
  FROM (SELECT freshcrm.event_rollup('1 hour', now(), 'inbound', 'sms') AS events, freshcrm.event_rollup_edges(lead(1), 'inbound', now(), 'epoch', 'epoch') AS edges) AS e;
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x', 'y'), 1, 2, now(), now(), '\x00', lead(1))$$);
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x', 'y'), 1, 2, now(), now(), '', lead(1))$$);
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x', 'y'), 1, 2, now(), now(), decode(repeat('01', 17 * 32), 'hex'), lead(1))$$);
-- Full of others: a search ends.
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x', 'y'), 1, 2, now(), now(), decode(repeat('01', 16 * 32), 'hex'), lead(1))$$);
SELECT attempt($$SELECT freshcrm.event_rollup_edges(lead(1), 'inbound', now(), now() - n * interval '1 day', now()) FROM generate_series(1, 2) AS n$$);
SELECT attempt($$SELECT freshcrm.event_rollup_edges(lead(1), 'inbound', now(), 'tomorrow', 'today')$$);
SELECT attempt($$SELECT freshcrm.event_rollup('1 month', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup('0', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup('-1 hour', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup('0.5 seconds', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup('200000000 days', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup(NULL, now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup('1 hour', now(), VARIADIC NULL)$$);
SELECT attempt($$SELECT freshcrm.event_rollup('1 hour', now(), VARIADIC array_fill('x'::text, '{17}'))$$);
SELECT attempt($$SELECT freshcrm.event_rollup('1 hour', now(), VARIADIC '{{a,b}}')$$);
SELECT attempt($$SELECT freshcrm.event_rollup(n * interval '1 hour', now(), 'x') FROM generate_series(1, 2) AS n$$);
SELECT attempt($$SELECT freshcrm.event_rollup_add('\x', '1 hour', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup_add('\xffff', '1 hour', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup_add(freshcrm.event_rollup('1 hour', now(), 'x'), '2 hours', now(), 'x')$$);
SELECT attempt($$SELECT freshcrm.event_rollup_add(freshcrm.event_rollup('1 hour', now(), 'x'), '1 hour', now(), 'x', 'y')$$);
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x'), 1, 2, now(), now())$$);
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x'), 0, 1, now(), now())$$);
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x'), NULL, 1, now(), now())$$);
SELECT attempt($$SELECT freshcrm.event_rollup_stats(freshcrm.event_rollup('1 hour', now(), 'x'), 1, 1, 'tomorrow', 'today')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup(NULL, '{user_id}', 'created_at')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', NULL, 'created_at')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{}', 'created_at')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id,nobody}', 'created_at')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id,user_id}', 'created_at')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id,NULL}', 'created_at')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'status')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'created_at', dimensions => '{lead_id}')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'created_at', dimensions => '{channel,channel}')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'created_at', '1 month')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'created_at', NULL)$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'created_at', target => 'leads')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id}', 'created_at', target => repeat('x', 63)::name, mode => 'never')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup('cockpit_leads_live', '{lead_id}', 'last_activity_at', dimensions => '{status}')$$);
SELECT attempt($$SELECT freshcrm.create_event_rollup(0, '{user_id}', 'created_at')$$);
SELECT attempt($$SELECT freshcrm.drop_event_rollup('cockpit_leads_hot')$$);
\set ECHO all

-- Without a rollup.
SELECT reads();
SELECT compare(30);
SELECT compare_scores(10);
-- One row a lead, not one (X22): of all leads of a user, and of all that are named, with events or not.
SELECT count(*), count(DISTINCT lead_id), (SELECT count(DISTINCT lead_id) FROM message_events WHERE user_id = rep(1) AND lead_id IS NOT NULL)
  FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17Z');
SELECT lead_id, total_events, inbound_14d, last_inbound_at, channels
  FROM calculate_lead_event_stats(rep(9), '2026-06-10Z', '2026-06-17Z', ARRAY[lead(3), lead(1), lead(2), lead(1), NULL]);
SELECT count(*) FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17Z', '{}');
SELECT count(*) FROM calculate_lead_event_stats(NULL, '2026-06-10Z', '2026-06-17Z');
SELECT attempt($$SELECT calculate_lead_event_stats(rep(9), '2026-06-17Z', '2026-06-10Z')$$);
SELECT count(*) FROM p_score_batch(ARRAY[lead(1), lead(1), lead(44), lead(99), NULL]);
SELECT count(*) FROM p_score_batch(NULL);

-- With one.
SELECT freshcrm.create_event_rollup('message_events', '{user_id,lead_id}', 'created_at');
SELECT * FROM freshcrm.event_rollup;
SELECT pg_get_viewdef('message_events_rollup_source', true);
SELECT indexdef FROM pg_indexes WHERE tablename = 'message_events_rollup' ORDER BY 1;
SELECT attempt($$SELECT freshcrm.create_event_rollup('message_events', '{user_id,lead_id}', 'created_at')$$);
SELECT reads();
SELECT check_all();
-- In the place of the call there is a plan, which reads the events in edges alone, and none where no bucket is cut.
SELECT * FROM reads_rows($$SELECT * FROM calculate_lead_event_stats(rep(1), '2026-06-10 09:20Z', '2026-06-17 10:30Z')$$);
SELECT count(*) FROM message_events WHERE user_id = rep(1)
   AND (created_at >= '2026-06-10 09:20Z' AND created_at < '2026-06-10 10:00Z' OR created_at >= '2026-06-17 10:30Z' AND created_at < '2026-06-17 11:00Z');
SELECT * FROM reads_rows($$SELECT * FROM calculate_lead_event_stats(rep(1), '2026-06-10 09:00Z', '2026-06-17 10:00Z')$$);
SELECT * FROM reads_rows($$SELECT * FROM p_score_batch(ARRAY[lead(1), lead(2)], '2026-06-20 10:00Z')$$);
SELECT attempt($$SELECT * FROM calculate_lead_event_stats(rep(1), '2026-06-17Z', '2026-06-10Z')$$);
-- Of nobody, by a plan that knows that and not the cutoffs.
SET plan_cache_mode = force_generic_plan;
PREPARE of_nobody (timestamptz, timestamptz, uuid[]) AS SELECT * FROM calculate_lead_event_stats(NULL, $1, $2, $3);
SELECT attempt($$EXECUTE of_nobody ('2026-06-17Z', '2026-06-10Z', ARRAY[lead(1)])$$);
SELECT attempt($$EXECUTE of_nobody ('2026-06-17Z', '2026-06-10Z', NULL)$$);
DEALLOCATE of_nobody;
RESET plan_cache_mode;
SELECT lead_id, total_events, inbound_14d, last_inbound_at, channels
  FROM calculate_lead_event_stats(rep(9), '2026-06-10Z', '2026-06-17Z', ARRAY[lead(3), lead(1), lead(2), lead(1), NULL]);
SELECT count(*) FROM p_score_batch(ARRAY[lead(1), lead(1), lead(44), lead(99), NULL]);
SET force_parallel_mode = on;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT check_all();
RESET force_parallel_mode;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- As a function, where it is not put in the place of the call.
SELECT count(*) FILTER (WHERE p IS DISTINCT FROM f) FROM plain(rep(1), '2026-06-10 10:20Z', '2026-06-17 11:10Z', NULL) AS p
  FULL JOIN (SELECT (calculate_lead_event_stats(rep(1), '2026-06-10 10:20Z', '2026-06-17 11:10Z')).*) AS f USING (lead_id);
SET plan_cache_mode = force_generic_plan;
PREPARE generic(uuid, timestamptz, timestamptz, uuid[]) AS SELECT count(*) FILTER (WHERE p IS DISTINCT FROM f) FROM plain($1, $2, $3, $4) AS p
  FULL JOIN calculate_lead_event_stats($1, $2, $3, $4) AS f USING (lead_id);
EXECUTE generic(rep(1), '2026-06-10 10:20Z', '2026-06-17 11:10Z', NULL);
EXECUTE generic(rep(2), '2026-06-10 10:20Z', '2026-06-10 10:50Z', ARRAY[lead(1), lead(44)]);
RESET plan_cache_mode;

-- New events, late ones, other times, keys and words, fewer.
CALL write_events(300);
SELECT check_all();
UPDATE message_events SET created_at = created_at + interval '3 hours' WHERE lead_id <= lead(5);
UPDATE message_events SET created_at = some_time() WHERE lead_id = lead(6);
UPDATE message_events SET direction = pick('inbound', 'outbound', NULL), channel = pick('sms', 'email', 'owl') WHERE lead_id = lead(7);
UPDATE message_events SET lead_id = lead(8), user_id = rep(2) WHERE lead_id = lead(9);
UPDATE message_events SET lead_id = NULL WHERE lead_id = lead(10) AND user_id = rep(1);
SELECT check_all();
DELETE FROM message_events WHERE lead_id = lead(11) OR lead_id > lead(30) AND random() < 0.5;
DELETE FROM message_events WHERE lead_id = lead(12) AND created_at = (SELECT max(created_at) FROM message_events WHERE lead_id = lead(12));
DELETE FROM leads WHERE id = lead(13);
SELECT check_all();
BEGIN;
CALL write_events(50);
SELECT compare(10);
ROLLBACK;
SELECT check_all();
BEGIN;
TRUNCATE message_events;
SELECT count(*) FROM message_events_rollup;
SELECT count(*) FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17Z');
ROLLBACK;
SELECT check_all();

-- Mode commit: exact for what is committed, and after flush().
SELECT freshcrm.alter_projection('message_events_rollup', mode => 'commit') \g /dev/null
BEGIN;
CALL write_events(100);
DELETE FROM message_events WHERE lead_id = lead(14);
SELECT freshcrm.flush() \g /dev/null
SELECT compare(10);
COMMIT;
CALL write_events(100);
SELECT check_all();
-- Mode async: when what is queued has been followed.
SELECT freshcrm.alter_projection('message_events_rollup', mode => 'async') \g /dev/null
CALL write_events(100);
UPDATE message_events SET channel = 'sms' WHERE lead_id = lead(15);
DELETE FROM message_events WHERE lead_id = lead(16);
SELECT freshcrm.wait_for('message_events_rollup', '60 seconds');
SELECT check_all();
SELECT freshcrm.alter_projection('message_events_rollup', mode => 'immediate') \g /dev/null

-- Who reads the events reads the rollup; who does not, does not.
CREATE ROLE event_rollup_reader;
CREATE ROLE event_rollup_stranger;
GRANT USAGE ON SCHEMA event_rollup TO event_rollup_reader, event_rollup_stranger;
SELECT freshcrm.drop_event_rollup('message_events_rollup');
SELECT to_regclass('message_events_rollup'), to_regclass('message_events_rollup_source'), (SELECT count(*) FROM freshcrm.event_rollup);
SELECT reads();
SELECT compare(10);
GRANT SELECT ON message_events TO event_rollup_reader;
SELECT freshcrm.create_event_rollup('message_events', '{lead_id,user_id}', 'created_at', '1 day', '{status,channel,direction}');
SELECT reads();
SELECT check_all();
SET ROLE event_rollup_reader;
SELECT count(*) > 0 FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17 00:10Z');
SELECT attempt($$SELECT * FROM p_score_batch(ARRAY[lead(1)])$$);
SELECT attempt($$SELECT freshcrm.drop_event_rollup('message_events_rollup')$$);
SET ROLE event_rollup_stranger;
SELECT attempt($$SELECT * FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17 00:10Z')$$);
RESET ROLE;
-- Row-level security hides events, of which a rollup knows nothing: so it is not read.
CREATE POLICY own ON message_events USING (user_id = rep(2));
ALTER TABLE message_events ENABLE ROW LEVEL SECURITY;
SELECT count(*) > 0 FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17Z');
SET ROLE event_rollup_reader;
SELECT attempt($$SELECT * FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17Z')$$);
RESET ROLE;
SELECT freshcrm.follow_event_rollups('message_events');
SELECT reads();
SET ROLE event_rollup_reader;
SELECT count(*) FROM calculate_lead_event_stats(rep(1), '2026-06-10Z', '2026-06-17Z');
SELECT count(*) > 0 FROM calculate_lead_event_stats(rep(2), '2026-06-10Z', '2026-06-17Z');
RESET ROLE;
SELECT freshcrm.drop_event_rollup('message_events_rollup');
SELECT freshcrm.create_event_rollup('message_events', '{user_id,lead_id}', 'created_at');
SELECT reads();
SELECT has_table_privilege('event_rollup_reader', 'message_events_rollup', 'SELECT');
ALTER TABLE message_events DISABLE ROW LEVEL SECURITY;
SELECT freshcrm.follow_event_rollups('message_events');
SELECT reads();
-- A rollup that lacks a word or another key is none for these functions.
SELECT freshcrm.drop_event_rollup('message_events_rollup');
SELECT freshcrm.create_event_rollup('message_events', '{lead_id}', 'created_at', dimensions => '{}');
SELECT reads();
SELECT * FROM freshcrm.verify_projection('message_events_rollup');
SELECT freshcrm.drop_event_rollup('message_events_rollup');

-- Partitions, enums, domains and names that want quotes.
CREATE TYPE "Way" AS ENUM ('inbound', 'outbound');
CREATE DOMAIN instant AS timestamptz;
CREATE TABLE "All events" ("User" uuid, lead uuid, way "Way", "the channel" varchar(20), at instant) PARTITION BY RANGE (at);
CREATE TABLE early PARTITION OF "All events" FOR VALUES FROM (MINVALUE) TO ('2026-06-15Z');
CREATE TABLE late PARTITION OF "All events" DEFAULT;
INSERT INTO "All events" SELECT user_id, lead_id, lower(direction)::"Way", channel, created_at FROM message_events
 WHERE direction IN ('inbound', 'outbound', 'Inbound');
SELECT freshcrm.create_event_rollup('"All events"', '{User,lead}', 'at', '1 hour', '{way,the channel}', 'Their rollup');
SELECT pg_get_viewdef('"Their rollup_source"', true);
SELECT count(*) > 0 FROM "Their rollup";
UPDATE "All events" SET at = at + interval '10 days' WHERE lead <= lead(5);
INSERT INTO early SELECT * FROM "All events" WHERE at < '2026-06-02Z';
DELETE FROM late WHERE lead = lead(20);
SELECT difference('"Their rollup"');
TRUNCATE early;
SELECT difference('"Their rollup"');
-- What drops the table drops the definition.
DROP TABLE "All events" CASCADE;
SELECT * FROM freshcrm.event_rollup;

-- A role that is no superuser, with rights on the functions and these two tables.
CREATE ROLE event_rollup_owner;
CREATE SCHEMA event_rollup_own AUTHORIZATION event_rollup_owner;
GRANT USAGE ON SCHEMA event_rollup TO event_rollup_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO event_rollup_owner;
GRANT SELECT, INSERT, DELETE ON freshcrm.crm_installation TO event_rollup_owner;
SET ROLE event_rollup_owner;
CREATE TABLE event_rollup_own.events (user_id uuid, lead_id uuid, direction text, channel text, created_at timestamptz);
SELECT attempt($$SELECT freshcrm.create_event_rollup('event_rollup_own.events', '{user_id,lead_id}', 'created_at')$$);
RESET ROLE;
GRANT SELECT, INSERT, DELETE ON freshcrm.event_rollup TO event_rollup_owner;
SET ROLE event_rollup_owner;
SELECT freshcrm.create_event_rollup('event_rollup_own.events', '{user_id,lead_id}', 'created_at');
INSERT INTO event_rollup_own.events VALUES (rep(1), lead(1), 'inbound', 'sms', '2026-06-01Z');
SELECT (freshcrm.event_rollup_stats(events, 1, 2, NULL, NULL)).total_events FROM event_rollup_own.events_rollup;
SELECT freshcrm.drop_event_rollup('event_rollup_own.events_rollup');
RESET ROLE;

\set ECHO none
SET client_min_messages = warning;
SELECT freshcrm.uninstall_crm('event_rollup') \g /dev/null
DROP SCHEMA event_rollup, event_rollup_own CASCADE;
DROP OWNED BY event_rollup_owner;
DROP ROLE event_rollup_reader, event_rollup_stranger, event_rollup_owner;
