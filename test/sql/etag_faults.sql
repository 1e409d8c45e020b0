-- The faults of the source's tags (requirements, X04, X05 and X38): its formula beside freshcrm's tags. What else
-- changes a tag of the hot table, and what must not, is in crm_faults.
\set ECHO none
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SELECT freshcrm.create_crm_tables('etag_faults') \g /dev/null
SET search_path = etag_faults;
\pset format unaligned
\pset tuples_only on
\set one '\'10000000-0000-0000-0000-000000000001\'::uuid'
\set two '\'10000000-0000-0000-0000-000000000002\'::uuid'
INSERT INTO customers (id, name) SELECT ('c0000000-0000-0000-0000-00000000000' || n)::uuid, 'Customer ' || n FROM generate_series(1, 2) AS n;
INSERT INTO leads (id, customer_id, owner_user_id, status)
SELECT ('10000000-0000-0000-0000-00000000000' || n)::uuid, ('c0000000-0000-0000-0000-00000000000' || n)::uuid,
       'a0000000-0000-0000-0000-000000000001', 'new' FROM generate_series(1, 2) AS n;
SELECT freshcrm.install_crm('etag_faults') \g /dev/null

-- The source's formula.
CREATE FUNCTION source_tag(lead uuid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT encode(sha256(convert_to(id::text || updated_at::text, 'UTF8')), 'hex') FROM leads WHERE id = lead
$$;
CREATE FUNCTION hot_tag(lead uuid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT version_etag FROM cockpit_leads_hot WHERE lead_id = lead
$$;
CREATE TABLE before (lead uuid, source text, hot text);
CREATE PROCEDURE remember() LANGUAGE sql AS $$
  TRUNCATE before;
  INSERT INTO before SELECT id, source_tag(id), hot_tag(id) FROM leads;
$$;
CREATE FUNCTION changed() RETURNS SETOF text LANGUAGE sql STABLE AS $$
  SELECT format('lead %s: source %s, hot %s', right(lead::text, 1), CASE WHEN source = source_tag(lead) THEN 'same' ELSE 'new' END,
                CASE WHEN hot = hot_tag(lead) THEN 'same' ELSE 'new' END) FROM before ORDER BY lead
$$;
\set ECHO all

-- X04: a renamed customer is another lead in the cockpit; the source's tag is a false "not modified"
CALL remember();
UPDATE customers SET name = 'Renamed' WHERE name = 'Customer 1';
SELECT changed();
CALL remember();
UPDATE customers SET name = 'Customer 1' WHERE name = 'Renamed';
SELECT changed();
-- and back again is what a client may still hold
SELECT count(DISTINCT hot_tag(:one)) FROM generate_series(1, 2);

-- X05: two sessions, one row: the source's tags differ
CALL remember();
SET TimeZone = 'Europe/Berlin'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = 0; SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape';
SELECT changed();
SELECT freshcrm.row_etag(l) = (SELECT freshcrm.row_etag(m) FROM leads AS m WHERE id = :one) FROM leads AS l WHERE id = :one;
SELECT freshcrm.etag(updated_at) AS berlin FROM leads WHERE id = :one \gset
RESET TimeZone; RESET DateStyle; RESET extra_float_digits; RESET IntervalStyle; RESET bytea_output;
SET TimeZone = 'UTC';
SELECT freshcrm.etag(updated_at) = :'berlin' FROM leads WHERE id = :one;

-- X38: two updates of one transaction share now(), and with it the source's tag
BEGIN;
UPDATE leads SET status = 'first', updated_at = now() WHERE id = :two;
CALL remember();
UPDATE leads SET status = 'second', updated_at = now() WHERE id = :two;
SELECT changed();
COMMIT;
SELECT changed();
SELECT count(*) FROM freshcrm.verify_projection('cockpit_leads_hot');

\set ECHO none
DROP SCHEMA etag_faults CASCADE;
