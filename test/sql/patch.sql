-- Patches: what follows from the changed row alone is written without a query; see src/projection/patch.hpp.
CREATE SCHEMA patch;
SET search_path = patch, public;

CREATE TABLE customers (id int PRIMARY KEY, name text, tier text);
CREATE TABLE leads (id int PRIMARY KEY, customer_id int REFERENCES customers, status text, value numeric);
CREATE INDEX ON leads (customer_id);
CREATE TABLE activities (id int PRIMARY KEY, lead_id int, at timestamptz, minutes int, cost numeric, done boolean,
                         deleted boolean NOT NULL DEFAULT false);
CREATE INDEX ON activities (lead_id);

INSERT INTO customers VALUES (1, 'Ann', 'a'), (2, 'Bob', 'b'), (3, 'Cid', NULL);
INSERT INTO leads SELECT n, 1 + n % 2, 'new', n FROM generate_series(1, 4) AS n;
INSERT INTO leads VALUES (5, NULL, 'new', 5);

CREATE VIEW board AS
SELECT l.id, l.status, upper(l.status) AS loud, l.value, c.name AS customer, c.tier,
       (SELECT max(a.at) FROM activities AS a WHERE a.lead_id = l.id AND NOT a.deleted) AS last_at,
       (SELECT min(a.cost) FROM activities AS a WHERE a.lead_id = l.id) AS least_cost,
       (SELECT count(*) FROM activities AS a WHERE a.lead_id = l.id AND NOT a.deleted) AS activities,
       (SELECT count(a.minutes) FILTER (WHERE a.minutes > 5) FROM activities AS a WHERE l.id = a.lead_id) AS long_ones,
       s.minutes, s.cost, s.all_done, s.any_done
  FROM leads AS l
  LEFT JOIN customers AS c ON c.id = l.customer_id
  LEFT JOIN LATERAL (SELECT sum(a.minutes) AS minutes, sum(a.cost) AS cost, bool_and(a.done) AS all_done,
                            bool_or(a.done) AS any_done FROM activities AS a WHERE a.lead_id = l.id) AS s ON true
 WHERE l.status IS NOT NULL;
SELECT create_projection FROM freshcrm.create_projection('board', '{id}');

-- What is patched, and what is not.
SELECT base_table, applied FROM freshcrm.explain_projection('board_hot') GROUP BY 1, 2 ORDER BY base_table::text;

-- Runs a statement; says how its changes were applied, and what differs from the view.
CREATE FUNCTION tried(statement text, OUT patched bigint, OUT otherwise bigint, OUT wrong text) LANGUAGE plpgsql AS $$
DECLARE
  before freshcrm.projections;
  after freshcrm.projections;
BEGIN
  SELECT * INTO before FROM freshcrm.projections WHERE projection = 'patch.board_hot'::regclass;
  EXECUTE statement;
  SELECT * INTO after FROM freshcrm.projections WHERE projection = 'patch.board_hot'::regclass;
  patched := after.keys_patched - before.keys_patched;
  otherwise := after.keys_narrow + after.keys_whole_row + after.recomputed_all
               - before.keys_narrow - before.keys_whole_row - before.recomputed_all;
  SELECT string_agg(format('%s %s', d.difference, d.key), ', ') INTO wrong
    FROM freshcrm.verify_projection('patch.board_hot') AS d;
END
$$;

-- Copies, through a direct path and a mapped one.
SELECT * FROM tried($$UPDATE leads SET status = 'open' WHERE id = 1$$);
SELECT * FROM tried($$UPDATE leads SET status = 'open', value = 7 WHERE id <= 3$$);
SELECT * FROM tried($$UPDATE customers SET name = 'Anna' WHERE id = 1$$);
SELECT * FROM tried($$UPDATE customers SET name = upper(name), tier = NULL$$);
SELECT status, loud, value, customer, tier FROM board_hot ORDER BY id;
-- What decides which rows there are, or which row belongs to a key, is no copy.
SELECT * FROM tried($$UPDATE leads SET status = NULL WHERE id = 1$$);
SELECT * FROM tried($$UPDATE leads SET value = 8 WHERE id = 1$$);
SELECT * FROM tried($$UPDATE leads SET status = 'back' WHERE id = 1$$);
SELECT * FROM tried($$UPDATE leads SET customer_id = 3 WHERE id = 1$$);
SELECT * FROM tried($$UPDATE customers SET id = 4 WHERE id = 3 AND NOT EXISTS (SELECT FROM leads WHERE customer_id = 3)$$);

-- Aggregates: rows that come, change and go.
SELECT * FROM tried($$INSERT INTO activities VALUES (1, 1, '2026-01-01', 3, 1.5, true)$$);
SELECT * FROM tried($$INSERT INTO activities VALUES (2, 1, '2026-01-03', 9, 0.5, true), (3, 1, '2026-01-02', NULL, NULL, NULL),
    (4, 2, '2026-01-01', 1, 1, false), (5, NULL, '2026-01-01', 1, 1, false), (6, 77, '2026-01-01', 1, 1, false)$$);
SELECT * FROM tried($$INSERT INTO activities VALUES (7, 1, '2026-01-01', 1, 2, true, true)$$);
SELECT id, last_at, least_cost, activities, long_ones, minutes, cost, all_done, any_done FROM board_hot ORDER BY id;
-- A change of what counts for one key; to another key; of what counts to what does not.
SELECT * FROM tried($$UPDATE activities SET minutes = 30 WHERE id = 2$$);
SELECT * FROM tried($$UPDATE activities SET lead_id = 3 WHERE id = 3$$);
SELECT * FROM tried($$UPDATE activities SET deleted = true WHERE id = 2$$);
SELECT * FROM tried($$DELETE FROM activities WHERE id = 3$$);
SELECT * FROM tried($$DELETE FROM activities$$);
SELECT id, last_at, least_cost, activities, long_ones, minutes, cost, all_done, any_done FROM board_hot WHERE id <= 2 ORDER BY id;

-- Two values of the same order: which of them the view shows is up to the view.
SELECT * FROM tried($$INSERT INTO activities (id, lead_id, cost) VALUES (1, 1, 1.0)$$);
SELECT * FROM tried($$INSERT INTO activities (id, lead_id, cost) VALUES (2, 1, 1.00)$$);
SELECT * FROM tried($$INSERT INTO activities (id, lead_id, cost) VALUES (3, 1, 0.50), (4, 1, 0.5)$$);
DELETE FROM activities;

-- The statement of a trigger changes the row again, before the outer statement's changes are seen.
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'first' THEN
    UPDATE leads SET status = 'second' WHERE id = NEW.id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER a_again AFTER UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION again();
SELECT * FROM tried($$UPDATE leads SET status = 'first' WHERE id = 2$$);
SELECT status FROM board_hot WHERE id = 2;
DROP TRIGGER a_again ON leads;
-- Or recomputes the key when it has seen the row, but its count is still to come.
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM freshcrm.recompute('patch.board_hot', ARRAY[1]);
  UPDATE leads SET customer_id = 2 WHERE id = 1;
  RETURN NULL;
END
$$;
CREATE TRIGGER a_counted AFTER INSERT ON activities FOR EACH ROW EXECUTE FUNCTION counted();
SELECT * FROM tried($$INSERT INTO activities VALUES (1, 1, '2026-01-01', 3, 1.5, true)$$);
SELECT activities, minutes FROM board_hot WHERE id = 1;
DROP TRIGGER a_counted ON activities;

-- Two tables in one statement: the second one's rows are not the first thing that happens.
SELECT * FROM tried($$WITH w AS (UPDATE leads SET value = 9 WHERE id = 1)
    INSERT INTO activities VALUES (2, 1, '2026-01-02', 3, 1.5, true)$$);
SELECT * FROM tried($$INSERT INTO activities VALUES (2, 1, '2026-01-09', 3, 1.5, true), (3, 1, '2026-01-10', 3, 1.5, true)
    ON CONFLICT (id) DO UPDATE SET at = excluded.at, minutes = excluded.minutes + 1$$);
SELECT * FROM tried($$MERGE INTO activities AS a USING (VALUES (1), (8)) AS v (id) ON a.id = v.id
    WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (v.id, 1, '2026-01-11', 1, 1, true)$$);

-- Mode commit: patches of the whole transaction, each once.
SELECT freshcrm.alter_projection('board_hot', mode => 'commit');
CREATE FUNCTION wrong() RETURNS text LANGUAGE sql AS
    'SELECT string_agg(format(''%s %s'', difference, key), '', '') FROM freshcrm.verify_projection(''patch.board_hot'')';
CREATE TEMPORARY TABLE counted_before AS
    SELECT keys_patched, keys_narrow + keys_whole_row AS otherwise FROM freshcrm.projections;
BEGIN;
INSERT INTO activities VALUES (10, 1, '2026-02-01', 2, 1, true);
INSERT INTO activities VALUES (11, 1, '2026-02-02', 2, 1, true), (12, 2, '2026-02-02', 2, 1, false);
UPDATE leads SET status = 'x' WHERE id = 1;
UPDATE leads SET status = 'y' WHERE id = 1;
UPDATE customers SET name = 'C1' WHERE id = 2;
UPDATE customers SET name = 'C2' WHERE id = 2;
COMMIT;
SELECT p.keys_patched - b.keys_patched AS patched, p.keys_narrow + p.keys_whole_row - b.otherwise AS otherwise, wrong()
  FROM freshcrm.projections AS p, counted_before AS b;
SELECT status, customer, activities FROM board_hot WHERE id = 1;
-- A savepoint takes some back.
BEGIN;
INSERT INTO activities VALUES (20, 1, '2026-03-01', 2, 1, true);
SAVEPOINT s;
INSERT INTO activities VALUES (21, 1, '2026-03-02', 2, 1, true);
UPDATE leads SET status = 'never' WHERE id = 1;
ROLLBACK TO s;
INSERT INTO activities VALUES (22, 1, '2026-02-28', 2, 1, true);
COMMIT;
SELECT status, last_at, activities, wrong() FROM board_hot WHERE id = 1;
DO $$
BEGIN
  INSERT INTO activities VALUES (23, 1, '2026-03-03', 2, 1, true);
  BEGIN
    INSERT INTO activities VALUES (24, 1, '2026-03-04', 2, 1, true);
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN
    INSERT INTO activities VALUES (25, 1, '2026-03-03', 2, 1, true);
  END;
END
$$;
SELECT last_at, activities, wrong() FROM board_hot WHERE id = 1;
-- Flushed within a savepoint that is rolled back; and released.
BEGIN;
INSERT INTO activities VALUES (30, 1, '2026-04-01', 2, 1, true);
SAVEPOINT s;
SELECT freshcrm.flush();
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO activities VALUES (31, 1, '2026-04-01', 2, 1, true);
SELECT freshcrm.flush();
RELEASE s;
COMMIT;
SELECT activities, wrong() FROM board_hot WHERE id = 1;
-- Recomputed while patches wait.
BEGIN;
INSERT INTO activities VALUES (40, 1, '2026-05-01', 2, 1, true);
SELECT * FROM freshcrm.recompute('board_hot', ARRAY[1]);
INSERT INTO activities VALUES (41, 1, '2026-05-01', 2, 1, true);
COMMIT;
SELECT activities, wrong() FROM board_hot WHERE id = 1;
SELECT freshcrm.alter_projection('board_hot', mode => 'immediate');

-- Not with a trigger on the table itself, which only a statement fires; nor when it is switched off.
CREATE FUNCTION noticed() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'written: %', NEW.status; RETURN NULL; END$$;
CREATE TRIGGER noticed AFTER UPDATE ON board_hot FOR EACH ROW EXECUTE FUNCTION noticed();
SELECT * FROM tried($$UPDATE leads SET status = 'noticed' WHERE id = 1$$);
DROP TRIGGER noticed ON board_hot;
SET freshcrm.patch = off;
SELECT * FROM tried($$UPDATE leads SET status = 'off' WHERE id = 1$$);
RESET freshcrm.patch;
-- What a patch computes of a row that the view does not show is no error; of one that it shows it is the view's.
CREATE TABLE parts (id int PRIMARY KEY, x int);
CREATE TABLE uses (id int PRIMARY KEY, part_id int);
CREATE INDEX ON uses (part_id);
CREATE TABLE times (id int PRIMARY KEY, use_id int, x int);
CREATE INDEX ON times (use_id);
INSERT INTO parts VALUES (1, 1), (2, 2);
INSERT INTO uses VALUES (1, 1);
CREATE VIEW shares AS SELECT u.id, 100 / p.x AS share, (SELECT max(100 / t.x) FROM times AS t WHERE t.use_id = u.id) AS most
  FROM uses AS u JOIN parts AS p ON p.id = u.part_id;
SELECT create_projection FROM freshcrm.create_projection('shares', '{id}');
UPDATE parts SET x = 4;
UPDATE parts SET x = 0 WHERE id = 2;
INSERT INTO times VALUES (1, 77, 0), (2, 1, 5);
\set VERBOSITY terse
UPDATE parts SET x = 0;
INSERT INTO times VALUES (3, 1, 0);
\set VERBOSITY default
UPDATE parts SET x = 5 WHERE id = 1;
SELECT id, share, most FROM shares_hot;
SELECT keys_patched, keys_narrow + keys_whole_row AS otherwise FROM freshcrm.projections WHERE projection = 'shares_hot'::regclass;
SELECT * FROM freshcrm.verify_projection('shares_hot');
-- Constraints of the table are checked.
ALTER TABLE board_hot ALTER COLUMN value SET NOT NULL;
\set VERBOSITY terse
UPDATE leads SET value = NULL WHERE id = 1;
\set VERBOSITY default
ALTER TABLE board_hot ALTER COLUMN value DROP NOT NULL;
-- A value too long to be stored in the row.
SELECT * FROM tried($$UPDATE customers SET name = repeat('long', 3000) WHERE id = 2$$);
SELECT * FROM tried($$UPDATE leads SET value = 4711 WHERE id = 1$$);
SELECT length(customer), value FROM board_hot WHERE id = 1;
-- A page is pruned when it has no room for another version: the table does not grow with what is written.
SELECT pg_relation_size('board_hot') AS before \gset
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP UPDATE leads SET value = 10000 + i WHERE id = 2; COMMIT; END LOOP; END $$;
SELECT value, pg_relation_size('board_hot') <= :before + 2 * 8192 AS pruned FROM board_hot WHERE id = 2;
-- Nothing differs, nothing is written.
SELECT ctid AS before FROM board_hot WHERE id = 2 \gset
SELECT * FROM tried($$INSERT INTO activities (id, lead_id, at, deleted) VALUES (50, 2, '2026-01-01', true)$$);
SELECT ctid = :'before' AS same FROM board_hot WHERE id = 2;

SET client_min_messages = warning;
DROP SCHEMA patch CASCADE;
