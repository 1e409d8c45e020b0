-- The materialized views of the CRM pack: what they hold, that they can be refreshed beside readers, and over which
-- mappings they are made.
BEGIN;
SELECT plan(69);
SET client_min_messages = error;
SET TimeZone = 'Pacific/Kiritimati';  -- 14 hours before UTC: days of the session are not those of the views

CREATE FUNCTION pg_temp.lead(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('10000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.rep(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('a0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.template(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('70000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.matviews(schema name) RETURNS name[] LANGUAGE sql AS $$
  SELECT coalesce(array_agg(matviewname ORDER BY matviewname), '{}') FROM pg_matviews WHERE schemaname = schema
$$;

SELECT freshcrm.create_crm_tables('pack');
SET search_path = pack, public;
INSERT INTO customers (id, name) VALUES ('c0000000-0000-0000-0000-000000000001', 'Acme');
INSERT INTO leads (id, customer_id, owner_user_id, status)
SELECT pg_temp.lead(n), 'c0000000-0000-0000-0000-000000000001', pg_temp.rep(1 + n % 3), 'new' FROM generate_series(1, 40) AS n;
INSERT INTO leads (id, owner_user_id) VALUES (pg_temp.lead(99), pg_temp.rep(1));  -- no customer: not in the cockpit
INSERT INTO message_templates (id, name) SELECT pg_temp.template(n), 'Template ' || n FROM generate_series(1, 4) AS n;
-- Times of one another and at the edges of the windows, words in any case, of unknown meaning and of no lead.
INSERT INTO message_events (user_id, lead_id, direction, channel, template_id, created_at)
SELECT pg_temp.rep(n % 5), CASE WHEN n % 17 > 0 THEN pg_temp.lead(1 + n % 37) END,
       (ARRAY['inbound', 'outbound', 'Outbound', 'INBOUND', 'sideways'])[1 + n % 5],
       (ARRAY['email', 'phone', 'EMail', 'pigeon'])[1 + n % 4],
       CASE WHEN n % 3 > 0 THEN pg_temp.template(1 + n % 3) END,
       now() - make_interval(hours => (n * 7 % 61) * 12)
  FROM generate_series(1, 2000) AS n;
INSERT INTO web_tracking_events (lead_id, "timestamp")
SELECT pg_temp.lead(1 + n % 20), now() - make_interval(hours => n * 12) FROM generate_series(1, 100) AS n;
INSERT INTO social_engagement_events (lead_id, engagement_type, created_at)
SELECT pg_temp.lead(1 + n % 11), 'like', now() - make_interval(hours => n * 12) FROM generate_series(1, 100) AS n;
INSERT INTO rlhf_feedback_sessions (user_id, lead_id, accepted, rating, created_at)
SELECT pg_temp.rep(n % 3), pg_temp.lead(1 + n % 5), CASE n % 4 WHEN 0 THEN true WHEN 1 THEN false END,
       nullif(n % 6, 0), '2026-03-01 00:00Z'::timestamptz + make_interval(hours => n)
  FROM generate_series(0, 200) AS n;

SELECT lives_ok($$SELECT freshcrm.install_crm('pack')$$, 'installs over the reference tables');
SELECT is(pg_temp.matviews('pack'), '{mv_hot_leads,mv_rlhf_sessions_daily,mv_template_performance}'::name[]);
SELECT has_function('pack', 'calculate_lead_event_stats', ARRAY['uuid', 'timestamptz', 'timestamptz', 'uuid[]']);
SELECT has_function('pack', 'p_score_batch', ARRAY['uuid[]', 'timestamptz', 'jsonb']);
SELECT is(substring(pg_get_indexdef(i.indexrelid) FROM 'INDEX .*'), definition, definition)
  FROM (VALUES
    ('mv_hot_leads', true, 'INDEX mv_hot_leads_lead ON pack.mv_hot_leads USING btree (lead_id)'),
    ('mv_hot_leads', false, 'INDEX mv_hot_leads_user_score ON pack.mv_hot_leads USING btree (user_id, p_score DESC, lead_id)'),
    ('mv_rlhf_sessions_daily', true, 'INDEX mv_rlhf_sessions_daily_day_user ON pack.mv_rlhf_sessions_daily USING btree (day, user_id)'),
    ('mv_template_performance', true, 'INDEX mv_template_performance_template ON pack.mv_template_performance USING btree (template_id)')
  ) AS wanted (matview, is_unique, definition)
  LEFT JOIN pg_index AS i ON i.indrelid = matview::regclass AND i.indisunique = is_unique;
SELECT isnt(obj_description(format('pack.%I', m)::regclass), NULL, m || ' has a comment') FROM unnest(pg_temp.matviews('pack')) AS m;

-- mv_hot_leads equals plain SQL over the same instant (the transaction's now()).
SELECT columns_are('pack', 'mv_hot_leads', ARRAY['user_id', 'lead_id', 'p_score', 'customer_name', 'status', 'total_events',
  'inbound_14d', 'outbound_14d', 'inbound_7d', 'outbound_7d', 'channels', 'web_events_14d', 'social_events_14d',
  'last_inbound_at', 'last_outbound_at', 'last_activity_at', 'last_event_at', 'factors', 'refreshed_at']);
CREATE VIEW plain_events AS
SELECT lead_id, count(*) AS total,
       count(*) FILTER (WHERE lower(direction) = 'inbound' AND created_at >= now() - interval '336 hours') AS in_14,
       count(*) FILTER (WHERE lower(direction) = 'outbound' AND created_at >= now() - interval '336 hours') AS out_14,
       count(*) FILTER (WHERE lower(direction) = 'inbound' AND created_at >= now() - interval '168 hours') AS in_7,
       count(*) FILTER (WHERE lower(direction) = 'outbound' AND created_at >= now() - interval '168 hours') AS out_7,
       count(DISTINCT CASE WHEN lower(channel) IN ('email', 'phone') THEN lower(channel) ELSE 'other' END)::int AS channels,
       max(created_at) FILTER (WHERE lower(direction) = 'inbound') AS last_in,
       max(created_at) FILTER (WHERE lower(direction) = 'outbound') AS last_out
  FROM message_events GROUP BY lead_id;
CREATE VIEW plain_hot_leads AS
SELECT l.owner_user_id, l.id, coalesce(e.total, 0) AS total, coalesce(in_14, 0) AS in_14, coalesce(out_14, 0) AS out_14,
       coalesce(in_7, 0) AS in_7, coalesce(out_7, 0) AS out_7, coalesce(channels, 0) AS channels, last_in, last_out,
       (SELECT count(*) FROM web_tracking_events AS w WHERE w.lead_id = l.id AND w."timestamp" >= now() - interval '336 hours') AS web,
       (SELECT count(*) FROM social_engagement_events AS s WHERE s.lead_id = l.id AND s.created_at >= now() - interval '336 hours') AS social,
       greatest(last_in, last_out, (SELECT max(w."timestamp") FROM web_tracking_events AS w WHERE w.lead_id = l.id),
                (SELECT max(s.created_at) FROM social_engagement_events AS s WHERE s.lead_id = l.id)) AS last_event
  FROM leads AS l LEFT JOIN plain_events AS e ON e.lead_id = l.id WHERE l.customer_id IS NOT NULL;
PREPARE hot AS SELECT user_id, lead_id, total_events, inbound_14d, outbound_14d, inbound_7d, outbound_7d, channels,
  last_inbound_at, last_outbound_at, web_events_14d, social_events_14d, last_event_at FROM mv_hot_leads;
SELECT set_eq('hot', 'TABLE plain_hot_leads', 'mv_hot_leads has the statistics of plain SQL');
SELECT is(count(*), 40::bigint, 'a row a lead of the cockpit, those without events too') FROM mv_hot_leads;
SELECT ok(count(*) FILTER (WHERE inbound_14d > inbound_7d AND inbound_7d > 0 AND total_events > inbound_14d) > 5
          AND count(*) FILTER (WHERE total_events = 0) >= 3 AND count(DISTINCT channels) > 1, 'and the data try all of them') FROM mv_hot_leads;
SELECT set_eq('SELECT lead_id, p_score, factors FROM mv_hot_leads',
  $$SELECT b.lead_id, b.p_score, b.factors FROM pack.p_score_batch(ARRAY(SELECT lead_id FROM mv_hot_leads), now()) AS b$$,
  'the score is that of p_score_batch');
SELECT ok(count(DISTINCT p_score) > 3 AND min(p_score) >= 0 AND max(p_score) <= 100, 'scores differ, from 0 to 100') FROM mv_hot_leads;
SELECT is(min(refreshed_at), now(), 'refreshed_at is the time of the refresh') FROM mv_hot_leads;

-- mv_rlhf_sessions_daily
SELECT set_eq('SELECT day, user_id, sessions, accepted, rejected, ratings, average_rating, leads FROM mv_rlhf_sessions_daily',
  $$SELECT date(created_at AT TIME ZONE 'UTC'), user_id, count(*) AS n, sum((accepted IS TRUE)::int) AS yes,
           sum((accepted IS FALSE)::int) AS no, count(rating) AS ratings, avg(rating), count(DISTINCT lead_id) AS leads
      FROM rlhf_feedback_sessions GROUP BY 1, 2$$,
  'mv_rlhf_sessions_daily equals plain SQL');
SELECT is(ARRAY[min(day), max(day)], '{2026-03-01,2026-03-09}'::date[], 'days are those of UTC') FROM mv_rlhf_sessions_daily;
SELECT is(sum(sessions), 201::numeric) FROM mv_rlhf_sessions_daily;

-- mv_template_performance: a reply is the next message of the lead.
TRUNCATE message_events;
INSERT INTO message_events (user_id, lead_id, direction, template_id, created_at)
SELECT pg_temp.rep(1), pg_temp.lead(lead), direction, pg_temp.template(template), '2026-04-01 00:00Z'::timestamptz + hour * interval '1 hour'
  FROM (VALUES
    (1, 'outbound', 1, 0), (1, 'inbound', NULL, 2), (1, 'inbound', NULL, 3),   -- answered after 2 hours
    (2, 'outbound', 1, 0), (2, 'OUTBOUND', 2, 1), (2, 'inbound', NULL, 5),     -- the second was answered, after 4
    (3, 'inbound', NULL, 0), (3, 'outbound', 1, 1),                            -- not yet
    (4, 'outbound', 1, 0), (4, 'bounced', NULL, 1), (4, 'inbound', NULL, 6),   -- what is neither does not count
    (5, 'outbound', 3, 0), (5, 'inbound', NULL, 0),                            -- at once
    (6, 'inbound', 3, 0),                                                      -- not sent by us
    (NULL, 'outbound', 3, 0), (NULL, 'inbound', NULL, 1)                       -- of no lead
  ) AS e (lead, direction, template, hour);
REFRESH MATERIALIZED VIEW CONCURRENTLY mv_template_performance;
SELECT results_eq('SELECT right(template_id::text, 1), name, channel, sent, leads, replied, reply_rate, median_reply_time, last_sent_at
                     FROM mv_template_performance ORDER BY template_id', $$VALUES
  ('1', 'Template 1', 'email', 4::bigint, 4::bigint, 2::bigint, 0.5000, interval '4 hours', timestamptz '2026-04-01 01:00Z'),
  ('2', 'Template 2', 'email', 1, 1, 1, 1.0000, interval '4 hours', timestamptz '2026-04-01 01:00Z'),
  ('3', 'Template 3', 'email', 1, 1, 1, 1.0000, interval '0', timestamptz '2026-04-01 00:00Z'),
  ('4', 'Template 4', 'email', 0, 0, 0, NULL, NULL, NULL)$$, 'mv_template_performance');

-- REFRESH … CONCURRENTLY finds what has changed, in each (X19).
UPDATE leads SET status = 'won' WHERE id = pg_temp.lead(1);
DELETE FROM leads WHERE id = pg_temp.lead(40);
INSERT INTO rlhf_feedback_sessions (user_id, created_at) VALUES (pg_temp.rep(7), '2026-05-01 23:59:59Z'), (pg_temp.rep(7), '2026-05-02 00:00Z');
DELETE FROM message_templates WHERE id = pg_temp.template(4);
SELECT lives_ok(format('REFRESH MATERIALIZED VIEW CONCURRENTLY %I', m), m || ' is refreshed beside readers') FROM unnest(pg_temp.matviews('pack')) AS m;
SELECT is(status, 'won') FROM mv_hot_leads WHERE lead_id = pg_temp.lead(1);
SELECT is(count(*), 39::bigint) FROM mv_hot_leads;
SELECT results_eq('SELECT day, sessions FROM mv_rlhf_sessions_daily WHERE user_id = pg_temp.rep(7) ORDER BY 1',
  $$VALUES (date '2026-05-01', 1::bigint), (date '2026-05-02', 1)$$, 'a day ends at midnight of UTC');
SELECT is(count(*), 3::bigint) FROM mv_template_performance;

-- EXPLAIN of a call of p_score_batch or of the statistics names no table where they are not inlined; explain_rpc does (X23).
CREATE FUNCTION pg_temp.plan(function text, VARIADIC arguments text[]) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(line, E'\n') FROM freshcrm.explain_rpc(function, VARIADIC arguments) AS e (line)
$$;
SELECT matches(pg_temp.plan('pack.calculate_lead_event_stats', pg_temp.rep(1)::text, '2026-01-01Z', '2026-01-08Z'),
  '^Function: calculate_lead_event_stats.*Inlined: true.*message_events', 'the plan inside calculate_lead_event_stats, its last argument left out');
SELECT matches(pg_temp.plan('p_score_batch', ARRAY[pg_temp.lead(1)]::text), 'message_events', 'the plan inside p_score_batch');

-- Nobody but the owner may read them.
CREATE ROLE freshcrm_test_reader;
SELECT ok(NOT has_table_privilege('freshcrm_test_reader', format('pack.%I', m), 'SELECT'), m || ' is granted to nobody')
  FROM unnest(pg_temp.matviews('pack')) AS m;

-- Uninstalling
CREATE VIEW of_mine AS SELECT lead_id FROM mv_hot_leads;
SELECT throws_ok($$SELECT freshcrm.uninstall_crm('pack')$$, '2BP01');
DROP VIEW of_mine;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('pack')$$);
SELECT is(pg_temp.matviews('pack'), '{}');
SELECT hasnt_function('pack', 'calculate_lead_event_stats');
SELECT hasnt_function('pack', 'p_score_batch');
SELECT is(count(*), 16::bigint, 'the data stay') FROM message_events;
SELECT lives_ok($$SELECT freshcrm.install_crm('pack')$$, 'and can be installed again');
DROP MATERIALIZED VIEW mv_hot_leads, mv_rlhf_sessions_daily CASCADE;  -- and the functions that refresh them
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('pack')$$, 'though some were gone');
SELECT is(pg_temp.matviews('pack'), '{}');
CREATE TABLE mv_template_performance (mine int);
SELECT throws_ok($$SELECT freshcrm.install_crm('pack')$$, '42P07', 'relation "mv_template_performance" already exists');
SELECT is(pg_temp.matviews('pack'), '{}', 'nothing is half made');
DROP TABLE mv_template_performance;

-- What was there before is not taken away.
CREATE MATERIALIZED VIEW mv_hot_leads AS SELECT 1 AS mine;
CREATE FUNCTION p_score_batch(uuid[], timestamptz, jsonb) RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT freshcrm.install_crm('pack', '{"message_events": null}');
SELECT freshcrm.uninstall_crm('pack');
SELECT has_materialized_view('pack', 'mv_hot_leads', 'a materialized view of the user stays');
SELECT has_function('pack', 'p_score_batch', ARRAY['uuid[]', 'timestamptz', 'jsonb'], 'and so does a function');
DROP MATERIALIZED VIEW mv_hot_leads;
DROP FUNCTION p_score_batch;

-- What is not there, or mapped to null, has no objects.
SELECT lives_ok(format('SELECT freshcrm.install_crm(%L, %L)', 'pack', mapping), mapping)
    || E'\n' || is(pg_temp.matviews('pack'), made, 'makes ' || made::text)
    || E'\n' || is(to_regprocedure('pack.p_score_batch(uuid[], timestamptz, jsonb)') IS NULL, mapping ~ '"message_events": null', 'and the functions over message_events')
    || E'\n' || lives_ok($$SELECT freshcrm.uninstall_crm('pack')$$)
  FROM (VALUES
    ('{"message_events": null}', '{mv_rlhf_sessions_daily}'::name[]),
    ('{"message_templates": null, "rlhf_feedback_sessions": null, "web_tracking_events": null, "social_engagement_events": null}', '{mv_hot_leads}'),
    ('{"message_events": {"columns": {"template_id": null, "status": null}}, "rlhf_feedback_sessions": {"columns": {"rating": null, "accepted": null, "lead_id": null}}}',
     '{mv_hot_leads,mv_rlhf_sessions_daily}')
  ) AS m (mapping, made);

-- Over tables of other names and types.
SET search_path = public;
CREATE SCHEMA sales;
CREATE SCHEMA cockpit;
CREATE TYPE sales.way AS ENUM ('INBOUND', 'OUTBOUND');
CREATE DOMAIN sales.uid AS uuid;
CREATE TABLE sales."message {log}" (rep sales.uid, lead sales.uid, way sales.way, medium char(12), "at {time}" timestamptz(3), template bigint);
CREATE TABLE sales.snippet (no int PRIMARY KEY, title varchar(40));
CREATE TABLE sales.verdict (rep uuid, "when" timestamptz, stars float8);
SELECT lives_ok($$SELECT freshcrm.install_crm('cockpit', '{
  "customers": {"table": "pack.customers"}, "leads": {"table": "pack.leads"}, "lead_ownership": {"table": "pack.lead_ownership"},
  "activities": {"table": "pack.activities"}, "sample_request": {"table": "pack.sample_request"},
  "message_events": {"table": "sales.\"message {log}\"", "columns": {"user_id": "rep", "lead_id": "lead", "direction": "way",
     "channel": "medium", "created_at": "at {time}", "template_id": "template"}},
  "message_templates": {"table": "sales.snippet", "columns": {"id": "no", "name": "title"}},
  "rlhf_feedback_sessions": {"table": "sales.verdict", "columns": {"user_id": "rep", "created_at": "when", "rating": "stars"}}}')$$,
  'installs over mapped tables');
INSERT INTO sales.snippet VALUES (1, 'Hi');
INSERT INTO sales."message {log}" VALUES
  (pg_temp.rep(1), pg_temp.lead(2), 'OUTBOUND', 'email', now() - interval '2 hours', 1),
  (pg_temp.rep(1), pg_temp.lead(2), 'INBOUND', 'email', now() - interval '1 hour', NULL);
INSERT INTO sales.verdict VALUES (pg_temp.rep(1), '2026-01-01 00:30Z', 4), (pg_temp.rep(1), '2026-01-01 23:30Z', 5), (NULL, now(), 1);
REFRESH MATERIALIZED VIEW CONCURRENTLY cockpit.mv_hot_leads;
REFRESH MATERIALIZED VIEW CONCURRENTLY cockpit.mv_template_performance;
REFRESH MATERIALIZED VIEW CONCURRENTLY cockpit.mv_rlhf_sessions_daily;
SELECT results_eq('SELECT total_events, inbound_7d, outbound_7d, channels, web_events_14d FROM cockpit.mv_hot_leads WHERE total_events > 0',
  $$VALUES (2::bigint, 1::bigint, 1::bigint, 1, 0::bigint)$$);
SELECT results_eq('SELECT template_id, name, channel, sent, replied, median_reply_time FROM cockpit.mv_template_performance',
  $$VALUES (1, 'Hi', NULL::text, 1::bigint, 1::bigint, interval '1 hour')$$);
SELECT results_eq('SELECT day, sessions, accepted, average_rating FROM cockpit.mv_rlhf_sessions_daily',
  $$VALUES (date '2026-01-01', 2::bigint, 0::bigint, 4.5)$$);
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('cockpit')$$);

-- What is wrong with a mapping
SELECT throws_ok(format('SELECT freshcrm.install_crm(%L, %L)', 'pack', mapping), code, message, message)
  FROM (VALUES
    ('{"message_event": {}}', '22023', 'unknown mapping key "message_event"'),
    ('{"message_events": {"table": "pack.messages"}}', '42P01', 'mapping key "message_events": table pack.messages does not exist'),
    ('{"message_events": {"columns": {"user_id": "owner"}}}', '42703', 'mapping key "message_events.user_id": table pack.message_events has no column owner'),
    ('{"message_events": {"columns": {"created_at": "status"}}}', '42804',
     'mapping key "message_events.created_at": column status of pack.message_events is of type text'),
    ('{"message_templates": {"table": "sales.snippet", "columns": {"id": "no", "name": "title"}}}', '42804',
     'mapping keys "message_events.template_id" and "message_templates.id": uuid cannot be compared with integer')
  ) AS wrong (mapping, code, message);

SELECT * FROM finish();
ROLLBACK;
