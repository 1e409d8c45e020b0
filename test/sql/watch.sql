-- Watched tables: what counts as a change, who may have a table watched, and what it leaves alone.
\set VERBOSITY terse
CREATE SCHEMA watch;
SET search_path = watch;
CREATE TABLE leads (id integer PRIMARY KEY, status text);
INSERT INTO leads SELECT i, 'new' FROM generate_series(1, 10) AS i;

SELECT freshcrm.watch_problem('leads'::regclass);
SELECT freshcrm.watch_table('leads'), freshcrm.watch_table('leads') AS again;
SELECT freshcrm.watch_problem('leads'::regclass);
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'leads'::regclass ORDER BY tgname;

-- What a view of the tables would have seen last; see() is what a refresh does.
CREATE TABLE seen (seen pg_snapshot);
INSERT INTO seen VALUES (NULL);
CREATE FUNCTION see(VARIADIC relations regclass[]) RETURNS void LANGUAGE sql AS
$$ UPDATE watch.seen SET seen = freshcrm.see_changes(relations::oid[]) $$;
CREATE FUNCTION changed(VARIADIC relations regclass[]) RETURNS boolean LANGUAGE sql AS
$$ SELECT freshcrm.first_unseen_change(seen, relations::oid[]) IS NOT NULL FROM watch.seen $$;
-- Whether a statement makes the table a changed one, and how many rows that takes.
CREATE PROCEDURE try(statement text, relation regclass DEFAULT 'leads')
LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    PERFORM watch.see(relation);
    COMMIT;
    SELECT count(*) INTO before FROM freshcrm.table_change;
    EXECUTE statement;
    COMMIT;
    RAISE NOTICE '%: %, % rows', statement, CASE WHEN watch.changed(relation) THEN 'changed' ELSE 'unchanged' END,
        (SELECT count(*) - before FROM freshcrm.table_change);
END
$$;

CALL try('INSERT INTO watch.leads VALUES (11, ''new'')');
CALL try('UPDATE watch.leads SET status = ''old'' WHERE id = 11');
CALL try('DELETE FROM watch.leads WHERE id = 11');
CALL try('TRUNCATE watch.leads');
CALL try('INSERT INTO watch.leads VALUES (1, ''new'') ON CONFLICT DO NOTHING');
-- No row is changed.
CALL try('UPDATE watch.leads SET status = ''old'' WHERE id = 12');
CALL try('UPDATE watch.leads SET status = ''old'' WHERE status = ''none''');
CALL try('DELETE FROM watch.leads WHERE false');
CALL try('INSERT INTO watch.leads VALUES (1, ''new'') ON CONFLICT DO NOTHING');
CALL try('SELECT * FROM watch.leads FOR UPDATE');
-- Without counters that may be one.
SET track_counts = off;
CALL try('UPDATE watch.leads SET status = ''old'' WHERE id = 12');
RESET track_counts;

-- Rolled back, wholly or in part.
CALL try($$ DO 'BEGIN INSERT INTO watch.leads VALUES (20, NULL); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END' $$);
CALL try($$ DO 'BEGIN INSERT INTO watch.leads VALUES (21, NULL); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN INSERT INTO watch.leads VALUES (22, NULL); END' $$);
CALL try($$ DO 'BEGIN BEGIN INSERT INTO watch.leads VALUES (23, NULL); EXCEPTION WHEN division_by_zero THEN END; INSERT INTO watch.leads VALUES (24, NULL); END' $$);

-- One row until the next refresh, whatever is written.
SELECT see('leads');
SELECT count(*) AS rows_before FROM freshcrm.table_change \gset
INSERT INTO leads SELECT i, 'new' FROM generate_series(100, 110) AS i;
UPDATE leads SET status = 'x' WHERE id = 100;
UPDATE leads SET status = 'x' WHERE id = 101;
DELETE FROM leads WHERE id = 102;
SELECT count(*) - :rows_before AS rows, changed('leads') FROM freshcrm.table_change;

-- The transaction's own changes, before and after it sees.
BEGIN;
SELECT see('leads');
SELECT changed('leads');
UPDATE leads SET status = 'y' WHERE id = 100;
SELECT changed('leads');
COMMIT;
SELECT changed('leads');
BEGIN;
UPDATE leads SET status = 'z' WHERE id = 100;
SELECT see('leads');
COMMIT;
SELECT changed('leads');
SELECT see('leads');
SELECT changed('leads');

-- Only at READ COMMITTED does a later statement read with a newer snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT freshcrm.see_changes('{}');
COMMIT;
BEGIN READ ONLY;
SELECT freshcrm.see_changes('{}');
COMMIT;

-- Partitions and children: a statement changes what it names.
CREATE TABLE events (id integer, kind text) PARTITION BY LIST (kind);
CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a');
CREATE TABLE events_b PARTITION OF events FOR VALUES IN ('b');
SELECT freshcrm.watch_table('events'), freshcrm.watch_table('events_a'), freshcrm.watch_table('events_b');
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
WHERE tgfoid = 'freshcrm.note_change'::regproc AND tgrelid IN ('events'::regclass, 'events_a'::regclass)
ORDER BY tgrelid::regclass::text, tgname;
CALL try('INSERT INTO watch.events VALUES (1, ''a'')', 'events');
CALL try('INSERT INTO watch.events_a VALUES (1, ''a'')', 'events_a');
CALL try('INSERT INTO watch.events_a VALUES (1, ''a'')', 'events_b');
SET session_replication_role = replica;
CALL try('INSERT INTO watch.events VALUES (1, ''a'')', 'events_a');
CALL try('UPDATE watch.leads SET status = ''new'' WHERE id = 100');
RESET session_replication_role;

-- Commands.
CALL try('CREATE TABLE watch.events_c PARTITION OF watch.events FOR VALUES IN (''c'')', 'events');
SELECT freshcrm.watch_problem('events_c'::regclass);
CALL try('ALTER TABLE watch.events DETACH PARTITION watch.events_c', 'events');
CALL try('ALTER TABLE watch.events_c ADD COLUMN more text', 'events');
ALTER TABLE events_c DROP COLUMN more;
SELECT freshcrm.unwatch_table('events_c');
CALL try('ALTER TABLE watch.events ATTACH PARTITION watch.events_c FOR VALUES IN (''c'')', 'events');
SELECT freshcrm.watch_problem('events_c'::regclass);
CALL try('ALTER TABLE watch.leads ALTER COLUMN status TYPE varchar(10)');
CALL try('CREATE TABLE watch.other (LIKE watch.leads)');
CALL try('ALTER TABLE watch.leads DISABLE TRIGGER freshcrm_watch');
SELECT freshcrm.watch_problem('leads'::regclass);
CALL try('SELECT freshcrm.watch_table(''watch.leads'')');
ALTER TABLE leads DISABLE TRIGGER ALL;
ALTER TABLE leads ENABLE TRIGGER ALL;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'leads'::regclass ORDER BY tgname;
-- Cascades fire the triggers when the statement ends that they are of.
CREATE TABLE parents (id integer PRIMARY KEY);
INSERT INTO parents VALUES (1), (2);
ALTER TABLE leads ADD COLUMN parent integer REFERENCES parents ON DELETE CASCADE;
INSERT INTO leads VALUES (300, 'child', 1);
CALL try('DELETE FROM watch.parents WHERE id = 2');
CALL try('DELETE FROM watch.parents WHERE id = 1');
ALTER TABLE leads DROP COLUMN parent;
DROP TRIGGER freshcrm_watch_replica ON leads;
SELECT freshcrm.watch_problem('leads'::regclass);
DROP TRIGGER freshcrm_watch ON leads;
CREATE TRIGGER freshcrm_watch AFTER INSERT OR UPDATE ON leads FOR EACH STATEMENT EXECUTE FUNCTION freshcrm.note_change();
SELECT freshcrm.watch_problem('leads'::regclass);
SELECT freshcrm.watch_table('leads');
SELECT freshcrm.watch_problem('leads'::regclass), count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass;

-- What cannot be watched.
CREATE VIEW a_view AS SELECT 1 AS x;
CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS x;
CREATE TEMPORARY TABLE a_temporary ();
CREATE UNLOGGED TABLE an_unlogged ();
SELECT freshcrm.watch_table('a_view');
SELECT freshcrm.watch_table('a_matview');
SELECT freshcrm.watch_table('a_temporary');
SELECT freshcrm.watch_table('an_unlogged');
SELECT freshcrm.watch_table('pg_class');
SELECT freshcrm.watch_table(NULL);
SELECT freshcrm.watch_problem('a_matview'::regclass) AS a_matview, freshcrm.watch_problem('a_view'::regclass) AS a_view,
    freshcrm.watch_problem(1) AS nothing;
CREATE TRIGGER early BEFORE INSERT ON leads FOR EACH ROW EXECUTE FUNCTION freshcrm.note_change();
INSERT INTO leads VALUES (200, NULL);
DROP TRIGGER early ON leads;

-- Who may.
CREATE ROLE regress_watch_owner;
CREATE ROLE regress_watch_other;
GRANT CREATE, USAGE ON SCHEMA watch TO regress_watch_owner, regress_watch_other;
CREATE TABLE owned (id integer);
ALTER TABLE owned OWNER TO regress_watch_owner;
SELECT freshcrm.watch_table('owned', 'regress_watch_other');
GRANT TRIGGER ON owned TO regress_watch_other;
SELECT freshcrm.watch_table('owned', 'regress_watch_other');
GRANT INSERT ON owned TO regress_watch_other;
SET ROLE regress_watch_other;
INSERT INTO owned VALUES (1);
SELECT freshcrm.watch_table('owned');
SELECT freshcrm.see_changes('{}');
RESET ROLE;
SELECT count(*) FROM freshcrm.table_change WHERE relation = 'owned'::regclass;
SELECT freshcrm.unwatch_table('owned'), freshcrm.unwatch_table('owned') AS again;

DROP SCHEMA watch CASCADE;
DROP ROLE regress_watch_owner, regress_watch_other;
