-- Rows that a statement moves to another partition. PostgreSQL 15 shows those of MERGE to the statement triggers of DELETE
-- and INSERT, and only where the MERGE has such an action.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
\set ECHO all
CREATE SCHEMA mp;
SET search_path = mp, public;
CREATE TABLE leads (id integer PRIMARY KEY);
INSERT INTO leads SELECT generate_series(1, 5);
CREATE TABLE events (id integer, lead_id integer, region text, amount integer, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE north PARTITION OF events FOR VALUES IN ('n');
-- Columns in another order, one dropped, and a level below.
CREATE TABLE south (amount integer, junk integer, region text NOT NULL, lead_id integer, id integer NOT NULL, PRIMARY KEY (id, region)) PARTITION BY RANGE (id);
ALTER TABLE south DROP COLUMN junk;
ALTER TABLE events ATTACH PARTITION south FOR VALUES IN ('s');
CREATE TABLE south_low PARTITION OF south FOR VALUES FROM (0) TO (100);
CREATE TABLE south_high PARTITION OF south FOR VALUES FROM (100) TO (1000);
-- What reads the root, a partition with partitions, a leaf, and what is made of another projection.
CREATE VIEW rows_of AS SELECT id, region, lead_id, amount FROM events;
CREATE VIEW sums AS SELECT l.id, (SELECT sum(e.amount) FROM events e WHERE e.lead_id = l.id) AS total FROM leads l;
CREATE VIEW souths AS SELECT id, lead_id, amount FROM south;
CREATE VIEW lows AS SELECT l.id, (SELECT count(*) FROM south_low e WHERE e.lead_id = l.id) AS n FROM leads l;
CREATE VIEW mapped AS SELECT e.region, count(*) AS n FROM events e GROUP BY e.region;
SELECT freshcrm.create_projection('rows_of', '{id,region}'), freshcrm.create_projection('sums', '{id}'),
    freshcrm.create_projection('souths', '{id}', mode => 'commit'), freshcrm.create_projection('lows', '{id}'),
    freshcrm.create_projection('rows_of', '{id,region}', 'rows_at_end', 'commit'),
    freshcrm.create_projection('mapped', '{region}', options => '{"mapping": {"mp.events": "SELECT c.region FROM changed c"}}'),
    freshcrm.create_projection('mapped', '{region}', 'mapped_at_end', 'commit', options => '{"mapping": {"mp.events": "SELECT c.region FROM changed c"}}');
CREATE VIEW stacked AS SELECT amount, count(*) AS n FROM rows_of_hot WHERE amount > 0 GROUP BY amount;
SELECT freshcrm.create_projection('stacked', '{amount}');
CREATE VIEW state AS SELECT string_agg(projection || ' ' || state || ': ' || difference(projection), ', ' ORDER BY projection::text) AS differs,
    (SELECT string_agg(id || region, ' ' ORDER BY id, region) FROM rows_of_hot) AS rows
    FROM freshcrm.projections WHERE difference(projection) IS NOT NULL OR state <> 'current';
INSERT INTO events VALUES (1, 1, 'n', 1), (2, 2, 'n', 10), (3, 3, 's', 100), (4, 4, 's', 1000), (150, 4, 's', 1000);
TABLE state;

-- UPDATE alone: no statement trigger is shown where the row comes from, nor where it goes.
MERGE INTO events e USING (VALUES (1)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = 's';
TABLE state;
MERGE INTO events e USING (VALUES (1), (2), (3)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = e.id + 200, lead_id = 5;
TABLE state;
-- UPDATE and INSERT: where it comes from is missing. UPDATE and DELETE: where it goes. All three: nothing.
MERGE INTO events e USING (VALUES (201), (7), (8)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = 's', id = 9 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, 'n', 5);
TABLE state;
MERGE INTO events e USING (VALUES (7), (8), (4)) s (id) ON e.id = s.id WHEN MATCHED AND e.id = 8 THEN DELETE WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = e.id + 10;
TABLE state;
MERGE INTO events e USING (VALUES (17), (14), (20), (150)) s (id) ON e.id = s.id WHEN MATCHED AND e.id = 150 THEN DELETE
    WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = e.id + 10 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 3, 's', 7);
TABLE state;
-- By a partition with partitions, to columns that stay and that do not; the table has rows that stay and rows that move.
MERGE INTO south e USING (VALUES (20), (9)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET id = CASE e.id WHEN 20 THEN 120 ELSE 10 END, lead_id = 2;
TABLE state;
MERGE INTO south e USING (VALUES (120), (10)) s (id) ON e.id = s.id WHEN MATCHED AND e.id > 100 THEN UPDATE SET id = 21 WHEN MATCHED THEN UPDATE SET amount = 3 WHEN NOT MATCHED THEN DO NOTHING;
TABLE state;

-- In a transaction, a savepoint that is taken back, an exception block, and with what is flushed by hand.
BEGIN;
MERGE INTO events e USING (VALUES (21)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = 'n';
SAVEPOINT s;
MERGE INTO events e USING (VALUES (21), (10)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET id = e.id + 100, region = CASE region WHEN 's' THEN 'n' ELSE 's' END;
SELECT freshcrm.flush();
TABLE state;
ROLLBACK TO s;
SELECT freshcrm.flush();
TABLE state;
DO $$
BEGIN
    MERGE INTO events e USING (VALUES (21), (10)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET id = 100 / (e.id - 10), region = 's';
EXCEPTION WHEN division_by_zero THEN
    MERGE INTO events e USING (VALUES (21)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET id = 22, region = 's';
END
$$;
COMMIT;
TABLE state;

-- Triggers of the user: one that changes where the row goes, one that does not let it come, one that does not let it go,
-- one that writes in between.
CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.region := 's'; NEW.id := NEW.id + 300; NEW.lead_id := 1; RETURN NEW; END $$;
CREATE TRIGGER redirect BEFORE UPDATE ON north FOR EACH ROW EXECUTE FUNCTION redirect();
MERGE INTO events e USING (SELECT id FROM events WHERE region = 'n') s ON e.id = s.id WHEN MATCHED THEN UPDATE SET amount = 4;
TABLE state;
DROP TRIGGER redirect ON north;
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER forget BEFORE INSERT ON north FOR EACH ROW WHEN (NEW.amount = 7) EXECUTE FUNCTION forget();
CREATE TRIGGER keep BEFORE DELETE ON south_low FOR EACH ROW WHEN (OLD.id < 20) EXECUTE FUNCTION forget();
UPDATE events SET amount = 7 WHERE id = 22;
MERGE INTO events e USING (VALUES (10), (22), (327)) s (id) ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = 'n';
TABLE state;
DROP TRIGGER forget ON north;
DROP TRIGGER keep ON south_low;
CREATE FUNCTION a_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE events SET lead_id = 1 + lead_id % 5 WHERE id < 100; RETURN NULL; END $$;
CREATE TRIGGER a_write AFTER DELETE ON north FOR EACH ROW EXECUTE FUNCTION a_write();
CREATE TRIGGER z_write AFTER INSERT ON south_low FOR EACH ROW EXECUTE FUNCTION a_write();
MERGE INTO events e USING (SELECT id FROM events) s ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = e.id % 100;
TABLE state;
MERGE INTO events e USING (SELECT id FROM events) s ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = e.id + 90;
TABLE state;
DROP TRIGGER a_write ON north;
DROP TRIGGER z_write ON south_low;

-- Other statements that move rows, or seem to.
UPDATE events SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = id - 90;
TABLE state;
WITH moved AS (UPDATE events SET region = 's', id = id + 500 WHERE region = 'n' RETURNING id) INSERT INTO events SELECT id - 400, 2, 'n', 2 FROM moved;
TABLE state;
INSERT INTO events SELECT id, 3, region, 8 FROM events ON CONFLICT (id, region) DO UPDATE SET lead_id = excluded.lead_id, amount = excluded.amount;
INSERT INTO events SELECT id, 3, region, 8 FROM events ON CONFLICT (id, region) DO UPDATE SET region = CASE excluded.region WHEN 's' THEN 'n' ELSE 's' END;
TABLE state;

-- By hash, where the key itself moves: a row deleted and one inserted in other partitions may be one and the same.
CREATE TABLE hashed (id integer PRIMARY KEY, note text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE VIEW all_of_them AS SELECT id, note FROM hashed;
CREATE VIEW some_of_them AS SELECT id, note FROM hashed_1;
INSERT INTO hashed SELECT g, g FROM generate_series(1, 20) g;
SELECT freshcrm.create_projection('all_of_them', '{id}'), freshcrm.create_projection('some_of_them', '{id}');
MERGE INTO hashed t USING (VALUES (4), (5), (21)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET id = t.id + 21 WHEN NOT MATCHED THEN INSERT VALUES (s.id);
MERGE INTO hashed t USING generate_series(1, 50) s ON t.id = s WHEN MATCHED AND t.id % 5 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET id = t.id + 50;
MERGE INTO hashed t USING generate_series(51, 100) s ON t.id = s WHEN MATCHED THEN UPDATE SET id = t.id - 50;
SELECT differs, (SELECT count(*) FROM all_of_them_hot) AS n, (SELECT count(*) FROM hashed_1) = (SELECT count(*) FROM some_of_them_hot) AS part FROM state;

-- Partitions that go and come: what is not a partition needs no such trigger, what has partitions of its own has its own.
CREATE VIEW triggers AS SELECT tgrelid::regclass AS of, count(*) FILTER (WHERE tgtype = 29 AND tgenabled = 'R') AS replicas, count(*) FILTER (WHERE tgtype = 13 AND tgenabled = 'O') AS moves
    FROM pg_trigger JOIN freshcrm.projection p ON p.target = 'souths_hot'::regclass AND tgargs = convert_to(p.id::text, 'UTF8') || '\x00'
    WHERE tgfoid = 'freshcrm.capture'::regproc AND tgtype & 1 = 1 GROUP BY 1 ORDER BY 1::text;
TABLE triggers;
ALTER TABLE events DETACH PARTITION south;
TABLE triggers;
TABLE state;
MERGE INTO south e USING (SELECT id FROM south) s ON e.id = s.id WHEN MATCHED THEN UPDATE SET id = CASE WHEN e.id < 100 THEN e.id + 600 ELSE 1 + e.id % 100 END;
TABLE state;
ALTER TABLE south DETACH PARTITION south_low;
TABLE triggers;
ALTER TABLE south ATTACH PARTITION south_low FOR VALUES FROM (0) TO (100);
ALTER TABLE events ATTACH PARTITION south FOR VALUES IN ('s');
TABLE triggers;
MERGE INTO events e USING (SELECT id FROM events) s ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 's' THEN 'n' ELSE 's' END, id = CASE WHEN e.id < 100 THEN e.id + 600 ELSE 1 + e.id % 100 END;
TABLE state;
CREATE TABLE west PARTITION OF events FOR VALUES IN ('w');
MERGE INTO events e USING (SELECT id FROM events) s ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = 'w';
TABLE state;
-- By replicas.
SET session_replication_role = replica;
MERGE INTO events e USING (SELECT id FROM events) s ON e.id = s.id WHEN MATCHED THEN UPDATE SET region = CASE WHEN e.id % 2 = 0 THEN 'n' ELSE 's' END;
RESET session_replication_role;
TABLE state;

-- A trigger that is disabled, on the root or on a partition, is a problem; enabled again it fires as it was made to.
SELECT tgname AS name FROM pg_trigger JOIN freshcrm.projection p ON p.target = 'all_of_them_hot'::regclass AND tgargs = convert_to(p.id::text, 'UTF8') || '\x00'
    WHERE tgrelid = 'hashed'::regclass AND tgtype = 13 \gset
ALTER TABLE hashed DISABLE TRIGGER :"name";
SELECT projection, state, problem FROM freshcrm.projections WHERE state <> 'current';
ALTER TABLE hashed ENABLE TRIGGER :"name";
ALTER TABLE hashed_1 DISABLE TRIGGER USER;
SELECT count(*) FROM freshcrm.projections WHERE state <> 'current';
ALTER TABLE hashed_1 ENABLE TRIGGER USER;
SELECT count(*) FROM freshcrm.projections WHERE state <> 'current';
DROP TRIGGER :"name" ON hashed;
SELECT projection, state, problem FROM freshcrm.projections WHERE state <> 'current';
SELECT DISTINCT difference FROM freshcrm.verify_projection('all_of_them_hot', repair => true);
SELECT DISTINCT difference FROM freshcrm.verify_projection('some_of_them_hot', repair => true);
MERGE INTO hashed t USING generate_series(1, 50) s ON t.id = s WHEN MATCHED THEN UPDATE SET id = t.id + 50;
TABLE state;
SELECT tgenabled, tgtype, count(*) FROM pg_trigger JOIN pg_inherits ON inhparent = 'hashed'::regclass AND inhrelid = tgrelid WHERE tgfoid = 'freshcrm.capture'::regproc GROUP BY 1, 2 ORDER BY 1, 2;
DROP VIEW state, triggers, stacked CASCADE;
SELECT count(freshcrm.drop_projection(projection)) FROM freshcrm.projections;
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc;
DROP SCHEMA mp CASCADE;
DROP FUNCTION difference(regclass);
