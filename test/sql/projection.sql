-- The life of a projection: made, maintained, verified, repaired, dropped.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
\set ECHO all
\pset null '<null>'

CREATE SCHEMA shop;
SET search_path = shop, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, seen timestamptz);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers ON DELETE CASCADE ON UPDATE CASCADE,
                     placed timestamptz, total numeric(10, 2), note text);
CREATE INDEX ON orders (customer_id);
INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(1, 5) g;
INSERT INTO orders SELECT g, 1 + g % 5, '2026-01-01 12:00+00', g FROM generate_series(1, 20) g;
CREATE VIEW order_list AS
    SELECT o.id, c.name AS customer, o.placed, o.total FROM orders o JOIN customers c ON c.id = o.customer_id;

-- The table beside the view, called as the view.
SELECT freshcrm.create_projection('order_list', '{id}');
\d order_list_hot
SELECT difference('order_list_hot');
SELECT projection, source, key, mode, on_error, state, base_tables, owner = current_user AS mine FROM freshcrm.projections;
SELECT regexp_replace(tgname, '\d+', '<id>') AS name, tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc ORDER BY tgrelid::regclass::text, tgname;

-- One statement, one row: what it wrote, and the tags it changed.
CREATE TEMP TABLE tags AS SELECT id, version_etag, updated_at, xmin::text AS writer, ctid AS place FROM order_list_hot;
CREATE FUNCTION changed() RETURNS TABLE (changed_tags bigint, written bigint, gone bigint, came bigint) LANGUAGE sql AS
$$ SELECT count(*) FILTER (WHERE h.version_etag <> t.version_etag), count(*) FILTER (WHERE h.ctid <> t.place OR h.xmin::text <> t.writer),
          count(*) FILTER (WHERE h.id IS NULL), count(*) FILTER (WHERE t.id IS NULL)
   FROM order_list_hot h FULL JOIN tags t USING (id) $$;
UPDATE customers SET name = 'renamed' WHERE id = 3;
SELECT * FROM changed();
-- The same write again changes nothing, nor does a write of a column that the view does not read.
DROP TABLE tags; CREATE TEMP TABLE tags AS SELECT id, version_etag, updated_at, xmin::text AS writer, ctid AS place FROM order_list_hot;
UPDATE customers SET name = 'renamed' WHERE id = 3;
UPDATE customers SET seen = now();
UPDATE orders SET note = 'x', total = total;
SELECT * FROM changed();
-- A write that the view shows the same writes nothing either (1.50 is 1.5 in a numeric(10, 2)).
UPDATE orders SET total = 1.5 WHERE id = 1;
SELECT total, version_etag = freshcrm.etag(id, customer, placed, total) AS tag_of_columns FROM order_list_hot WHERE id = 1;
UPDATE orders SET total = 1.50 WHERE id = 1;
SELECT * FROM changed();

-- Statements of all kinds.
INSERT INTO orders VALUES (21, 1, NULL, NULL), (22, 4, NULL, NULL);
COPY orders (id, customer_id, total) FROM stdin;
23	2	23
24	2	24
\.
SELECT difference('order_list_hot');
DELETE FROM customers WHERE id = 2;
UPDATE customers SET id = 50 WHERE id = 5;
SELECT difference('order_list_hot'), count(*) FROM order_list_hot;
BEGIN;
UPDATE orders SET total = 1000;
SAVEPOINT s;
DELETE FROM orders WHERE id > 10;
SELECT difference('order_list_hot'), count(*) FROM order_list_hot;
ROLLBACK TO s;
SELECT difference('order_list_hot'), count(*) FROM order_list_hot;
DO $$ BEGIN
    UPDATE orders SET total = 2000;
    RAISE EXCEPTION 'undo';
EXCEPTION WHEN raise_exception THEN
    UPDATE orders SET total = 3000 WHERE id = 2;
END $$;
SELECT difference('order_list_hot'), max(total) FROM order_list_hot;
ROLLBACK;
SELECT difference('order_list_hot'), max(total) FROM order_list_hot;
-- More keys in one statement than the batches and the locks of a transaction.
INSERT INTO orders SELECT g, 1, NULL, g FROM generate_series(1001, 4000) g;
SELECT difference('order_list_hot'), count(*) FROM order_list_hot;
SELECT count(*) AS key_locks_left FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
DELETE FROM orders WHERE id > 1000;
SELECT difference('order_list_hot'), count(*) FROM order_list_hot;
BEGIN; TRUNCATE orders; SELECT count(*) FROM order_list_hot; ROLLBACK;
SELECT difference('order_list_hot'), count(*) FROM order_list_hot;

-- A trigger on the target that writes a base table while the projection is being written: what was read
-- before is read again.
CREATE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE shop.orders SET total = total + 1 WHERE total < 10 AND id > new.id; RETURN NULL; END $$;
CREATE TRIGGER echo AFTER UPDATE ON order_list_hot FOR EACH ROW WHEN (pg_trigger_depth() < 4) EXECUTE FUNCTION echo();
UPDATE orders SET total = 5;
SELECT difference('order_list_hot'), count(DISTINCT total) > 1 AS echoed FROM order_list_hot;
DROP TRIGGER echo ON order_list_hot;

-- Recompute: idempotent, of keys that are there and keys that are not.
SELECT * FROM freshcrm.recompute('order_list_hot', ARRAY[3, 2, 2, 777, NULL]);
SET session_replication_role = replica;
DELETE FROM order_list_hot WHERE id = 2;
INSERT INTO order_list_hot VALUES (777, 'nobody', NULL, NULL, now(), 'none');
RESET session_replication_role;
SELECT * FROM freshcrm.recompute('order_list_hot', ARRAY[2, 3, 777]);
SELECT * FROM freshcrm.recompute('order_list_hot', ARRAY[2, 3, 777]);
SELECT * FROM freshcrm.recompute('order_list_hot', '{}'::integer[]);

-- Verify finds what was changed behind the projection's back, and mends it.
SET session_replication_role = replica;
UPDATE order_list_hot SET customer = 'forged' WHERE id = 3;
UPDATE order_list_hot SET version_etag = 'forged' WHERE id = 5;
DELETE FROM order_list_hot WHERE id = 8;
INSERT INTO order_list_hot VALUES (778, 'nobody', NULL, NULL, now(), 'none');
RESET session_replication_role;
SELECT * FROM freshcrm.verify_projection('order_list_hot') ORDER BY key;
SELECT * FROM freshcrm.verify_projection('order_list_hot', repair => true) ORDER BY key;
SELECT * FROM freshcrm.verify_projection('order_list_hot');
SELECT difference('order_list_hot');

-- Tags do not depend on the settings of who writes.
SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'; SET extra_float_digits = -5; SET search_path = pg_temp;
UPDATE shop.orders SET placed = '2026-05-05 05:05:05 Europe/Berlin' WHERE id = 2;
SELECT * FROM freshcrm.recompute('shop.order_list_hot', (SELECT array_agg(id) FROM shop.orders));
RESET timezone; RESET datestyle; RESET extra_float_digits; SET search_path = shop, public;
SELECT * FROM freshcrm.recompute('order_list_hot', (SELECT array_agg(id) FROM orders));
SELECT difference('order_list_hot');

-- A changed view: all rows follow at once, and the next write is maintained by the new definition, by this
-- session's plans too.
CREATE OR REPLACE VIEW order_list AS
    SELECT o.id, upper(c.name) AS customer, o.placed, o.total FROM orders o LEFT JOIN customers c ON c.id = o.customer_id;
UPDATE orders SET total = 77 WHERE id = 2;
SELECT customer, total FROM order_list_hot WHERE id = 2;
SELECT count(*) AS others_still_old FROM freshcrm.verify_projection('order_list_hot', true);
SELECT difference('order_list_hot');

-- Renames are followed; the names of columns are those of the view.
ALTER TABLE orders RENAME TO purchases;
ALTER TABLE purchases RENAME COLUMN customer_id TO buyer;
ALTER TABLE order_list_hot RENAME TO hot_orders;
ALTER VIEW order_list RENAME TO live_orders;
UPDATE customers SET name = 'after renames' WHERE id = 4;
UPDATE purchases SET buyer = 4 WHERE id < 5;
SELECT difference('hot_orders'), count(*) FILTER (WHERE customer = 'AFTER RENAMES') AS renamed FROM hot_orders;

-- So are those of schemas: the same names elsewhere are other objects.
CREATE SCHEMA stage;
CREATE TABLE stage.customers (LIKE customers INCLUDING ALL);
CREATE TABLE stage.purchases (LIKE purchases INCLUDING ALL);
CREATE VIEW stage.live_orders AS SELECT o.id, c.name AS customer, o.placed, o.total FROM stage.purchases o LEFT JOIN stage.customers c ON c.id = o.buyer;
CREATE TABLE stage.hot_orders (LIKE hot_orders INCLUDING ALL);
ALTER SCHEMA shop RENAME TO old;
ALTER SCHEMA stage RENAME TO shop;
UPDATE old.purchases SET total = total + 1;
SELECT difference('old.hot_orders'), count(*) FROM shop.hot_orders;
ALTER SCHEMA shop RENAME TO stage;
ALTER SCHEMA old RENAME TO shop;
DROP SCHEMA stage CASCADE;

-- An adopted table: any order of columns, kept when the projection is dropped.
CREATE TABLE adopted (version_etag text NOT NULL, total numeric(10, 2), updated_at timestamptz NOT NULL DEFAULT now(), id integer NOT NULL UNIQUE,
                      placed timestamptz, customer text, junk integer);
ALTER TABLE adopted DROP COLUMN junk;
INSERT INTO adopted VALUES ('old', 1, now(), 1, NULL, 'old'), ('old', 1, now(), -1, NULL, 'old');
SELECT freshcrm.create_projection('live_orders', '{id}', 'adopted', options => '{"trigger_names": {"shop.purchases": "keep adopted", "customers": "trg_customer"}}');
SELECT difference('adopted'), count(*) FROM adopted;
SELECT tgname FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc AND tgname NOT LIKE 'freshcrm%' ORDER BY 1;
UPDATE customers SET name = 'twice' WHERE id = 4;
SELECT difference('adopted'), difference('hot_orders');
SELECT freshcrm.drop_projection('adopted');
SELECT count(*) > 0 AS kept FROM adopted;
SELECT tgname FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc AND tgname NOT LIKE 'freshcrm%';

-- Drop: with the table, or without; of the view or the table by hand.
SELECT freshcrm.create_projection('live_orders', '{id}', 'second', options => '{"fillfactor": 70}');
SELECT reloptions FROM pg_class WHERE oid = 'second'::regclass;
SELECT freshcrm.drop_projection('second', keep_table => true);
SELECT count(*) > 0 AS kept FROM second;
SELECT freshcrm.drop_projection('hot_orders');
SELECT to_regclass('hot_orders'), count(*) AS definitions FROM freshcrm.projection;
SELECT freshcrm.create_projection('live_orders', '{id}');
DROP TABLE live_orders_hot;
SELECT count(*) AS definitions FROM freshcrm.projection;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc;
SELECT freshcrm.create_projection('live_orders', '{id}');
DROP VIEW live_orders;
SELECT count(*) AS definitions FROM freshcrm.projection;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc;
INSERT INTO purchases VALUES (500, 1);

-- Names that need quotes, of the greatest length.
CREATE TABLE "Odd ""table"" ääääääääääääääääääääääääääääääääää" ("Key 'n'" text COLLATE "C" PRIMARY KEY, "a.b" integer);
CREATE VIEW "Odd view ßßßßßßßßßßßßßßßßßßßßßßßßßßßßßß" AS SELECT "Key 'n'" AS "the ""key""", "a.b" FROM "Odd ""table"" ääääääääääääääääääääääääääääääääää";
SELECT freshcrm.create_projection('"Odd view ßßßßßßßßßßßßßßßßßßßßßßßßßßßßßß"', ARRAY['the "key"']);
INSERT INTO "Odd ""table"" ääääääääääääääääääääääääääääääääää" VALUES ('x', 1), ('it''s', 2);
SELECT difference(projection), (SELECT count(*) FROM "Odd view ßßßßßßßßßßßßßßßßßßßßßßßßßßßßßß") FROM freshcrm.projections;

-- The schema with everything in it.
DROP SCHEMA shop CASCADE;
SELECT count(*) AS definitions FROM freshcrm.projection;
DROP FUNCTION difference(regclass);
