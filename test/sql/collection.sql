-- Tags of collections: computed and kept, and that these are the same.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/collection.sql'
SET client_min_messages = warning;
CREATE SCHEMA collection;
SET search_path = collection, public;
\i :file
\set ECHO all
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner_user_id uuid, stage text, amount numeric);
CREATE INDEX ON leads (customer_id);
INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(1, 5) g;
INSERT INTO leads SELECT g, 1 + g % 5, ('00000000-0000-0000-0000-00000000000' || g % 3)::uuid, CASE WHEN g % 4 > 0 THEN 's' || g % 4 END, g / 2.0
FROM generate_series(1, 20) g;
CREATE VIEW live AS SELECT l.id, l.owner_user_id, l.stage, l.amount, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
SELECT freshcrm.create_projection('live', '{id}');

-- As they are specified.
CREATE VIEW specified AS SELECT computed_etag('live_hot', '{}', freshcrm.etag(VARIADIC '{}'::text[]), 'SELECT version_etag FROM live_hot') AS whole,
    computed_etag('live_hot', '{owner_user_id}', freshcrm.etag('00000000-0000-0000-0000-000000000001'::uuid),
        $$SELECT version_etag FROM live_hot WHERE owner_user_id = '00000000-0000-0000-0000-000000000001'$$) AS owner,
    computed_etag('live_hot', '{owner_user_id,stage}', freshcrm.etag('00000000-0000-0000-0000-000000000001'::uuid, NULL::text),
        $$SELECT version_etag FROM live_hot WHERE owner_user_id = '00000000-0000-0000-0000-000000000001' AND stage IS NULL$$) AS both,
    computed_etag('live_hot', '{owner_user_id}', freshcrm.etag('00000000-0000-0000-0000-00000000000f'::uuid), $$SELECT version_etag FROM live_hot WHERE owner_user_id = '00000000-0000-0000-0000-00000000000f'$$) AS nobody;
CREATE VIEW tags AS SELECT freshcrm.collection_etag('live_hot') AS whole,
    freshcrm.collection_etag('live_hot', '{"owner_user_id": "00000000-0000-0000-0000-000000000001"}') AS owner,
    freshcrm.collection_etag('live_hot', '{"stage": null, "owner_user_id": "00000000-0000-0000-0000-000000000001"}') AS both,
    freshcrm.collection_etag('live_hot', '{"owner_user_id": "00000000-0000-0000-0000-00000000000f"}') AS nobody;
SELECT (s.*)::text = (t.*)::text AS same, t.whole ~ '^[0-9a-f]{64}$' AS hexadecimal FROM specified s, tags t;
CREATE TABLE before AS TABLE tags;
-- Kept, they are the same, also before anything is written.
SELECT freshcrm.create_collection_etag('live_hot', '{}');
SELECT freshcrm.create_collection_etag('live_hot', '{owner_user_id}');
SELECT freshcrm.create_collection_etag('live_hot', '{stage,owner_user_id}');
TABLE freshcrm.collections;
SELECT (b.*)::text = (t.*)::text AS same FROM before b, tags t;
CREATE FUNCTION changed() RETURNS text LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM before RETURNING *), come AS (INSERT INTO before TABLE tags)
    SELECT concat_ws(' ', CASE WHEN t.whole <> g.whole THEN 'whole' END, CASE WHEN t.owner <> g.owner THEN 'owner' END,
        CASE WHEN t.both <> g.both THEN 'both' END, CASE WHEN t.nobody <> g.nobody THEN 'nobody' END,
        CASE WHEN (t.*)::text <> (s.*)::text THEN 'WRONG' END, (SELECT string_agg(difference, ',') FROM freshcrm.verify_projection('live_hot')))
    FROM gone g, tags t, specified s $$;

-- Fault X11: the list need not be read for its tag. Kept ones read no row of the table, others all of them.
CREATE FUNCTION rows_read() RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_tuples_returned('live_hot'::regclass) + pg_stat_get_xact_tuples_fetched('live_hot'::regclass) $$;
BEGIN;
SELECT rows_read() AS before \gset
SELECT freshcrm.collection_etag('live_hot') = whole AS same FROM before;
SELECT rows_read() - :before AS rows_read;
SELECT freshcrm.collection_etag('live_hot', '{"stage": "s1"}') IS NOT NULL AS computed;
SELECT rows_read() - :before > 0 AS rows_are_read;
COMMIT;

-- A tag changes when a row of its scope does, comes or goes, and only then.
SELECT changed();
UPDATE leads SET amount = amount WHERE id = 4;
SELECT changed();
UPDATE leads SET amount = amount + 1 WHERE id = 4;
SELECT changed();
UPDATE leads SET amount = amount + 1 WHERE id = 5;
SELECT changed();
UPDATE leads SET amount = amount - 1 WHERE id = 5;
UPDATE leads SET amount = amount - 1 WHERE id = 4;
SELECT changed();
INSERT INTO leads VALUES (21, 1, '00000000-0000-0000-0000-000000000001', 's1', 1);
SELECT changed();
DELETE FROM leads WHERE id = 16;
SELECT changed();
-- Patched, narrow, many at once, all at once.
UPDATE customers SET name = 'renamed' WHERE id = 2;
SELECT changed();
UPDATE leads SET customer_id = 4 WHERE id = 7;
SELECT changed();
UPDATE customers SET name = name || '!';
SELECT changed();
SET freshcrm.patch = off;
UPDATE customers SET name = name || '?';
SELECT changed();
RESET freshcrm.patch;
-- From one scope to another, and to none.
UPDATE leads SET owner_user_id = '00000000-0000-0000-0000-00000000000f' WHERE id = 10;
SELECT changed();
UPDATE leads SET owner_user_id = NULL WHERE id = 10;
SELECT changed();
-- Rolled back as a whole and in part.
BEGIN;
UPDATE leads SET amount = 0;
SELECT freshcrm.collection_etag('live_hot') <> whole AS seen_inside FROM before;
ROLLBACK;
SELECT changed();
BEGIN;
UPDATE leads SET amount = 7 WHERE id = 1;
SAVEPOINT a;
UPDATE leads SET amount = 0;
SAVEPOINT b;
DELETE FROM leads;
RELEASE b;
ROLLBACK TO a;
UPDATE leads SET amount = 8 WHERE id = 4;
COMMIT;
SELECT changed();
DO $$
BEGIN
    UPDATE leads SET amount = 9 WHERE id = 1;
    BEGIN
        DELETE FROM leads;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        UPDATE leads SET amount = 10 WHERE id = 13;
    END;
END $$;
SELECT changed();
-- A statement that fails after it has written.
UPDATE leads SET id = 1;
SELECT changed();
WITH moved AS (UPDATE leads SET owner_user_id = '00000000-0000-0000-0000-000000000001' WHERE id = 2),
    gone AS (DELETE FROM leads WHERE id = 3), come AS (INSERT INTO leads VALUES (22, 2, NULL, NULL, 2))
UPDATE customers SET name = 'again' WHERE id = 3;
SELECT changed();
MERGE INTO leads l USING generate_series(18, 24) g ON l.id = g
WHEN MATCHED THEN UPDATE SET owner_user_id = '00000000-0000-0000-0000-000000000001'
WHEN NOT MATCHED THEN INSERT VALUES (g, 3, '00000000-0000-0000-0000-000000000001', NULL, 1);
SELECT changed();
SELECT * FROM freshcrm.recompute('live_hot', '{1,2,3}'::integer[]);
SELECT changed();
-- Nothing is left of scopes without rows but the mark.
TRUNCATE leads;
SELECT changed();
SELECT count(*) FROM freshcrm.collection_slot s JOIN freshcrm.collection c ON c.id = s.collection JOIN freshcrm.projection p ON p.id = c.projection
WHERE p.target = 'live_hot'::regclass AND s.scope <> '00000000-0000-0000-0000-000000000000';
INSERT INTO leads SELECT g, 1 + g % 5, ('00000000-0000-0000-0000-00000000000' || g % 3)::uuid, 's', g FROM generate_series(1, 30) g;
SELECT changed();

-- In the other modes.
SELECT freshcrm.alter_projection('live_hot', mode => 'commit');
BEGIN;
UPDATE leads SET amount = 0 WHERE id = 1;
UPDATE leads SET amount = 100 WHERE id = 1;
SELECT changed();
SELECT freshcrm.flush();
SELECT changed();
UPDATE leads SET amount = 2 WHERE id = 4;
COMMIT;
SELECT changed();
SELECT freshcrm.alter_projection('live_hot', mode => 'async');
UPDATE leads SET amount = 5 WHERE id = 1;
SELECT freshcrm.wait_for('live_hot', '1 minute');
SELECT changed();
SELECT freshcrm.alter_projection('live_hot', mode => 'immediate', on_error => 'stale');
UPDATE leads SET amount = 6 WHERE id = 1;
SELECT changed();

-- More scopes in a statement than are gathered at a time.
SELECT freshcrm.create_collection_etag('live_hot', '{id}');
INSERT INTO leads SELECT g, 1, '00000000-0000-0000-0000-000000000002', 'bulk', g FROM generate_series(1001, 21000) g;
SELECT * FROM freshcrm.verify_projection('live_hot');
UPDATE leads SET amount = -amount;
SELECT * FROM freshcrm.verify_projection('live_hot');
UPDATE customers SET name = 'all' WHERE id = 1;
SELECT * FROM freshcrm.verify_projection('live_hot');
DELETE FROM leads WHERE id > 1000;
SELECT * FROM freshcrm.verify_projection('live_hot');
SELECT changed();
SELECT freshcrm.drop_collection_etag('live_hot', '{id}');

-- What somebody has done to the slots is found, and mended.
SELECT changed();
UPDATE freshcrm.collection_slot s SET sum = set_byte(s.sum, 0, 255 - get_byte(s.sum, 0)) FROM freshcrm.collection c, freshcrm.projection p
WHERE c.id = s.collection AND p.id = c.projection AND p.target = 'live_hot'::regclass AND c.columns = '{}' AND s.rows > 0;
SELECT changed();
SELECT * FROM freshcrm.verify_projection('live_hot', repair => true);
SELECT changed();
DELETE FROM freshcrm.collection_slot s USING freshcrm.collection c WHERE c.id = s.collection AND c.columns = '{2,3}' AND s.rows > 0;
SELECT * FROM freshcrm.verify_projection('live_hot');
CALL freshcrm.rebuild_projection('live_hot');
SELECT changed();
-- Another number of rows alone, and the rows of one scope in another.
UPDATE freshcrm.collection_slot s SET rows = rows + 1 FROM freshcrm.collection c WHERE c.id = s.collection AND c.columns = '{2}' AND s.rows > 0;
SELECT * FROM freshcrm.verify_projection('live_hot', repair => true);
UPDATE freshcrm.collection_slot s SET scope = 'ffffffff-0000-0000-0000-000000000000' FROM freshcrm.collection c
WHERE c.id = s.collection AND c.columns = '{2}' AND s.rows > 0;
SELECT * FROM freshcrm.verify_projection('live_hot', repair => true);
SELECT changed();
-- A row that was written to past the guard.
ALTER TABLE live_hot DISABLE TRIGGER USER;
DELETE FROM live_hot WHERE id = 1;
UPDATE live_hot SET version_etag = 'x', owner_user_id = NULL WHERE id = 2;
ALTER TABLE live_hot ENABLE TRIGGER USER;
SELECT * FROM freshcrm.verify_projection('live_hot', repair => true) ORDER BY 1, 2;
SELECT changed();

SELECT freshcrm.drop_collection_etag('live_hot', '{owner_user_id,stage}');
SELECT changed();
SELECT * FROM freshcrm.collections;
SELECT freshcrm.drop_projection('live_hot', keep_table => true);
SELECT * FROM tags;
SELECT * FROM freshcrm.collections;
SELECT count(*) FROM freshcrm.collection_slot;
DROP SCHEMA collection CASCADE;
