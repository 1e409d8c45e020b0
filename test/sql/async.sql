-- Mode async: kept after the transaction by a background worker.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA async;
SET search_path = async, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, status text);
CREATE INDEX ON leads (customer_id);
CREATE VIEW live AS SELECT l.id, l.status, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
CREATE VIEW counts AS SELECT customer_id, count(*) AS leads FROM leads WHERE customer_id IS NOT NULL GROUP BY customer_id;
INSERT INTO customers VALUES (1, 'Acme'), (2, 'Byte');
INSERT INTO leads VALUES (1, 1, 'new'), (2, 2, 'new');
SELECT freshcrm.create_projection('live', '{id}', mode => 'async');
SELECT freshcrm.create_projection('counts', '{customer_id}', mode => 'async');
-- One of mode async over one, one that is immediate over one, and one over both.
CREATE VIEW names AS SELECT name, count(*) AS leads FROM live_hot WHERE name IS NOT NULL GROUP BY name;
SELECT freshcrm.create_projection('names', '{name}', mode => 'async');
CREATE VIEW statuses AS SELECT status, count(*) AS leads FROM live_hot WHERE status IS NOT NULL GROUP BY status;
SELECT freshcrm.create_projection('statuses', '{status}');
CREATE VIEW totals AS SELECT 1 AS id, (SELECT sum(leads) FROM names_hot) AS named, (SELECT sum(leads) FROM statuses_hot) AS leads;
SELECT freshcrm.create_projection('totals', '{id}', mode => 'async', options => '{"full": ["async.names_hot", "async.statuses_hot"]}');
SELECT projection, mode, on_error, state, pending, lag FROM freshcrm.projections ORDER BY 1;
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws('; ', difference('live_hot'), difference('counts_hot'),
    difference('names_hot'), difference('statuses_hot'), difference('totals_hot')) $$;
-- All that totals is made of, and counts.
CREATE FUNCTION wait() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN concat_ws(' ', freshcrm.wait_for('async.totals_hot', '1 minute'), freshcrm.wait_for('async.counts_hot', '1 minute'));
END $$;

-- Within the transaction the table is as it was.
BEGIN;
INSERT INTO leads VALUES (3, 1, 'new');
UPDATE customers SET name = 'Acme 2' WHERE id = 1;
SELECT freshcrm.flush();
SELECT id, status, name FROM live_hot ORDER BY id;
SELECT freshcrm.wait_for('live_hot', '1 minute');
ROLLBACK;
SELECT wait();
SELECT state();
BEGIN;
INSERT INTO leads VALUES (3, 1, 'new');
UPDATE customers SET name = 'Acme 2' WHERE id = 1;
COMMIT;
SELECT wait();
SELECT id, status, name FROM live_hot ORDER BY id;
SELECT state();
SELECT * FROM totals_hot \gset
SELECT :named, :leads;
-- Every way to write.
INSERT INTO leads SELECT g, g % 3, 'bulk' FROM generate_series(10, 3009) AS g;
UPDATE leads SET id = -id, customer_id = 2 WHERE id % 7 = 0;
DELETE FROM leads WHERE id % 11 = 0;
UPDATE customers SET id = id + 10, name = name || ' moved';
INSERT INTO customers VALUES (1, 'Again') ON CONFLICT (id) DO UPDATE SET name = 'never';
MERGE INTO customers AS c USING (VALUES (2), (11)) AS v (id) ON c.id = v.id
WHEN MATCHED THEN UPDATE SET name = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'inserted');
SELECT wait();
SELECT state();
TRUNCATE customers;
SELECT wait();
SELECT state();
-- Rolled back in part.
BEGIN;
INSERT INTO customers VALUES (1, 'kept');
SAVEPOINT a;
INSERT INTO customers VALUES (2, 'rolled back');
UPDATE leads SET status = 'rolled back';
ROLLBACK TO a;
DO $$
BEGIN
    UPDATE async.leads SET status = 'caught' WHERE id = 1;
    PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
    UPDATE async.leads SET status = 'after' WHERE id = 1;
END $$;
COMMIT;
SELECT wait();
SELECT state();
SELECT status FROM live_hot WHERE id = 1;

-- Starts of many types.
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN code AS text CHECK (value <> '');
CREATE TYPE pair AS (a integer, b text);
CREATE TABLE parents (n numeric, t text, u uuid, d timestamptz, m mood, c code, p pair, b bytea, r int4range, f float8, tags text[],
    label text);
CREATE TABLE children (id bigint PRIMARY KEY, n numeric, t text, u uuid, d timestamptz, m mood, c code, p pair, b bytea, r int4range,
    f float8, tag text);
CREATE VIEW family AS SELECT k.id, q.label, (SELECT max(o.label) FROM parents o WHERE k.tag = ANY (o.tags)) AS tagged
FROM children k LEFT JOIN parents q ON q.n = k.n AND q.t = k.t AND q.u = k.u AND q.d = k.d AND q.m = k.m AND q.c = k.c AND q.p = k.p
    AND q.b = k.b AND q.r = k.r AND q.f = k.f;
CREATE VIEW labels AS SELECT n, t, u, d, m, c, p, b, r, f, string_agg(label, ',' ORDER BY label) AS labels FROM parents
    WHERE n IS NOT NULL GROUP BY n, t, u, d, m, c, p, b, r, f;
CREATE VIEW days AS SELECT (d AT TIME ZONE 'UTC')::date AS day, count(*) AS children FROM children WHERE d IS NOT NULL
    GROUP BY (d AT TIME ZONE 'UTC')::date;
SELECT freshcrm.create_projection('family', '{id}', mode => 'async', options => '{"full": []}');
SELECT freshcrm.create_projection('labels', '{n,t,u,d,m,c,p,b,r,f}', mode => 'async');
SELECT freshcrm.create_projection('days', '{day}', mode => 'async');
CREATE FUNCTION family_state() RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws('; ', difference('family_hot'), difference('labels_hot'), difference('days_hot')) $$;
CREATE FUNCTION wait_family() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', freshcrm.wait_for('async.family_hot', '1 minute'),
    freshcrm.wait_for('async.labels_hot', '1 minute'), freshcrm.wait_for('async.days_hot', '1 minute')) $$;
INSERT INTO children SELECT g, g / 3, repeat('long text ', g * 10), md5(g::text)::uuid, '2026-11-24 12:00+01'::timestamptz + g * interval '1 hour',
    (ARRAY['sad', 'glad'])[1 + g % 2]::mood, 'c' || g, ROW (g, 'x')::pair, decode(md5(g::text), 'hex'), int4range(g, g + 5), g / 7.0, 'tag' || g % 4
FROM generate_series(1, 20) AS g;
INSERT INTO parents SELECT n, t, u, d, m, c, p, b, r, f, ARRAY[tag, NULL, 'other'], 'parent of ' || id FROM children;
SELECT wait_family();
SELECT family_state();
SELECT count(*) FROM family_hot WHERE label IS NOT NULL AND tagged IS NOT NULL;
UPDATE parents SET label = label || '!';
UPDATE parents SET n = n + 0.50 WHERE m = 'sad';
UPDATE parents SET tags = '{tag1}' WHERE m = 'glad';
UPDATE children SET n = n + 0.5, tag = NULL WHERE m = 'sad';
DELETE FROM children WHERE id > 15;
SELECT wait_family();
SELECT family_state();
SELECT count(*) FROM family_hot WHERE label IS NOT NULL;

-- A user's mapping query gets the changed rows when they are followed.
CREATE TABLE prices (product text, valid int4range, price numeric, filler text GENERATED ALWAYS AS (product || '!') STORED);
CREATE TABLE sales (id integer PRIMARY KEY, product text, day integer);
CREATE VIEW sold AS SELECT s.id, (SELECT max(p.price) FROM prices p WHERE p.product = s.product AND p.valid @> s.day) AS price FROM sales s;
SELECT freshcrm.create_projection('sold', '{id}', mode => 'async', options =>
    '{"mapping": {"async.prices": "SELECT s.id FROM changed c JOIN async.sales s ON s.product = c.product AND c.valid @> s.day"}}');
INSERT INTO sales SELECT g, 'p' || g % 5, g FROM generate_series(1, 50) AS g;
INSERT INTO prices SELECT 'p' || g % 5, int4range(g * 5, g * 5 + 20), g FROM generate_series(0, 12) AS g;
SELECT freshcrm.wait_for('sold_hot', '1 minute'), difference('sold_hot');
UPDATE prices SET price = price * 2, valid = int4range(lower(valid) + 3, upper(valid) + 3) WHERE product <> 'p1';
DELETE FROM prices WHERE product = 'p2';
SELECT freshcrm.wait_for('sold_hot', '1 minute'), difference('sold_hot');
SELECT count(price) FROM sold_hot;

-- Altered: what is pending is followed first, also what the transaction itself has written.
BEGIN;
UPDATE leads SET status = 'altered' WHERE id = 1;
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate');
SELECT status FROM live_hot WHERE id = 1;
UPDATE leads SET status = 'now' WHERE id = 1;
SELECT status FROM live_hot WHERE id = 1;
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
UPDATE leads SET status = 'later' WHERE id = 1;
SELECT status FROM live_hot WHERE id = 1;
SAVEPOINT a;
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
SELECT status FROM live_hot WHERE id = 1;
ROLLBACK TO a;
SELECT status FROM live_hot WHERE id = 1;
COMMIT;
SELECT wait();
SELECT state();
SELECT status FROM live_hot WHERE id = 1;
-- The definition changes in the transaction that writes.
BEGIN;
UPDATE leads SET status = 'before' WHERE id = 1;
ALTER TABLE leads RENAME COLUMN status TO stage;
ALTER TABLE leads RENAME TO deals;
CREATE OR REPLACE VIEW live AS SELECT l.id, l.stage || '?' AS status, c.name FROM deals l LEFT JOIN customers c ON c.id = l.customer_id;
UPDATE deals SET stage = 'after' WHERE id = 1;
COMMIT;
SELECT wait();
SELECT state();
SELECT status FROM live_hot WHERE id = 1;
-- Dropped in the transaction that writes.
BEGIN;
UPDATE deals SET customer_id = 1;
SELECT freshcrm.drop_projection('counts_hot');
COMMIT;
SELECT freshcrm.wait_for('totals_hot', '1 minute');
SELECT count(*) FROM freshcrm.queue;

-- Wrong calls.
SELECT freshcrm.wait_for('deals');
SELECT freshcrm.wait_for('live_hot', '-1 second');
SELECT freshcrm.wait_for('live_hot', NULL);
SELECT freshcrm.wait_for('live_hot', '0');
CALL freshcrm.drain('deals');
SET client_min_messages = error;
DROP SCHEMA async CASCADE;
DROP FUNCTION difference(regclass);
SELECT count(*) FROM freshcrm.queue;
