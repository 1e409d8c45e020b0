-- The flush: each projection is recomputed once a statement, after those that it is made of; triggers on
-- targets; more keys than fit into work_mem.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA flush;
SET search_path = flush, public;
CREATE TABLE customers (id integer PRIMARY KEY, region text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total numeric);
CREATE VIEW accounts AS SELECT c.id, c.region, (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) AS turnover FROM customers c;
SELECT freshcrm.create_projection('accounts', '{id}');
CREATE VIEW regions AS SELECT region, sum(turnover) AS turnover, count(*) AS accounts FROM accounts_hot WHERE region IS NOT NULL GROUP BY region;
SELECT freshcrm.create_projection('regions', '{region}');
-- Made of both, and of the table that they are made of.
CREATE VIEW shares AS SELECT c.id, c.region, a.turnover, r.turnover AS of_region FROM customers c JOIN accounts_hot a ON a.id = c.id LEFT JOIN regions_hot r ON r.region = c.region;
SELECT freshcrm.create_projection('shares', '{id}');
INSERT INTO customers SELECT g, (ARRAY['north', 'south'])[g % 2 + 1] FROM generate_series(1, 6) g;
INSERT INTO orders SELECT g, 1 + g % 6, g FROM generate_series(1, 12) g;

CREATE TABLE written (at integer GENERATED ALWAYS AS IDENTITY, target text, change text, key text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO flush.written (target, change, key) VALUES (tg_table_name, tg_op, to_jsonb(new) ->> tg_argv[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON accounts_hot FOR EACH ROW EXECUTE FUNCTION note('id');
CREATE TRIGGER note AFTER INSERT OR UPDATE ON regions_hot FOR EACH ROW EXECUTE FUNCTION note('region');
CREATE TRIGGER note AFTER INSERT OR UPDATE ON shares_hot FOR EACH ROW EXECUTE FUNCTION note('id');
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws('; ', difference('accounts_hot'), difference('regions_hot'), difference('shares_hot')) $$;

-- Every row that a statement changes in the end is written once, in the order in which projections are made of
-- one another.
UPDATE orders SET total = total + 1 WHERE id = 1;
SELECT target, change, key FROM written ORDER BY at;
TRUNCATE written;
UPDATE customers SET region = 'south' WHERE id IN (2, 4);
SELECT target, change, key FROM written ORDER BY target, key;
SELECT max(count) FROM (SELECT count(*) FROM written GROUP BY target, key) AS x;
SELECT target FROM written GROUP BY target ORDER BY max(at);
TRUNCATE written;
WITH moved AS (UPDATE orders SET customer_id = 2 WHERE id < 4 RETURNING id), gone AS (DELETE FROM customers WHERE id = 6)
INSERT INTO customers SELECT 100 + id, 'west' FROM moved;
SELECT max(count) FROM (SELECT count(*) FROM written GROUP BY target, key) AS x;
SELECT state();

-- A trigger on a target that writes to a base table: of the same projection, until it has nothing to change.
CREATE FUNCTION cap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE flush.orders SET total = total - 1 WHERE customer_id = new.id AND new.turnover > 50;
    RETURN NULL;
END $$;
CREATE TRIGGER cap AFTER UPDATE ON accounts_hot FOR EACH ROW EXECUTE FUNCTION cap();
UPDATE orders SET total = total + 30 WHERE customer_id IN (2, 3);
SELECT id, turnover FROM accounts_hot WHERE id IN (2, 3) ORDER BY id;
SELECT state();
DROP TRIGGER cap ON accounts_hot;
-- One that fails in part, and one that asks for what is being written.
CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    code text;
BEGIN
    BEGIN
        UPDATE flush.orders SET total = total + 7 WHERE id = 5;
        PERFORM freshcrm.recompute('flush.regions_hot', ARRAY['west']);
        PERFORM freshcrm.recompute('flush.accounts_hot', ARRAY[new.id]);
    EXCEPTION WHEN object_in_use THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
        RAISE WARNING '%: %', code, SQLERRM;
    END;
    IF new.turnover > 1000 THEN
        UPDATE flush.orders SET total = 1 / (id - 5) WHERE id = 5;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fails AFTER UPDATE ON accounts_hot FOR EACH ROW EXECUTE FUNCTION fails();
UPDATE orders SET total = total + 1 WHERE id = 1;
SELECT state();
UPDATE orders SET total = total + 1000 WHERE id = 1;
SELECT state();
DO $$
BEGIN
    UPDATE flush.orders SET total = total + 1000 WHERE id = 2;
EXCEPTION WHEN division_by_zero THEN
    UPDATE flush.orders SET total = total + 2 WHERE id = 2;
END $$;
SELECT state();
DROP TRIGGER fails ON accounts_hot;
-- One whose own recompute of another projection fails: that is kept all the same.
CREATE TABLE factors (id integer PRIMARY KEY, factor integer);
INSERT INTO factors VALUES (1, 1);
CREATE VIEW brittle AS SELECT f.id, 100 / f.factor AS part FROM factors f;
SELECT freshcrm.create_projection('brittle', '{id}');
CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE flush.factors SET factor = 0;
        PERFORM freshcrm.recompute('flush.brittle_hot', ARRAY[1]);
    EXCEPTION WHEN division_by_zero THEN
        RAISE WARNING 'caught: %', SQLERRM;
    END;
    UPDATE flush.factors SET factor = factor + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER breaks AFTER UPDATE ON accounts_hot FOR EACH ROW EXECUTE FUNCTION breaks();
UPDATE orders SET total = total + 1 WHERE id = 1;
SELECT id, part, factor FROM brittle_hot NATURAL JOIN factors;
DROP TRIGGER breaks ON accounts_hot;
-- Called by a user, recompute leaves what follows from its writes to the flush, too.
SET session_replication_role = replica;
UPDATE orders SET total = total + 1;
DELETE FROM accounts_hot WHERE id = 3;
SET session_replication_role = DEFAULT;
SELECT * FROM freshcrm.recompute('accounts_hot', ARRAY[1, 2, 3, 4, 5]);
SELECT state();

-- A trigger between those of two projections, whose exception block takes back what it wrote: what the statement
-- itself has changed is followed all the same.
CREATE TABLE items (id integer PRIMARY KEY, name text);
CREATE VIEW items_one AS SELECT id, name FROM items;
CREATE VIEW items_two AS SELECT id, name FROM items;
SELECT freshcrm.create_projection('items_one', '{id}', options => '{"trigger_names": {"flush.items": "a_first"}}');
SELECT freshcrm.create_projection('items_two', '{id}');
CREATE FUNCTION take_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO flush.items VALUES (100, 'taken back');
    RAISE EXCEPTION 'no';
EXCEPTION WHEN raise_exception THEN
    RETURN NULL;
END $$;
CREATE TRIGGER b_between AFTER UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION take_back();
INSERT INTO items VALUES (1, 'one');
UPDATE items SET name = 'two';
SELECT difference('items_one_hot'), difference('items_two_hot');

-- More keys, and more of what leads to them, than work_mem holds.
SET work_mem = '64kB';
CREATE TABLE big (id text PRIMARY KEY, group_id bigint, at timestamptz);
CREATE VIEW big_groups AS SELECT group_id, max(at) AS last, count(*) FROM big WHERE group_id IS NOT NULL GROUP BY group_id;
CREATE TABLE groups (id bigint PRIMARY KEY, name text);
CREATE INDEX ON big (group_id);
CREATE VIEW big_rows AS SELECT b.id, b.at, g.name FROM big b LEFT JOIN groups g ON g.id = b.group_id;
SELECT freshcrm.create_projection('big_groups', '{group_id}');
SELECT freshcrm.create_projection('big_rows', '{id}');
INSERT INTO groups SELECT g, 'group ' || g FROM generate_series(1, 4000) g;
INSERT INTO big SELECT md5(g::text), g % 5000, '2026-01-01'::timestamptz + make_interval(secs => g) FROM generate_series(1, 12000) g;
SELECT difference('big_groups_hot'), difference('big_rows_hot'), (SELECT count(*) FROM big_rows_hot), (SELECT count(*) FROM big_groups_hot);
UPDATE groups SET name = upper(name);
SELECT difference('big_groups_hot'), difference('big_rows_hot'), (SELECT count(*) FROM big_rows_hot WHERE name ~ '^GROUP');
DO $$
BEGIN
    UPDATE flush.big SET group_id = group_id + 1;
    DELETE FROM flush.big WHERE at < '2026-01-01 01:00' OR 1 / (length(id) - 32) = 0;
EXCEPTION WHEN division_by_zero THEN
    UPDATE flush.big SET group_id = group_id + 2, at = at + interval '1 day' WHERE group_id % 3 > 0;
END $$;
DELETE FROM big WHERE group_id % 3 = 0;
SELECT difference('big_groups_hot'), difference('big_rows_hot'), (SELECT count(*) FROM big_rows_hot), (SELECT count(*) FROM big_groups_hot);
DROP SCHEMA flush CASCADE;
DROP FUNCTION difference(regclass);
