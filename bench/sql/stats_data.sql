-- Messages, in the order in which they come: one user's, all of the last 14 days, among those of others. psql script;
-- variables: messages, leads, mine and my_leads (the user's).
\set ON_ERROR_STOP on
SET client_min_messages = warning;
-- Rows are right by construction; foreign keys need not look at each.
SET session_replication_role = replica;

CREATE EXTENSION freshcrm;
CREATE SCHEMA bench;
CREATE FUNCTION bench.lead(n int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('lead ' || n::text)::uuid;
CREATE FUNCTION bench.owner(n int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('owner ' || n::text)::uuid;

SELECT setseed(0.5) \g /dev/null
SELECT freshcrm.create_crm_tables('crm') \g /dev/null
INSERT INTO crm.leads (id, owner_user_id, status, created_at)
SELECT bench.lead(n), bench.owner(CASE WHEN n <= :my_leads THEN 1 ELSE 2 + n % 1000 END),
       (ARRAY['new', 'open', 'qualified', 'proposal', 'won', 'lost'])[1 + floor(6 * power(random(), 2))::int], now() - random() * interval '2 years'
  FROM generate_series(1, :leads) AS n;

-- Indexes are made afterwards, which is faster.
CREATE TEMPORARY TABLE definitions AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index WHERE indrelid = 'crm.message_events'::regclass AND NOT indisprimary;
SELECT 'DROP INDEX ' || name FROM definitions \gexec
-- A user's leads are written to in bursts, and some much more than others.
INSERT INTO crm.message_events (user_id, lead_id, direction, channel, status, created_at)
SELECT bench.owner(owner), bench.lead(lead), CASE WHEN random() < 0.6 THEN 'outbound' ELSE 'inbound' END,
       (ARRAY['email', 'sms', 'whatsapp', 'phone'])[1 + floor(4 * power(random(), 2))::int],
       (ARRAY['delivered', 'read', 'replied', 'failed'])[1 + floor(4 * power(random(), 2))::int], at
  FROM (SELECT 1, 1 + floor(:my_leads * power(random(), 1.5))::int, now() - random() * interval '14 days'
          FROM generate_series(1, :mine)
        UNION ALL
        SELECT 2 + lead % 1000, lead, now() - random() * interval '2 years'
          FROM generate_series(:mine + 1, :messages) AS n,
               LATERAL (SELECT (:my_leads + 1 + floor((:leads - :my_leads) * power(random() + 0 * n, 1.5)))::int) AS l (lead)) AS e (owner, lead, at)
 ORDER BY at;
SELECT definition FROM definitions \gexec
RESET session_replication_role;
VACUUM (ANALYZE, FREEZE) crm.message_events;
VACUUM (ANALYZE, FREEZE) crm.leads;
SELECT freshcrm.install_crm('crm') \g /dev/null

-- What is asked for: the cutoffs are inside a bucket of the rollup, as those of a click are.
CREATE TABLE bench.question AS
SELECT bench.owner(1) AS owner, now() AS at, max(created_at) - interval '14 days' + interval '31 minutes' AS cutoff_14d,
       max(created_at) - interval '7 days' + interval '17 minutes' AS cutoff_7d,
       ARRAY(SELECT bench.lead(1 + n * (:my_leads / 100)) FROM generate_series(0, 99) AS n) AS leads
  FROM crm.message_events;
