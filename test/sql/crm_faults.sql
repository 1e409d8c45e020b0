-- The faults of the source's own hot table (requirements, X01 to X09, X12, X13, X15), each shown as
-- working. X12's two-session part is an isolation spec.
\set ECHO none
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SELECT freshcrm.create_crm_tables('crm_faults') \g /dev/null
SET search_path = crm_faults;
\pset format unaligned
\pset tuples_only on

-- Ids that can be read: the kind, then a number.
CREATE FUNCTION customer(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('c0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION lead(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('10000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION rep(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('a0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;

INSERT INTO customers (id, name) SELECT customer(n), 'Customer ' || n FROM generate_series(1, 3) AS n;
INSERT INTO leads (id, customer_id, owner_user_id, status, roi_potential)
SELECT lead(n), customer(1 + n % 3), rep(1 + n % 2), 'new', n * 100 FROM generate_series(1, 9) AS n;
INSERT INTO activities (lead_id, created_at) SELECT lead(n), '2026-01-01Z'::timestamptz + n * interval '1 day'
  FROM generate_series(1, 9, 2) AS n;
INSERT INTO sample_request (lead_id, status) SELECT lead(n), 'sent' FROM generate_series(1, 9, 3) AS n;
SELECT freshcrm.install_crm('crm_faults') \g /dev/null

\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
CREATE FUNCTION compare() RETURNS text LANGUAGE sql AS $$
  SELECT format('%s leads in the cockpit: %s', count(*), coalesce(difference('cockpit_leads_hot'), 'equal to the view'))
    FROM cockpit_leads_hot
$$;
-- Which leads have another tag than when remember() was called.
CREATE TABLE remembered (lead_id uuid PRIMARY KEY, place tid, version_etag text, updated_at timestamptz);
CREATE PROCEDURE remember() LANGUAGE sql AS $$
  TRUNCATE remembered;
  INSERT INTO remembered SELECT lead_id, ctid, version_etag, updated_at FROM cockpit_leads_hot;
$$;
CREATE FUNCTION changed() RETURNS text LANGUAGE sql AS $$
  SELECT 'tags changed: ' || coalesce(string_agg(right(lead_id::text, 2), ' ' ORDER BY lead_id), 'none')
    FROM cockpit_leads_hot AS h FULL JOIN remembered AS r USING (lead_id)
   WHERE h.version_etag IS DISTINCT FROM r.version_etag
$$;
\set ECHO all

SELECT compare();

-- X01: no digest() of pgcrypto is needed; a tag is SHA-256 in hex
SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto';
SELECT count(*) FROM cockpit_leads_hot WHERE version_etag ~ '^[0-9a-f]{64}$';
SELECT count(DISTINCT version_etag) FROM cockpit_leads_hot;
SELECT freshcrm.sha256_hex('abc');

-- X02: the triggers find the changed rows themselves; EXECUTE FUNCTION recompute(NEW.id) cannot be written
INSERT INTO leads (id, customer_id, owner_user_id) VALUES (lead(10), customer(1), rep(1)), (lead(11), customer(2), rep(2));
SELECT compare();

-- X03: recompute_cockpit_lead_hot(uuid) is callable, and the triggers call a function that RETURNS trigger
SELECT recompute_cockpit_lead_hot(lead(1));
SELECT tgname, pg_get_function_result(tgfoid) FROM pg_trigger
 WHERE tgname IN ('trg_lead_hot', 'trg_activity_hot') ORDER BY 1;

-- X04: whatever the cockpit shows changes the tag, and no other tag
CALL remember(); UPDATE customers SET name = 'Customer One' WHERE id = customer(1);
SELECT changed();
CALL remember(); UPDATE leads SET owner_user_id = rep(3) WHERE id = lead(2);
SELECT changed();
CALL remember(); INSERT INTO lead_ownership (lead_id, user_id) VALUES (lead(3), rep(4));
SELECT changed();
CALL remember(); UPDATE sample_request SET status = 'delivered' WHERE lead_id = lead(4);
SELECT changed();
CALL remember(); INSERT INTO activities (lead_id, created_at) VALUES (lead(5), '2026-02-01Z');
SELECT changed();
CALL remember(); UPDATE leads SET email = 'not@in.the.cockpit', updated_at = '2026-02-02Z';
SELECT changed();
SELECT compare();

-- X05: the settings of a session do not change a tag
CALL remember();
SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'German, DMY'; SET extra_float_digits = -3; SET IntervalStyle = 'iso_8601';
SELECT inserted, updated, deleted, unchanged
  FROM freshcrm.recompute('cockpit_leads_hot', ARRAY(SELECT id FROM leads));
DELETE FROM leads WHERE id = lead(5);
INSERT INTO leads (id, customer_id, owner_user_id, status, roi_potential) VALUES (lead(5), customer(3), rep(2), 'new', 500);
INSERT INTO activities (lead_id, created_at) VALUES (lead(5), '2026-02-01 05:30:00+05:30');
SELECT changed();
RESET IntervalStyle; RESET extra_float_digits; SET DateStyle = 'ISO'; SET TimeZone = 'UTC';

-- X06: the hot table holds any number that the lead holds
UPDATE leads SET roi_potential = 10000 WHERE id = lead(1);
UPDATE leads SET roi_potential = 999999999999.99 WHERE id = lead(2);
UPDATE leads SET roi_potential = -999999999999.99 WHERE id = lead(3);
SELECT compare();

-- X07: two owners or two samples marked latest: the newest counts, the smallest among equals
INSERT INTO lead_ownership (lead_id, user_id, created_at) VALUES
  (lead(6), rep(8), '2026-01-02Z'), (lead(6), rep(7), '2026-01-02Z'), (lead(6), rep(1), '2026-01-01Z');
INSERT INTO sample_request (lead_id, status, created_at) VALUES
  (lead(6), 'tested', '2026-01-02Z'), (lead(6), 'sent', '2026-01-02Z'), (lead(6), 'asked', '2026-01-01Z');
SELECT owner_user_id = rep(7), sample_state FROM cockpit_leads_hot WHERE lead_id = lead(6);
SELECT compare();

-- (a key that could repeat is warned of)
CREATE SCHEMA unkeyed;
CREATE TABLE unkeyed.customers AS TABLE customers;
CREATE TABLE unkeyed.leads AS TABLE leads;
CREATE TABLE unkeyed.activities AS TABLE activities;
SELECT freshcrm.install_crm('unkeyed', '{"sample_request": null}');
DROP SCHEMA unkeyed CASCADE;

-- X08: a row goes when its lead, its owner or its customer does
DELETE FROM leads WHERE id = lead(11);
SELECT compare();
UPDATE leads SET owner_user_id = NULL WHERE id IN (lead(6), lead(7));
SELECT compare();
DELETE FROM lead_ownership WHERE lead_id = lead(6);
SELECT compare();
DELETE FROM customers WHERE id = customer(2);
SELECT compare();
BEGIN; TRUNCATE activities, sample_request; SELECT compare();
SELECT count(*) FROM cockpit_leads_hot WHERE last_activity_at IS NOT NULL OR sample_state IS NOT NULL;
ROLLBACK;
SELECT compare();
BEGIN; TRUNCATE customers CASCADE; SELECT compare(); ROLLBACK;
SELECT compare();

-- X09: a change counts whoever makes it: a BEFORE trigger, a column that the source forgot
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := '2026-03-01Z';
  NEW.status := 'touched';
  RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION touch();
CALL remember(); UPDATE leads SET email = 'x@example.com' WHERE id = lead(2);
SELECT changed();
DROP TRIGGER touch ON leads;
CALL remember(); UPDATE leads SET roi_potential = 1 WHERE id = lead(3);
SELECT changed();
SELECT compare();

-- X12: changes from several sides, in one statement and in one transaction, all arrive
WITH won AS (UPDATE leads SET status = 'won' WHERE id = lead(2) RETURNING id),
     noted AS (INSERT INTO activities (lead_id, created_at) SELECT id, '2026-04-01Z' FROM won),
     renamed AS (UPDATE customers SET name = 'Customer Three' WHERE id = customer(3))
INSERT INTO sample_request (lead_id, status) SELECT id, 'tested' FROM won;
SELECT compare();
SELECT customer_name, status, last_activity_at, sample_state FROM cockpit_leads_hot WHERE lead_id = lead(2);
BEGIN;
UPDATE leads SET status = 'lost' WHERE id = lead(2);
SAVEPOINT s;
INSERT INTO activities (lead_id, created_at) VALUES (lead(2), '2026-05-01Z');
UPDATE customers SET name = 'Undone' WHERE id = customer(3);
ROLLBACK TO s;
INSERT INTO activities (lead_id, created_at) VALUES (lead(2), '2026-06-01Z');
COMMIT;
SELECT compare();
SELECT customer_name, status, last_activity_at, sample_state FROM cockpit_leads_hot WHERE lead_id = lead(2);

-- X13: what is right is not written again
CALL remember();
BEGIN;
SELECT n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_xact_user_tables
 WHERE relid = 'cockpit_leads_hot'::regclass \gset
SELECT count(*) FROM (SELECT recompute_cockpit_lead_hot(id) FROM leads, generate_series(1, 100) OFFSET 0) AS recomputed;
UPDATE customers SET name = name;
UPDATE leads SET status = status, updated_at = now();
UPDATE activities SET deleted_at = deleted_at;
SELECT n_tup_ins + n_tup_upd + n_tup_del - :written FROM pg_stat_xact_user_tables
 WHERE relid = 'cockpit_leads_hot'::regclass;
COMMIT;
-- (it would have been counted)
BEGIN;
SELECT n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_xact_user_tables
 WHERE relid = 'cockpit_leads_hot'::regclass \gset
UPDATE leads SET status = 'other' WHERE id IN (lead(2), lead(3));
SELECT n_tup_ins + n_tup_upd + n_tup_del - :written FROM pg_stat_xact_user_tables
 WHERE relid = 'cockpit_leads_hot'::regclass;
ROLLBACK;
SELECT count(*) FROM cockpit_leads_hot AS h JOIN remembered AS r USING (lead_id)
 WHERE (h.ctid, h.version_etag, h.updated_at) IS DISTINCT FROM (r.place, r.version_etag, r.updated_at);

-- X15: an activity in the bin does not count, and counts again when taken out; a moved one counts where it is
UPDATE activities SET deleted_at = now() WHERE created_at = '2026-06-01Z';
SELECT last_activity_at FROM cockpit_leads_hot WHERE lead_id = lead(2);
UPDATE activities SET deleted_at = NULL WHERE created_at = '2026-06-01Z';
SELECT last_activity_at FROM cockpit_leads_hot WHERE lead_id = lead(2);
UPDATE activities SET lead_id = lead(3) WHERE created_at = '2026-06-01Z';
SELECT right(lead_id::text, 2), last_activity_at FROM cockpit_leads_hot WHERE lead_id IN (lead(2), lead(3)) ORDER BY 1;
SELECT compare();

SELECT count(*) FROM freshcrm.verify_projection('cockpit_leads_hot');
\set ECHO none
SELECT freshcrm.uninstall_crm('crm_faults') \g /dev/null
DROP SCHEMA crm_faults CASCADE;
