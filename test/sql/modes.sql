-- Mode commit: kept once, at the end of the transaction or by flush(); and alter_projection.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA modes;
SET search_path = modes, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, status text);
CREATE INDEX ON leads (customer_id);
CREATE VIEW live AS SELECT l.id, l.status, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
CREATE VIEW counts AS SELECT customer_id, count(*) AS leads FROM leads WHERE customer_id IS NOT NULL GROUP BY customer_id;
INSERT INTO customers VALUES (1, 'Acme'), (2, 'Byte');
INSERT INTO leads VALUES (1, 1, 'new'), (2, 2, 'new');
SELECT freshcrm.create_projection('live', '{id}', mode => 'commit');
SELECT freshcrm.create_projection('counts', '{customer_id}', mode => 'commit');
-- One over one of mode commit that is immediate, and the other way round.
CREATE VIEW names AS SELECT name, count(*) AS leads FROM live_hot WHERE name IS NOT NULL GROUP BY name;
SELECT freshcrm.create_projection('names', '{name}');
CREATE VIEW totals AS SELECT 1 AS id, (SELECT sum(leads) FROM names_hot) AS leads;
SELECT freshcrm.create_projection('totals', '{id}', mode => 'commit', options => '{"full": ["modes.names_hot"]}');
SELECT projection, mode, on_error, state FROM freshcrm.projections ORDER BY 1;
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws('; ', difference('live_hot'), difference('counts_hot'), difference('names_hot'), difference('totals_hot')) $$;

-- Within the transaction the table is as it was, until flush().
BEGIN;
INSERT INTO leads VALUES (3, 1, 'new');
UPDATE customers SET name = 'Acme 2' WHERE id = 1;
UPDATE leads SET status = 'won' WHERE id = 3;
SELECT * FROM live ORDER BY id;
SELECT id, status, name FROM live_hot ORDER BY id;
SELECT freshcrm.flush();
SELECT id, status, name FROM live_hot ORDER BY id;
SELECT state();
UPDATE leads SET status = 'lost' WHERE id = 3;
SELECT status FROM live_hot WHERE id = 3;
COMMIT;
SELECT status FROM live_hot WHERE id = 3;
SELECT state();
SELECT freshcrm.flush();
-- A statement by itself is a transaction.
DELETE FROM leads WHERE id = 3;
SELECT state(), (SELECT count(*) FROM live_hot);
-- A row that changes many times is written once.
CREATE TABLE written (target text, key text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO modes.written VALUES (tg_table_name, to_jsonb(new) ->> tg_argv[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON live_hot FOR EACH ROW EXECUTE FUNCTION note('id');
BEGIN;
UPDATE leads SET status = 'one';
UPDATE leads SET status = 'two';
UPDATE customers SET name = name || '!';
UPDATE leads SET status = 'three' WHERE id = 1;
COMMIT;
SELECT target, key, count(*) FROM written GROUP BY 1, 2 ORDER BY 1, 2;
SELECT state();

-- Savepoints, exception blocks, rollback: both outcomes.
BEGIN;
SAVEPOINT a;
UPDATE leads SET status = 'kept' WHERE id = 1;
RELEASE a;
SAVEPOINT b;
UPDATE leads SET status = 'gone' WHERE id = 2;
INSERT INTO leads VALUES (4, 1, 'gone');
ROLLBACK TO b;
UPDATE customers SET name = 'after' WHERE id = 2;
COMMIT;
SELECT state();
SELECT id, status, name FROM live_hot ORDER BY id;
-- What is flushed within a savepoint that is rolled back.
BEGIN;
UPDATE leads SET status = 'before' WHERE id = 1;
SAVEPOINT c;
UPDATE leads SET status = 'within' WHERE id = 2;
SELECT freshcrm.flush();
SELECT id, status FROM live_hot ORDER BY id;
ROLLBACK TO c;
SELECT id, status FROM live_hot ORDER BY id;
COMMIT;
SELECT id, status FROM live_hot ORDER BY id;
SELECT state();
DO $$
BEGIN
    UPDATE modes.leads SET status = 'block';
    BEGIN
        INSERT INTO modes.leads VALUES (5, 2, 'inner');
        PERFORM freshcrm.flush();
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO modes.leads VALUES (6, 2, 'handler');
    END;
    BEGIN
        UPDATE modes.customers SET name = 'committed' WHERE id = 1;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
END $$;
SELECT state(), (SELECT string_agg(id || ' ' || status || ' ' || name, ', ' ORDER BY id) FROM live_hot);
BEGIN;
TRUNCATE leads;
SELECT count(*) FROM live_hot;
ROLLBACK;
SELECT state(), (SELECT count(*) FROM live_hot);
-- More than fits into work_mem, some of it rolled back after a flush.
SET work_mem = '64kB';
BEGIN;
INSERT INTO leads SELECT g, g % 3, 'many' FROM generate_series(100, 6000) g;
SAVEPOINT d;
UPDATE leads SET status = 'more';
SELECT freshcrm.flush();
SELECT state();
ROLLBACK TO d;
DELETE FROM leads WHERE id % 2 = 0 AND id > 50;
COMMIT;
RESET work_mem;
SELECT state(), (SELECT count(*) FROM live_hot);
-- A procedure that commits; DDL and drops in a transaction with deferred changes; temporary changes of constraints.
CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$
BEGIN
    UPDATE modes.leads SET status = 'first' WHERE id = 1;
    COMMIT;
    IF modes.state() <> '' THEN RAISE EXCEPTION 'stale'; END IF;
    UPDATE modes.leads SET status = 'second' WHERE id = 1;
    ROLLBACK;
    UPDATE modes.leads SET status = 'third' WHERE id = 2;
END $$;
CALL commits();
SELECT state(), (SELECT string_agg(status, ' ' ORDER BY id) FROM live_hot WHERE id < 3);
BEGIN;
UPDATE leads SET status = 'ddl' WHERE id = 1;
ALTER TABLE leads RENAME COLUMN status TO stage;
UPDATE leads SET stage = 'renamed' WHERE id = 2;
ALTER TABLE leads ADD COLUMN note text;
INSERT INTO leads VALUES (7, 1, 'new', 'note');
COMMIT;
SELECT state();
BEGIN;
UPDATE leads SET stage = 'dropped' WHERE id = 1;
SELECT freshcrm.drop_projection('counts_hot');
COMMIT;
SELECT freshcrm.create_projection('counts', '{customer_id}', mode => 'commit');
-- An error at the end ends the transaction.
CREATE TABLE parts (id integer PRIMARY KEY, divisor integer);
CREATE VIEW quotients AS SELECT id, 100 / divisor AS quotient FROM parts;
SELECT freshcrm.create_projection('quotients', '{id}', mode => 'commit');
BEGIN;
INSERT INTO parts VALUES (1, 0);
COMMIT;
SELECT count(*) FROM parts;
BEGIN;
INSERT INTO parts VALUES (1, 0);
UPDATE parts SET divisor = 5;
COMMIT;
SELECT * FROM parts NATURAL JOIN (SELECT id, quotient FROM quotients_hot) AS h;
-- A flush that fails and is caught: what it had followed before is undone with it, and followed at the end.
CREATE FUNCTION flush_fails() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE modes.parts SET divisor = 0;
        PERFORM freshcrm.flush();
    EXCEPTION WHEN division_by_zero THEN
        RAISE WARNING 'caught: %', SQLERRM;
    END;
END $$;
BEGIN;
UPDATE leads SET stage = 'caught' WHERE id < 5;
SELECT flush_fails();
SELECT count(*) FROM live_hot WHERE status = 'caught';
INSERT INTO leads VALUES (8, 2, 'caught too');
INSERT INTO parts VALUES (2, 4);
SELECT flush_fails();
COMMIT;
SELECT difference('quotients_hot'), state(), (SELECT count(*) FROM live_hot WHERE status LIKE 'caught%');
SET work_mem = '64kB';
BEGIN;
UPDATE leads SET stage = 'spilled';
SELECT flush_fails();
UPDATE leads SET stage = 'spilled again' WHERE id % 2 = 1;
SELECT flush_fails();
COMMIT;
RESET work_mem;
SELECT state(), (SELECT count(*) FROM live_hot WHERE status LIKE 'spilled%');
-- A user's mapping query sees the rows while they are there.
CREATE TABLE events (id integer PRIMARY KEY, lead_id integer, payload text);
CREATE VIEW eventful AS SELECT l.id, (SELECT string_agg(e.payload, ',' ORDER BY e.id) FROM events e WHERE e.lead_id >= l.id AND e.lead_id <= l.id) AS events FROM leads l WHERE l.id < 50;
SELECT freshcrm.create_projection('eventful', '{id}', mode => 'commit', options => '{"mapping": {"modes.events": "SELECT lead_id + 1 - 1 FROM changed"}}');
BEGIN;
INSERT INTO events VALUES (1, 1, repeat('long ', 2000)), (2, 2, 'x');
SAVEPOINT e;
INSERT INTO events SELECT 10 + g, 6, string_agg(md5(i::text), '') FROM generate_series(1, 3) g, generate_series(1, 500) i GROUP BY g;
ROLLBACK TO e;
UPDATE events SET lead_id = 7 WHERE id = 2;
DELETE FROM events WHERE id = 1;
COMMIT;
SELECT difference('eventful_hot');
-- A mapping query that fails, caught: its rows are gone by the end.
BEGIN;
DO $$
BEGIN
    INSERT INTO modes.events SELECT 20, 1, string_agg(md5(i::text), '') FROM generate_series(1, 500) i;
    INSERT INTO modes.events VALUES (21, 2147483647, 'x');
EXCEPTION WHEN numeric_value_out_of_range THEN
    RAISE WARNING 'caught: %', SQLERRM;
END $$;
INSERT INTO events VALUES (22, 2, 'y');
COMMIT;
SELECT difference('eventful_hot'), (SELECT count(*) FROM events WHERE id >= 20);

-- alter_projection.
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate');
BEGIN;
UPDATE leads SET stage = 'now' WHERE id = 1;
SELECT status FROM live_hot WHERE id = 1;
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
UPDATE leads SET stage = 'later' WHERE id = 1;
SELECT status FROM live_hot WHERE id = 1;
-- What was deferred is flushed first.
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate');
SELECT status FROM live_hot WHERE id = 1;
COMMIT;
SELECT state();
SELECT freshcrm.alter_projection('live_hot', options => '{"trigger_names": {"leads": "trg_lead_hot"}, "fillfactor": 70, "direct_writes": true}');
SELECT tgname FROM pg_trigger WHERE tgrelid IN ('leads'::regclass, 'live_hot'::regclass) AND NOT tgisinternal AND tgname ~ 'trg|guard' ORDER BY 1;
SELECT reloptions FROM pg_class WHERE oid = 'live_hot'::regclass;
SELECT freshcrm.alter_projection('live_hot', options => '{}');
SELECT tgname FROM pg_trigger WHERE tgrelid IN ('leads'::regclass, 'live_hot'::regclass) AND NOT tgisinternal AND tgname ~ 'trg|guard' ORDER BY 1;
UPDATE leads SET stage = 'again' WHERE id = 1;
SELECT state();
SELECT freshcrm.alter_projection('live_hot', options => '{"full": ["leads"]}');
UPDATE leads SET stage = 'full' WHERE id = 1;
SELECT state(), (SELECT string_agg(traced, ' ' ORDER BY base_table::text) FROM freshcrm.explain_projection('live_hot'));
SELECT freshcrm.alter_projection('live_hot');
SELECT freshcrm.alter_projection('live_hot', mode => 'sometimes');
SELECT freshcrm.alter_projection('live_hot', on_error => 'ignore');
SELECT freshcrm.alter_projection('live_hot', options => '{"nosuch": 1}');
SELECT freshcrm.alter_projection('live_hot', options => '{"mapping": {"leads": "SELECT nosuch FROM changed"}}');
SELECT freshcrm.alter_projection('leads', mode => 'commit');
SELECT freshcrm.alter_projection(NULL, mode => 'commit');
SELECT state();
-- Declared to be read only after it has written.
BEGIN;
DELETE FROM leads WHERE id = 1;
DELETE FROM customers WHERE id = 2;
SET TRANSACTION READ ONLY;
COMMIT;
SELECT state();
DROP SCHEMA modes CASCADE;
DROP FUNCTION difference(regclass);
