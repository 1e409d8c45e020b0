-- How changes were applied: the counts of freshcrm.projections.
SET client_min_messages = warning;
CREATE SCHEMA counts;
SET search_path = counts, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text, note text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, status text);
CREATE INDEX ON leads (customer_id);
CREATE TABLE seen (at integer);
CREATE VIEW live AS SELECT l.id, l.status, upper(c.name) AS name FROM leads l JOIN customers c ON c.id = l.customer_id;
CREATE VIEW latest AS SELECT c.id, (SELECT max(at) FROM seen WHERE at >= c.id) AS at FROM customers c;
INSERT INTO customers VALUES (1, 'Acme'), (2, 'Byte');
SELECT freshcrm.create_projection('live', '{id}');
SELECT freshcrm.create_projection('latest', '{id}', options => '{"full": ["counts.seen"]}');

-- What was counted since the last time, or since this began.
CREATE TEMPORARY TABLE before AS
SELECT projection, unchanged, keys_patched, keys_narrow, keys_whole_row, recomputed_all FROM freshcrm.projections WITH NO DATA;
CREATE FUNCTION counted(projection regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    now before;
    was before;
BEGIN
    SELECT p.projection, p.unchanged, p.keys_patched, p.keys_narrow, p.keys_whole_row, p.recomputed_all INTO now
        FROM freshcrm.projections p WHERE p.projection = counted.projection;
    DELETE FROM before b WHERE b.projection = counted.projection RETURNING * INTO was;
    INSERT INTO before SELECT now.*;
    RETURN concat_ws(', ',
        'keys ' || now.keys_patched + now.keys_narrow + now.keys_whole_row
            - coalesce(was.keys_patched + was.keys_narrow + was.keys_whole_row, 0),
        'all ' || now.recomputed_all - coalesce(was.recomputed_all, 0), 'unchanged ' || now.unchanged - coalesce(was.unchanged, 0));
END $$;

-- Making a projection is a recompute of everything.
SELECT counted('live_hot'), counted('latest_hot');
INSERT INTO leads SELECT g, 1 + g % 2, 'new' FROM generate_series(1, 10) g;
SELECT counted('live_hot'), counted('latest_hot');
UPDATE leads SET status = 'won' WHERE id = 1;
SELECT counted('live_hot');
UPDATE customers SET name = 'Acme 2' WHERE id = 1;
SELECT counted('live_hot'), counted('latest_hot');
-- A column that the views do not use.
UPDATE customers SET note = 'none';
SELECT counted('live_hot'), counted('latest_hot');
-- One whose change makes no difference.
UPDATE customers SET name = 'acme 2' WHERE id = 1;
SELECT counted('live_hot');
INSERT INTO seen VALUES (5);
SELECT counted('live_hot'), counted('latest_hot');
TRUNCATE seen;
SELECT counted('latest_hot');
-- By call.
SELECT freshcrm.recompute('live_hot', ARRAY[1, 2, 3, 77]);
SELECT counted('live_hot');
SELECT * FROM freshcrm.verify_projection('live_hot', true);
SELECT counted('live_hot');

-- Counts are not undone.
BEGIN;
UPDATE leads SET status = 'lost' WHERE id = 1;
SAVEPOINT half;
UPDATE leads SET status = 'lost' WHERE id = 2;
ROLLBACK TO half;
ROLLBACK;
SELECT counted('live_hot');
-- What fails is not counted.
CREATE VIEW shares AS SELECT id, 100 / (length(status) - 4) AS share FROM leads;
SELECT freshcrm.create_projection('shares', '{id}');
SELECT counted('shares_hot');
\set VERBOSITY terse
UPDATE leads SET status = 'four' WHERE id = 2;
SELECT counted('shares_hot');
DROP VIEW shares;
DROP TABLE shares_hot;

-- At the end of the transaction a key counts once; after it, when it is followed.
SELECT counted('live_hot');
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
BEGIN;
UPDATE leads SET status = 'a' WHERE id IN (1, 2);
UPDATE leads SET status = 'b' WHERE id IN (1, 2);
SELECT counted('live_hot');
COMMIT;
SELECT counted('live_hot');
-- Also when what is kept of the projection is made anew in between: for statistics, of a table of it or of its own.
BEGIN;
UPDATE leads SET status = 'e' WHERE id IN (1, 2);
ANALYZE leads;
UPDATE leads SET status = 'f' WHERE id IN (2, 3);
ANALYZE live_hot;
COMMIT;
SELECT counted('live_hot');
SELECT id, status FROM live_hot WHERE id < 5 ORDER BY id;
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
UPDATE leads SET status = 'c' WHERE id IN (1, 2, 3);
SELECT freshcrm.wait_for('live_hot', '1 minute');
SELECT counted('live_hot');
UPDATE leads SET status = 'd' WHERE id IN (1, 2, 3);
CALL freshcrm.drain();
SELECT freshcrm.wait_for('live_hot', '1 minute');
SELECT counted('live_hot');

-- Another projection begins at 0, though it has the view and the table of one before.
SELECT freshcrm.drop_projection('live_hot', keep_table => true);
SELECT freshcrm.create_projection('live', '{id}');
TRUNCATE before;
SELECT counted('live_hot');
SELECT freshcrm.drop_projection('live_hot'), freshcrm.drop_projection('latest_hot');

-- Who reads the view needs no other right.
SELECT freshcrm.create_projection('live', '{id}');
CREATE ROLE freshcrm_counts_reader;
SET ROLE freshcrm_counts_reader;
SELECT projection, unchanged, keys_patched, keys_narrow, keys_whole_row, recomputed_all FROM freshcrm.projections;
RESET ROLE;
DROP ROLE freshcrm_counts_reader;
DROP SCHEMA counts CASCADE;
