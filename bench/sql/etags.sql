-- Leads, and the ways to give a row a tag.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION freshcrm;
CREATE EXTENSION pgcrypto;
CREATE SCHEMA bench;
CREATE TABLE bench.lead (id uuid, customer_id uuid, customer_name text, owner_user_id uuid, status text, last_activity_at timestamptz,
    sample_state text, roi_potential numeric(14,2), created_at timestamptz, is_open bool, score int);
INSERT INTO bench.lead
SELECT md5('lead' || n)::uuid, md5('customer' || n % 50000)::uuid, 'Customer ' || n % 50000, md5('owner' || n % 1000)::uuid, 'qualified',
       timestamptz '2026-01-01Z' - n * interval '1 minute', 'sent', n % 100000 * 1.25, timestamptz '2025-01-01Z' + n * interval '1 second',
       n % 3 = 0, n % 100
  FROM generate_series(1, :rows) AS n;
VACUUM (ANALYZE, FREEZE) bench.lead;

\set columns 'id, customer_id, customer_name, owner_user_id, status, last_activity_at, sample_state, roi_potential, created_at, is_open, score'
CREATE TABLE bench.ways (place serial, way text PRIMARY KEY, expression text);
INSERT INTO bench.ways (way, expression) VALUES
  ('scan', 'count(*)'),
  ('columns', 'count(score)'),
  ('row', 'count(l)'),
  ('etag', 'count(freshcrm.etag(' || :'columns' || '))'),
  ('row_etag', 'count(freshcrm.row_etag(l))'),
  ('pgcrypto', $$count(encode(digest(concat_ws('|', $$ || :'columns' || $$), 'sha256'), 'hex'))$$),
  ('sha256', $$count(encode(sha256(convert_to(concat_ws('|', $$ || :'columns' || $$), 'UTF8')), 'hex'))$$),
  ('concat_ws', $$count(concat_ws('|', $$ || :'columns' || $$))$$),
  ('etag_agg', 'freshcrm.etag_agg(l)'),
  ('etag_set', 'freshcrm.etag_set(l)');

-- The bytes of that text, and of the canonical form: 5 a row, 13 a column, its type's name and its value.
CREATE TABLE bench.sizes (place serial, what text, bytes int);
INSERT INTO bench.sizes (what, bytes)
SELECT 'text', round(avg(length(concat_ws('|', l.*)))) FROM bench.lead AS l
UNION ALL
SELECT 'form', round(5 + 11 * 13 + 3 * (4 + 16) + 3 * 4 + avg(length(customer_name || status || sample_state)) + 2 * (11 + 8)
                     + 7 + avg(length(numeric_send(roi_potential))) + 4 + 1 + 4 + 4) FROM bench.lead;

-- The server's own time for the whole table.
CREATE FUNCTION bench.ns_a_row(way text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  statement text := (SELECT format('SELECT %s FROM bench.lead AS l', expression) FROM bench.ways AS w WHERE w.way = ns_a_row.way);
  rows int8 := (SELECT count(*) FROM bench.lead);
  started timestamptz;
BEGIN
  EXECUTE statement;
  started := clock_timestamp();
  EXECUTE statement;
  RETURN extract(epoch FROM clock_timestamp() - started) * 1e9 / rows;
END
$$;
CREATE TABLE bench.raw (repetition int, way text, ns float8);
