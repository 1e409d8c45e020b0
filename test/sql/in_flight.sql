-- What has been noted and is not followed yet, when its transaction changes the projection, its tables or its view.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA flight;
SET search_path = flight, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text, note text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total integer, note text, size integer);
CREATE INDEX ON orders (customer_id);
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
CREATE VIEW live AS SELECT c.id, c.name, (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) AS turnover FROM customers c;
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 300) n;
INSERT INTO orders SELECT n, 1 + n % 5, n, repeat('n', 3000), n FROM generate_series(1, 20) n;
SELECT freshcrm.create_projection('live', '{id}', mode => 'commit');

-- The mode becomes another one in a subtransaction that flushes: what it flushed may be rolled back.
BEGIN;
INSERT INTO orders VALUES (100, 1, 5);
SAVEPOINT inner_one;
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate');
SELECT freshcrm.flush();
RELEASE inner_one;
COMMIT;
SELECT difference('live_hot');
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
BEGIN;
INSERT INTO orders VALUES (101, 1, 5);
SAVEPOINT inner_one;
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
SELECT freshcrm.flush();
ROLLBACK TO inner_one;
COMMIT;
SELECT difference('live_hot'), state, pending FROM freshcrm.projections;
BEGIN;
INSERT INTO orders VALUES (102, 1, 5);
SAVEPOINT inner_one;
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
INSERT INTO orders VALUES (103, 2, 5);
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
INSERT INTO orders VALUES (104, 3, 5);
COMMIT;
CALL freshcrm.drain();
SELECT difference('live_hot'), state FROM freshcrm.projections;

-- Rebuilding goes on over several transactions, in any of which the projection may be loaded anew.
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate', options => '{"direct_writes": true}');
CREATE FUNCTION analyze_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ANALYZE flight.orders, flight.live_hot; RETURN NULL; END $$;
UPDATE live_hot SET name = 'wrong';
CREATE TRIGGER analyze_all AFTER UPDATE ON live_hot FOR EACH STATEMENT EXECUTE FUNCTION analyze_all();
CALL freshcrm.rebuild_projection('live_hot', 20);
SELECT difference('live_hot');
SELECT freshcrm.drop_projection('live_hot');

-- The table is dropped, or the projection and then the table.
SELECT freshcrm.create_projection('live', '{id}', mode => 'async',
    options => '{"mapping": {"orders": "SELECT customer_id FROM changed WHERE customer_id IS NOT NULL AND length(note || size) > 0"}}');
CREATE TABLE kept AS TABLE orders;
BEGIN;
INSERT INTO orders VALUES (105, 1, 5);
DROP TABLE orders CASCADE;
COMMIT;
SELECT count(*) FROM freshcrm.projections;
ALTER TABLE kept RENAME TO orders;
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
CREATE VIEW live AS SELECT c.id, c.name, (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) AS turnover FROM customers c;
SELECT freshcrm.create_projection('live', '{id}', mode => 'async',
    options => '{"mapping": {"orders": "SELECT customer_id FROM changed WHERE customer_id IS NOT NULL AND length(note || size) > 0"}}');
CREATE TABLE kept AS TABLE orders;
BEGIN;
INSERT INTO orders VALUES (105, 1, 5);
SELECT freshcrm.drop_projection('live_hot');
DROP VIEW live;
DROP TABLE orders;
COMMIT;
SELECT count(*) FROM freshcrm.projections;

-- Columns of the same type change places while rows of the table wait for their mapping query.
ALTER TABLE kept RENAME TO orders;
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
CREATE VIEW live AS SELECT c.id, c.name, (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) AS turnover FROM customers c;
SELECT freshcrm.create_projection('live', '{id}', mode => 'async',
    options => '{"mapping": {"orders": "SELECT customer_id FROM changed WHERE customer_id IS NOT NULL"}}');
BEGIN;
UPDATE orders SET total = total + 1 WHERE customer_id = 2;
ALTER TABLE orders RENAME customer_id TO was_customer_id;
ALTER TABLE orders RENAME size TO customer_id;
COMMIT;
CALL freshcrm.drain();
SELECT difference('live_hot'), state FROM freshcrm.projections;
SELECT freshcrm.drop_projection('live_hot');
DROP VIEW live;
ALTER TABLE orders RENAME customer_id TO size;
ALTER TABLE orders RENAME was_customer_id TO customer_id;

-- A trigger rewrites the table while rows of it wait for the last trigger of the outer statement.
CREATE VIEW live AS SELECT c.id, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id AND length(o.note) > 100) AS notes FROM customers c;
DROP TABLE live_hot;
SELECT freshcrm.create_projection('live', '{id}',
    options => '{"mapping": {"orders": "SELECT customer_id FROM changed WHERE customer_id IS NOT NULL AND length(note || size) > 0"}}');
CREATE TABLE visits (id integer PRIMARY KEY);
CREATE VIEW visits_1 AS SELECT id FROM visits;
CREATE VIEW visits_2 AS SELECT id FROM visits;
SELECT freshcrm.create_projection('visits_1', '{id}', options => '{"trigger_names": {"visits": "t1"}}'),
       freshcrm.create_projection('visits_2', '{id}', options => '{"trigger_names": {"visits": "t3"}}');
CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE flight.orders SET note = repeat('b', 3000) WHERE id IN (1, 2, 3);
        UPDATE flight.orders SET note = repeat('c', 3000) WHERE id IN (1, 2, 3);
        ALTER TABLE flight.orders ALTER size TYPE integer USING size + 1;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER t2 AFTER INSERT ON visits FOR EACH STATEMENT EXECUTE FUNCTION rewrite();
INSERT INTO visits VALUES (1);
SELECT difference('live_hot'), difference('visits_1_hot'), difference('visits_2_hot');
DROP SCHEMA flight CASCADE;
DROP FUNCTION difference(regclass);

-- The extension is dropped by a transaction that has something to follow or to queue; in a database of its own, since
-- other tests use it here.
\set database :DBNAME
CREATE DATABASE freshcrm_flight;
\connect freshcrm_flight
SET client_min_messages = warning;
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE VIEW live AS SELECT id, upper(name) AS name FROM customers;
CREATE EXTENSION freshcrm;
SELECT freshcrm.create_projection('live', '{id}', mode => 'commit');
BEGIN;
INSERT INTO customers VALUES (1, 'one');
DROP EXTENSION freshcrm CASCADE;
COMMIT;
CREATE EXTENSION freshcrm;
DROP TABLE IF EXISTS live_hot;
SELECT freshcrm.create_projection('live', '{id}', mode => 'async');
BEGIN;
INSERT INTO customers VALUES (2, 'two');
DROP EXTENSION freshcrm CASCADE;
COMMIT;
CREATE EXTENSION freshcrm;
DROP TABLE IF EXISTS live_hot;
SELECT freshcrm.create_projection('live', '{id}', mode => 'async');
BEGIN;
INSERT INTO customers VALUES (3, 'three');
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
DROP EXTENSION freshcrm CASCADE;
COMMIT;
SELECT count(*) FROM customers;
\connect :database
DROP DATABASE freshcrm_flight WITH (FORCE);
