-- check_match(): If-Match on a row of a projection. (Two editors: test/isolation/specs/check_match.spec.)
SET client_min_messages = warning;
CREATE SCHEMA matching;
SET search_path = matching, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, status text);
CREATE INDEX ON leads (customer_id);
INSERT INTO customers VALUES (1, 'Acme'), (2, 'Byte');
INSERT INTO leads VALUES (1, 1, 'new'), (2, 2, 'new');
CREATE VIEW live AS SELECT l.id, l.status, c.name FROM leads l JOIN customers c ON c.id = l.customer_id;
SELECT freshcrm.create_projection('live', '{id}');
-- What an error says, and how.
CREATE FUNCTION failure(statement text) RETURNS TABLE (state text, message text, detail jsonb, hint text) LANGUAGE plpgsql AS $$
DECLARE
    detail_text text;
BEGIN
    EXECUTE statement;
    state := 'none';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail_text = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := CASE WHEN detail_text LIKE '{%' THEN detail_text::jsonb ELSE to_jsonb(nullif(detail_text, '')) END;
    RETURN NEXT;
END $$;
CREATE FUNCTION tag(wanted integer) RETURNS text LANGUAGE sql AS 'SELECT format(''"%s"'', version_etag) FROM live_hot WHERE id = wanted';

-- In the statement that writes.
\set updated 'WITH u AS (UPDATE leads SET status = :''status'' WHERE id = 1 AND freshcrm.check_match(''live_hot'', 1, :''if_match'') IS NOT NULL RETURNING 1) SELECT count(*) FROM u'
SELECT tag(1) AS if_match \gset
\set status won
:updated;
-- The tag is that of before by now.
\set VERBOSITY sqlstate
\set status lost
:updated;
\set VERBOSITY default
SELECT status FROM leads WHERE id = 1;
-- A customer's name is in the row: who has read it before must read it again.
SELECT tag(1) AS if_match \gset
UPDATE customers SET name = 'Acme Ltd' WHERE id = 1;
SELECT state, message, detail -> 'headers' ->> 'ETag' = tag(1) AS current_tag, detail - 'headers' AS detail, hint
    FROM failure(format('SELECT freshcrm.check_match(%L, 1, %L)', 'live_hot', :'if_match'));
-- As PostgREST reads it.
SET freshcrm.http_dialect = postgrest;
SELECT state, jsonb_pretty(message::jsonb) AS message, jsonb_pretty(detail #- '{headers,ETag}') AS detail FROM failure($$SELECT freshcrm.check_match('live_hot', 1, '"x"')$$);
SELECT state, message::jsonb ->> 'details' AS details, detail FROM failure($$SELECT freshcrm.check_match('live_hot', 9, '*')$$);
RESET freshcrm.http_dialect;
-- So it does in a request of it, without being told to.
BEGIN;
SET LOCAL request.method = 'PATCH';
SELECT state FROM failure($$SELECT freshcrm.check_match('live_hot', 1, '"x"')$$);
SET LOCAL freshcrm.http_dialect = plain;
SELECT state FROM failure($$SELECT freshcrm.check_match('live_hot', 1, '"x"')$$);
ROLLBACK;

-- What is compared.
SELECT if_match, state FROM (VALUES ('*'), (tag(1)), ('"x", ' || tag(1)), ('W/' || tag(1)), ('"x"'), (''), (trim(tag(1), '"')), ('"'), (NULL)) AS v (if_match),
    failure(format('SELECT freshcrm.check_match(%L, 1, %L)', 'live_hot', if_match)) WHERE if_match IS NULL OR length(if_match) < 40 OR state IN ('none', 'FC412')
    ORDER BY state, length(if_match);
SELECT freshcrm.check_match('live_hot', 1, tag(1)) = version_etag AS same FROM live_hot WHERE id = 1;
-- Without If-Match there is no condition: the row is locked all the same.
SELECT freshcrm.check_match('live_hot', 9, NULL) IS NULL AS no_row, freshcrm.check_match('live_hot', NULL::integer, NULL) IS NULL AS no_key;
SELECT state, detail FROM failure($$SELECT freshcrm.check_match('live_hot', NULL::integer, '*')$$);

-- Keys: of their type, or what can be read as that.
SELECT freshcrm.check_match('live_hot', '1', '*') = freshcrm.check_match('live_hot', 1::bigint, '*') AS text,
    freshcrm.check_match('live_hot', '{"id": 1}'::jsonb, '*') = freshcrm.check_match('live_hot', '1'::text, '*') AS object;
SELECT freshcrm.check_match('live_hot', 'one', '*');
SELECT freshcrm.check_match('live_hot', 1.5, '*');
SELECT freshcrm.check_match('live_hot', '{"no": 1}'::jsonb, '*');
SELECT freshcrm.check_match('live_hot', '{"id": [1]}'::jsonb, '*');
SELECT freshcrm.check_match('live_hot', ROW(1), '*');
CREATE VIEW pairs AS SELECT l.id AS lead, c.id AS customer, c.name FROM leads l JOIN customers c ON c.id = l.customer_id;
SELECT freshcrm.create_projection('pairs', '{lead,customer}');
SELECT freshcrm.check_match('pairs_hot', ROW(1, 1), '*') = version_etag AS of_columns, freshcrm.check_match('pairs_hot', ROW('1', 1::bigint), '*') = version_etag AS others,
    freshcrm.check_match('pairs_hot', '{"customer": 1, "lead": "1"}'::jsonb, '*') = version_etag AS object,
    freshcrm.check_match('pairs_hot', ROW(1, NULL), NULL) IS NULL AS with_null, freshcrm.check_match('pairs_hot', '{"customer": null, "lead": 1}'::jsonb, NULL) IS NULL AS object_with_null
    FROM pairs_hot WHERE lead = 1;
SELECT freshcrm.check_match('pairs_hot', 1, '*');
SELECT freshcrm.check_match('pairs_hot', ROW(1), '*');
SELECT freshcrm.check_match('pairs_hot', ROW(1, 1.5), '*');
SELECT freshcrm.check_match('pairs_hot', '{"lead": 1}'::jsonb, '*');
SELECT freshcrm.check_match('leads', 1, '*');
SELECT freshcrm.check_match(NULL, 1, '*');
-- The key and the projection, as the engine locks them.
BEGIN;
SELECT freshcrm.check_match('live_hot', 1, '*') IS NOT NULL AS locked;
SELECT mode, count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 'live_hot'::regclass AND pid = pg_backend_pid() GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- What the transaction itself has written counts, in every mode.
BEGIN;
UPDATE leads SET status = 'mine' WHERE id = 1;
SELECT freshcrm.check_match('live_hot', 1, NULL) = freshcrm.etag(1, 'mine'::text, 'Acme Ltd'::text) AS immediate;
ROLLBACK;
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
BEGIN;
UPDATE leads SET status = 'mine' WHERE id = 1;
SELECT freshcrm.check_match('live_hot', 1, NULL) = freshcrm.etag(1, 'mine'::text, 'Acme Ltd'::text) AS commit;
ROLLBACK;
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
BEGIN;
UPDATE leads SET status = 'mine' WHERE id = 1;
SELECT freshcrm.check_match('live_hot', 1, NULL) = freshcrm.etag(1, 'mine'::text, 'Acme Ltd'::text) AS async;
ROLLBACK;
BEGIN READ ONLY;
SELECT freshcrm.check_match('live_hot', 1, NULL);
ROLLBACK;
-- Of others that may be behind nothing certain can be made.
CREATE VIEW above AS SELECT id, upper(name) AS name FROM live_hot;
SELECT freshcrm.create_projection('above', '{id}');
SELECT freshcrm.check_match('above_hot', 1, '*');
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate');
SELECT freshcrm.check_match('above_hot', 1, '*') IS NOT NULL AS known;
SELECT freshcrm.drop_projection('above_hot');
-- Nor of a row that could not be followed: the view's error is told.
CREATE VIEW ratio AS SELECT id, 1 / (status <> 'broken')::integer AS one FROM leads;
SELECT freshcrm.create_projection('ratio', '{id}', on_error => 'stale');
SET client_min_messages = error;
UPDATE leads SET status = 'broken' WHERE id = 2;
SET client_min_messages = warning;
SELECT freshcrm.check_match('ratio_hot', 2, '*');
SELECT freshcrm.check_match('ratio_hot', 1, '*') IS NOT NULL AS known;
SELECT freshcrm.drop_projection('ratio_hot');

-- It needs SELECT on the projection, of the columns that are read, and nothing else.
CREATE ROLE matching_editor;
GRANT USAGE ON SCHEMA matching TO matching_editor;
SET ROLE matching_editor;
SELECT freshcrm.check_match('live_hot', 1, '*');
RESET ROLE;
GRANT SELECT (id) ON live_hot TO matching_editor;
SET ROLE matching_editor;
SELECT freshcrm.check_match('live_hot', 1, '*');
RESET ROLE;
GRANT SELECT (version_etag) ON live_hot TO matching_editor;
SET ROLE matching_editor;
SELECT freshcrm.check_match('live_hot', 1, '*') IS NOT NULL AS allowed;
RESET ROLE;
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
SET ROLE matching_editor;
SELECT freshcrm.check_match('live_hot', 1, '*') IS NOT NULL AS allowed;
RESET ROLE;
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate');
-- A row that policies hide is none.
CREATE POLICY own ON live_hot USING (id = 2);
ALTER TABLE live_hot ENABLE ROW LEVEL SECURITY;
SET ROLE matching_editor;
SELECT freshcrm.check_match('live_hot', 1, NULL) IS NULL AS hidden, freshcrm.check_match('live_hot', 2, '*') IS NOT NULL AS shown;
RESET ROLE;
ALTER TABLE live_hot DISABLE ROW LEVEL SECURITY;
DROP OWNED BY matching_editor;
DROP ROLE matching_editor;
SET client_min_messages = error;
DROP SCHEMA matching CASCADE;
