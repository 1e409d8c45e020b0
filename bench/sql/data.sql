-- The CRM that every variant gets a copy of: the pack's reference tables, message events, skewed as in life, and the
-- pack installed over them. psql script; variables: leads, customers, activities, events, owners, fours (customers
-- with four leads), copy_rows, copy_file, layout.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
-- Rows are right by construction; foreign keys need not look at each.
SET session_replication_role = replica;
SET max_parallel_workers_per_gather = 0;

CREATE EXTENSION freshcrm;
CREATE EXTENSION pg_prewarm;
CREATE SCHEMA bench;

-- From a number to the key of a row, the same in every run and in no order.
CREATE FUNCTION bench.lead(n int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('lead ' || n::text)::uuid;
CREATE FUNCTION bench.customer(n int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('customer ' || n::text)::uuid;
CREATE FUNCTION bench.owner(n int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('owner ' || n::text)::uuid;

SELECT setseed(0.5) \g /dev/null
SELECT freshcrm.create_crm_tables('crm') \g /dev/null

INSERT INTO crm.customers (id, name, description, created_at)
SELECT bench.customer(n), 'Customer ' || n, 'A customer with the number ' || n, now() - random() * interval '5 years'
  FROM generate_series(1, :customers) AS n;

-- Customer 1 has 900 leads, the next :fours have four each, the others the rest: few have many, many have few, and two
-- in a hundred of these leads have no customer yet. Few owners have many leads, too. A customer's leads come
-- at any time: the order mixes them.
INSERT INTO crm.leads (id, customer_id, owner_user_id, status, email, p_score, roi_potential, created_at)
SELECT bench.lead(n),
       CASE WHEN n <= 900 THEN bench.customer(1)
            WHEN n <= 900 + 4 * :fours THEN bench.customer(2 + (n - 901) / 4)
            WHEN random() < 0.98
            THEN bench.customer(:fours + 2 + floor((:customers - :fours - 1) * power(random(), 2))::int) END,
       bench.owner(1 + floor(:owners * power(random(), 2))::int),
       (ARRAY['new', 'open', 'qualified', 'proposal', 'won', 'lost'])[1 + floor(6 * power(random(), 2))::int],
       'lead' || n || '@example.org', round(random()::numeric * 100, 2), round(power(random(), 3)::numeric * 100000, 2),
       now() - random() * interval '2 years'
  FROM generate_series(1, :leads) AS n ORDER BY n::bigint * 7919 % :leads, n;

-- Of some leads another user has taken over from the first owner.
INSERT INTO crm.lead_ownership (lead_id, user_id, created_at)
SELECT bench.lead(n), bench.owner(1 + floor(:owners * power(random(), 2))::int), now() - random() * interval '1 year'
  FROM generate_series(1, :leads) AS n WHERE random() < 0.25 ORDER BY n::bigint * 7919 % :leads, n;

INSERT INTO crm.sample_request (lead_id, status, latest, created_at)
SELECT bench.lead(n), (ARRAY['requested', 'sent', 'approved', 'returned'])[1 + floor(4 * random())::int], k = 1,
       now() - random() * interval '1 year'
  FROM generate_series(1, :leads) AS n, generate_series(1, 2) AS k WHERE random() < 0.2
 ORDER BY n::bigint * 7919 % :leads, n;

-- A lead by its rank in activity: the most active hundredth has a fifth of all.
CREATE FUNCTION bench.some_lead() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bench.lead((1 + floor(:leads * power(random(), 3))::bigint * 7919 % :leads)::int);
END;

INSERT INTO crm.activities (lead_id, kind, created_at, deleted_at)
SELECT bench.some_lead(), (ARRAY['note', 'call', 'mail', 'visit'])[1 + n % 4], at,
       CASE WHEN random() < 0.01 THEN at + interval '1 hour' END
  FROM generate_series(1, :activities) AS n,
       LATERAL (SELECT now() - interval '2 years' * (1 - n / :activities::float8) - interval '1 minute') AS t (at);

-- The view does not read them: they are the writes that a CRM has most of, and that do not concern it. With fewer
-- indexes than the reference table has, for they are many.
DROP TABLE crm.message_events;
CREATE TABLE crm.message_events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    uuid NOT NULL,
    lead_id    uuid NOT NULL REFERENCES crm.leads ON DELETE CASCADE,
    direction  text NOT NULL,
    channel    text NOT NULL,
    status     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO crm.message_events (user_id, lead_id, direction, channel, status, created_at)
SELECT bench.owner(1 + floor(:owners * power(random(), 2))::int), bench.some_lead(),
       CASE WHEN random() < 0.6 THEN 'outbound' ELSE 'inbound' END,
       (ARRAY['email', 'sms', 'whatsapp'])[1 + floor(3 * power(random(), 2))::int],
       (ARRAY['delivered', 'read', 'replied', 'failed'])[1 + floor(4 * power(random(), 2))::int],
       now() - interval '2 years' * (1 - n / :events::float8)
  FROM generate_series(1, :events) AS n;
CREATE INDEX idx_message_events_lead ON crm.message_events (lead_id, created_at);
-- What the page read from the base tables starts from (crm.lead_ownership has an index of the same use).
CREATE INDEX idx_leads_owner ON crm.leads (owner_user_id);

-- What workload copy loads, and the leads that it touches, ready for the floor.
CREATE TEMPORARY TABLE copy_rows AS SELECT bench.some_lead() AS lead_id FROM generate_series(1, :copy_rows);
SELECT format('COPY (SELECT lead_id, %L FROM copy_rows) TO %L', 'import', :'copy_file') \gexec
CREATE TABLE bench.copied AS SELECT DISTINCT lead_id FROM copy_rows;
ALTER TABLE bench.copied ADD PRIMARY KEY (lead_id);

RESET session_replication_role;
VACUUM ANALYZE;

SELECT freshcrm.install_crm('crm', '{"message_events": null}') \g /dev/null
SELECT :'layout' = 'page' AS for_pages \gset
\if :for_pages
-- The first page of an owner is one short scan of this index; the price is that a new latest activity is no HOT update.
DROP INDEX crm.cockpit_leads_hot_owner;
CREATE INDEX cockpit_leads_hot_page ON crm.cockpit_leads_hot (owner_user_id, last_activity_at DESC NULLS LAST);
\endif
VACUUM ANALYZE crm.cockpit_leads_hot;
