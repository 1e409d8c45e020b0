-- on_error stale: a view that fails does not fail the write.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA on_error;
SET search_path = on_error, public;
CREATE TABLE customers (id integer PRIMARY KEY, divisor integer);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, amount integer);
CREATE INDEX ON leads (customer_id);
CREATE VIEW shares AS SELECT l.id, l.amount / c.divisor AS share FROM leads l JOIN customers c ON c.id = l.customer_id;
INSERT INTO customers VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO leads SELECT g, 1 + g % 3, 100 FROM generate_series(1, 9) AS g;
SELECT freshcrm.create_projection('shares', '{id}', on_error => 'stale');
-- Until nothing but what fails is pending.
CREATE FUNCTION settle(projection regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    done boolean;
BEGIN
    FOR i IN 1..3000 LOOP
        SELECT NOT EXISTS (SELECT FROM freshcrm.queue AS q JOIN freshcrm.projection AS p ON p.id = q.projection
            WHERE p.target = settle.projection AND (q.error IS NULL OR q.source IS NOT NULL)) INTO done;
        EXIT WHEN done;
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN (SELECT concat_ws(', ', state, problem, pending) FROM freshcrm.projections AS p WHERE p.projection = settle.projection);
END $$;

UPDATE leads SET amount = 101 WHERE id = 1;
SELECT difference('shares_hot');
-- The write is done, the table is as it was.
UPDATE customers SET divisor = 0 WHERE id = 2;
SELECT * FROM customers WHERE id = 2;
SELECT id, share FROM shares_hot ORDER BY id;
SELECT settle('shares_hot');
SELECT freshcrm.wait_for('shares_hot');
-- Of a statement that fails for some of its keys, the others are kept by the worker.
UPDATE leads SET amount = 200;
SELECT settle('shares_hot');
SELECT id, share FROM shares_hot ORDER BY id;
-- Nothing is lost by trying again.
CALL freshcrm.drain();
SELECT settle('shares_hot');
-- The cause is gone.
UPDATE customers SET divisor = 4 WHERE id = 2;
CALL freshcrm.drain('shares_hot');
SELECT settle('shares_hot'), difference('shares_hot');
-- By itself.
UPDATE customers SET divisor = 0 WHERE id = 3;
UPDATE customers SET divisor = 6 WHERE id = 3;
DO $$
BEGIN
    FOR i IN 1..3000 LOOP
        EXIT WHEN EXISTS (SELECT FROM freshcrm.projections WHERE projection = 'on_error.shares_hot'::regclass AND state = 'current');
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
SELECT settle('shares_hot'), difference('shares_hot');
-- By a repair.
UPDATE customers SET divisor = 0 WHERE id = 3;
UPDATE customers SET divisor = 7 WHERE id = 3;
SELECT count(*) >= 0 FROM freshcrm.verify_projection('shares_hot', repair => true);
SELECT state FROM freshcrm.projections WHERE projection = 'shares_hot'::regclass;
SELECT settle('shares_hot'), difference('shares_hot');
UPDATE customers SET divisor = 0 WHERE id = 3;
UPDATE customers SET divisor = 8 WHERE id = 3;
CALL freshcrm.rebuild_projection('on_error.shares_hot') \gset
SELECT settle('shares_hot'), difference('shares_hot');

-- What is rolled back is not queued; the rest of the transaction is kept.
BEGIN;
UPDATE leads SET amount = 300 WHERE customer_id = 1;
SAVEPOINT a;
UPDATE customers SET divisor = 0 WHERE id = 1;
ROLLBACK TO a;
SELECT count(*) FROM freshcrm.queue;
SELECT difference('shares_hot');
COMMIT;
SELECT settle('shares_hot'), difference('shares_hot');
-- Other projections of the table are kept.
CREATE VIEW amounts AS SELECT c.id, c.divisor, sum(l.amount) AS amount FROM customers c LEFT JOIN leads l ON l.customer_id = c.id GROUP BY c.id;
SELECT freshcrm.create_projection('amounts', '{id}');
-- And one that is made of the one that fails.
CREATE VIEW total AS SELECT share, count(*) AS leads FROM shares_hot WHERE share IS NOT NULL GROUP BY share;
SELECT freshcrm.create_projection('total', '{share}');
UPDATE customers SET divisor = 0 WHERE id = 1;
SELECT difference('amounts_hot'), difference('total_hot');
UPDATE customers SET divisor = 5 WHERE id = 1;
CALL freshcrm.drain();
SELECT settle('shares_hot'), difference('shares_hot'), difference('amounts_hot'), difference('total_hot');

-- Mode commit.
SELECT freshcrm.alter_projection('shares_hot', mode => 'commit');
BEGIN;
UPDATE leads SET amount = 400 WHERE customer_id = 2;
UPDATE customers SET divisor = 0 WHERE id = 1;
COMMIT;
SELECT settle('shares_hot');
SELECT id, share FROM shares_hot ORDER BY id;
BEGIN;
UPDATE customers SET divisor = 9 WHERE id = 1;
SELECT freshcrm.flush();
COMMIT;
CALL freshcrm.drain();
SELECT settle('shares_hot'), difference('shares_hot');
-- Mode async, where there is nobody to fail.
SELECT freshcrm.alter_projection('shares_hot', mode => 'async', on_error => 'abort');
UPDATE customers SET divisor = 0 WHERE id = 1;
UPDATE leads SET amount = 500 WHERE customer_id = 2;
SELECT settle('shares_hot');
-- Followed with an error, or not at all.
SELECT freshcrm.alter_projection('shares_hot', mode => 'immediate');
SELECT mode FROM freshcrm.projections WHERE projection = 'shares_hot'::regclass;
UPDATE customers SET divisor = 1 WHERE id = 1;
SELECT freshcrm.alter_projection('shares_hot', mode => 'immediate');
SELECT settle('shares_hot'), difference('shares_hot');
-- With on_error abort the write fails.
UPDATE customers SET divisor = 0 WHERE id = 1;

-- What leads to keys fails, a NULL key, and all rows at once.
CREATE TABLE notes (id integer PRIMARY KEY, data jsonb);
CREATE VIEW numbers AS SELECT (data ->> 'n')::integer AS n, count(*) AS notes FROM notes GROUP BY (data ->> 'n')::integer;
INSERT INTO notes SELECT g, jsonb_build_object('n', g % 3) FROM generate_series(1, 9) AS g;
SELECT freshcrm.create_projection('numbers', '{n}', on_error => 'stale');
UPDATE notes SET data = '{"n": "x"}' WHERE id = 1;
SELECT state, problem FROM freshcrm.projections WHERE projection = 'numbers_hot'::regclass;
INSERT INTO notes VALUES (10, '{"n": 5}');
UPDATE notes SET data = '{"n": 1}' WHERE id = 1;
CALL freshcrm.drain();
SELECT settle('numbers_hot'), difference('numbers_hot');
UPDATE notes SET data = '{}' WHERE id = 1;
SELECT settle('numbers_hot');
DELETE FROM notes WHERE id = 1;
CALL freshcrm.drain();
SELECT settle('numbers_hot'), difference('numbers_hot');
CREATE TABLE factor (one boolean PRIMARY KEY, by integer);
INSERT INTO factor VALUES (true, 2);
CREATE VIEW scaled AS SELECT n.id, n.id / f.by AS value FROM notes n, factor f;
SELECT freshcrm.create_projection('scaled', '{id}', on_error => 'stale', options => '{"full": ["on_error.factor"]}');
UPDATE factor SET by = 0;
SELECT state, problem FROM freshcrm.projections WHERE projection = 'scaled_hot'::regclass;
UPDATE factor SET by = 3;
CALL freshcrm.drain();
SELECT settle('scaled_hot'), difference('scaled_hot');
SET client_min_messages = error;
DROP SCHEMA on_error CASCADE;
SELECT count(*) FROM freshcrm.queue;
DROP FUNCTION difference(regclass);
