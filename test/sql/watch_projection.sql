-- A projection whose table is watched, as a source of a materialized view: its rows are still patched without a statement, and
-- that is noted as a change.
\set VERBOSITY terse
CREATE SCHEMA watched_target;
SET search_path = watched_target;
CREATE TABLE leads (id integer PRIMARY KEY, name text);
CREATE TABLE activities (id integer PRIMARY KEY, lead_id integer, value integer);
CREATE INDEX ON activities (lead_id);
INSERT INTO leads VALUES (1, 'one'), (2, 'two');
CREATE VIEW list AS SELECT l.id, l.name, (SELECT sum(a.value) FROM activities AS a WHERE a.lead_id = l.id) AS total FROM leads AS l;
SELECT freshcrm.create_projection('list', '{id}');
SELECT freshcrm.watch_table('list_hot');
CREATE TABLE seen AS SELECT freshcrm.see_changes(ARRAY['list_hot'::regclass::oid]) AS seen;
CREATE FUNCTION changed() RETURNS boolean LANGUAGE sql AS
$$ SELECT freshcrm.first_unseen_change(seen, ARRAY['watched_target.list_hot'::regclass::oid]) IS NOT NULL FROM watched_target.seen $$;

SELECT changed();
INSERT INTO activities VALUES (1, 1, 10);
SELECT changed(), keys_patched, unchanged FROM freshcrm.projections WHERE projection = 'list_hot'::regclass;
UPDATE seen SET seen = freshcrm.see_changes(ARRAY['list_hot'::regclass::oid]);
SELECT changed();
-- In a savepoint that is rolled back, and in one that is not.
BEGIN;
SAVEPOINT a;
UPDATE leads SET name = 'uno' WHERE id = 1;
SELECT changed();
ROLLBACK TO a;
COMMIT;
SELECT changed();
BEGIN;
SAVEPOINT a;
UPDATE leads SET name = 'uno' WHERE id = 1;
RELEASE a;
COMMIT;
SELECT changed(), keys_patched FROM freshcrm.projections WHERE projection = 'list_hot'::regclass;
-- What changes nothing in the table is none.
UPDATE seen SET seen = freshcrm.see_changes(ARRAY['list_hot'::regclass::oid]);
INSERT INTO activities VALUES (2, 99, 10);
UPDATE leads SET name = name WHERE id = 2;
SELECT changed();
-- By a statement.
DELETE FROM leads WHERE id = 2;
SELECT changed();
SELECT * FROM freshcrm.verify_projection('list_hot');

DROP SCHEMA watched_target CASCADE;
