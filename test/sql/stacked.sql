-- Projections over projections: a write reaches the last of them; a cycle is refused.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA stacked;
SET search_path = stacked, public;
CREATE TABLE customers (id integer PRIMARY KEY, region text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total integer);
CREATE VIEW accounts AS SELECT c.id, c.region, (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) AS turnover FROM customers c;
SELECT freshcrm.create_projection('accounts', '{id}');
-- Made of a projection, and of one and a base table that it is made of.
CREATE VIEW regions AS SELECT region, sum(turnover) AS turnover, count(*) AS accounts FROM accounts_hot WHERE region IS NOT NULL GROUP BY region;
SELECT freshcrm.create_projection('regions', '{region}');
CREATE VIEW shares AS SELECT c.id, a.turnover, r.turnover AS of_region, a.version_etag AS tag FROM customers c JOIN accounts_hot a ON a.id = c.id LEFT JOIN regions_hot r ON r.region = c.region;
SELECT freshcrm.create_projection('shares', '{id}');
CREATE FUNCTION state() RETURNS TABLE (accounts text, regions text, shares text, turnover bigint) LANGUAGE sql AS
$$ SELECT difference('accounts_hot'), difference('regions_hot'), difference('shares_hot'), (SELECT sum(of_region) FROM shares_hot) $$;
INSERT INTO customers VALUES (1, 'n'), (2, 'n'), (3, 's'), (4, NULL);
INSERT INTO orders SELECT g, 1 + g % 4, g FROM generate_series(1, 20) g;
SELECT * FROM state();
UPDATE orders SET total = total + 1 WHERE id = 3;
UPDATE customers SET region = 's' WHERE id = 1;
SELECT * FROM state();
WITH moved AS (UPDATE orders SET customer_id = 2 RETURNING id) UPDATE customers SET region = 'w' WHERE id IN (SELECT id FROM moved);
SELECT * FROM state();
DELETE FROM customers WHERE id = 2;
SELECT * FROM state();
BEGIN;
TRUNCATE orders;
SELECT * FROM state();
ROLLBACK;
SELECT * FROM state();
INSERT INTO customers SELECT g, 'w' FROM generate_series(10, 200) g;
SELECT * FROM state();

-- Cycles.
CREATE TABLE snake (id integer PRIMARY KEY, turnover bigint, updated_at timestamptz NOT NULL, version_etag text NOT NULL);
CREATE VIEW snake_body AS SELECT s.id, s.turnover FROM snake s;
SELECT freshcrm.create_projection('snake_body', '{id}');
CREATE VIEW snake_tail AS SELECT id, turnover FROM snake_body_hot;
SELECT freshcrm.create_projection('snake_tail', '{id}', 'snake');
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA stacked CASCADE;
DROP FUNCTION difference(regclass);
