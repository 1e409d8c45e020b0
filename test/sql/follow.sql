-- DDL on the views and tables of projections is followed, or refused.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
\set ECHO all
\pset null '<null>'

CREATE SCHEMA f;
SET search_path = f, public;
CREATE TYPE stage AS ENUM ('new', 'won');
CREATE TABLE a (id integer PRIMARY KEY, x text, stage stage);
CREATE TABLE b (id integer PRIMARY KEY, a_id integer, y text, extra text);
CREATE TABLE c (id integer PRIMARY KEY, a_id integer, z text);
INSERT INTO a SELECT g, 'a' || g, 'new' FROM generate_series(1, 5) g;
INSERT INTO b SELECT g, g, 'b' || g FROM generate_series(1, 5) g;
INSERT INTO c SELECT g, g, 'c' || g FROM generate_series(1, 5) g;
CREATE VIEW nested AS SELECT b.a_id, b.y AS value FROM b;
CREATE VIEW v AS SELECT a.id, a.x, n.value FROM a LEFT JOIN nested n ON n.a_id = a.id;
SELECT freshcrm.create_projection('v', '{id}', options => '{"trigger_names": {"b": "track b"}}');

CREATE FUNCTION captured(target regclass) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(tgrelid::regclass || ' ' || regexp_replace(tgname, '\d+', 'ID'), ', ' ORDER BY tgrelid::regclass::text, tgname)
   FROM pg_trigger, freshcrm.projection p WHERE p.target = captured.target AND tgfoid = 'freshcrm.capture'::regproc
   AND tgargs = convert_to(p.id::text, 'UTF8') || '\x00' $$;
-- Writes to every table, and compares after each write.
CREATE FUNCTION differences() RETURNS TABLE (at text, projection regclass, difference text) LANGUAGE plpgsql AS
$$
DECLARE statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY['SELECT', 'UPDATE a SET x = x || ''+''', 'UPDATE b SET y = y || ''+''', 'UPDATE c SET z = z || ''+''',
        'INSERT INTO a VALUES (100, ''late'')', 'INSERT INTO b VALUES (100, 100, ''late'')',
        'INSERT INTO c VALUES (100, 100, ''late'')',
        'UPDATE a SET id = 101 WHERE id = 100', 'DELETE FROM b WHERE id = 100', 'DELETE FROM c WHERE id = 100', 'DELETE FROM a WHERE id = 101'] LOOP
        EXECUTE statement;
        RETURN QUERY SELECT statement, p.projection, difference(p.projection) FROM freshcrm.projections p WHERE difference(p.projection) IS NOT NULL;
    END LOOP;
    RETURN QUERY SELECT 'verify', p.projection, v.key::text FROM freshcrm.projections p, freshcrm.verify_projection(p.projection) v;
END
$$;
SELECT * FROM differences();

-- The view replaced: a table is read now, another no longer; the nested view likewise.
CREATE OR REPLACE VIEW v AS SELECT a.id, a.x, c.z AS value FROM a LEFT JOIN c ON c.a_id = a.id;
SELECT * FROM differences();
SELECT captured('v_hot');
CREATE OR REPLACE VIEW v AS SELECT a.id, upper(a.x) AS x, n.value FROM a LEFT JOIN nested n ON n.a_id = a.id;
SELECT * FROM differences();
SELECT captured('v_hot');
CREATE OR REPLACE VIEW nested AS SELECT c.a_id, c.z || '!' AS value FROM c;
SELECT * FROM differences();
SELECT captured('v_hot');
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO nested DO INSTEAD SELECT b.a_id, b.y AS value FROM b WHERE b.id <> 3;
SELECT * FROM differences();
SELECT captured('v_hot');
SELECT count(*) FILTER (WHERE value IS NULL) AS without_value FROM v_hot;

-- In a block, twice in a transaction, and rolled back in part.
BEGIN;
DO $$
BEGIN
    CREATE OR REPLACE VIEW v AS SELECT a.id, 'done'::text AS x, c.z AS value FROM a LEFT JOIN c ON c.a_id = a.id;
    UPDATE c SET z = 'written in the block' WHERE id = 1;
END $$;
SELECT difference('v_hot'), count(*) FILTER (WHERE x = 'done') AS new, count(*) FILTER (WHERE value = 'written in the block') AS written FROM v_hot;
SAVEPOINT s;
CREATE OR REPLACE VIEW v AS SELECT a.id, 'undone'::text AS x, c.z AS value, a.stage FROM a LEFT JOIN c ON c.a_id = a.id;
ALTER TABLE v_hot RENAME COLUMN x TO renamed;
UPDATE a SET x = 'x';
SELECT difference('v_hot'), count(*) FILTER (WHERE renamed = 'undone') AS new FROM v_hot;
ROLLBACK TO s;
UPDATE a SET x = 'x';
SELECT difference('v_hot'), count(*) FILTER (WHERE x = 'done') AS new FROM v_hot;
ROLLBACK;
SELECT * FROM differences();
SELECT captured('v_hot');

-- Columns added to the view are added to the table, made or adopted.
CREATE TABLE adopted (updated_at timestamptz NOT NULL, version_etag text NOT NULL, value text, id integer PRIMARY KEY, x text);
SELECT freshcrm.create_projection('v', '{id}', 'adopted');
CREATE OR REPLACE VIEW v AS SELECT a.id, a.x, n.value, a.stage, 1.50::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C" FROM a LEFT JOIN nested n ON n.a_id = a.id;
\d v_hot
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'adopted'::regclass AND attnum > 0;
SELECT * FROM differences();
CREATE OR REPLACE VIEW v AS SELECT a.id, a.x, n.value, a.stage, 1.50::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", now() AS updated_at FROM a LEFT JOIN nested n ON n.a_id = a.id;
-- One that the table has already is taken when it has the same type.
ALTER TABLE adopted ADD COLUMN ready integer;
CREATE OR REPLACE VIEW v AS SELECT a.id, a.x, n.value, a.stage, 1.50::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready FROM a LEFT JOIN nested n ON n.a_id = a.id;
SELECT * FROM differences();
ALTER TABLE adopted ADD COLUMN other text;
CREATE OR REPLACE VIEW v AS SELECT a.id, a.x, n.value, a.stage, 1.50::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, a.id AS other FROM a LEFT JOIN nested n ON n.a_id = a.id;
SELECT difference('adopted'), difference('v_hot');
SELECT freshcrm.drop_projection('adopted');
DROP TABLE adopted;

-- Renamed columns of the view, the table and the base tables: the first two may be called differently. Keys too.
ALTER VIEW v RENAME COLUMN id TO lead;
ALTER VIEW v RENAME COLUMN x TO title;
ALTER VIEW nested RENAME COLUMN value TO inner_value;
ALTER TABLE a RENAME COLUMN stage TO phase;
SELECT * FROM differences();
ALTER TABLE v_hot RENAME COLUMN id TO "Key";
ALTER TABLE v_hot RENAME COLUMN value TO lead;
ALTER TABLE v_hot RENAME COLUMN x TO id;
SELECT * FROM differences();
SELECT projection, source, key, state FROM freshcrm.projections;
SELECT columns FROM freshcrm.projection;
SET session_replication_role = replica;
DELETE FROM v_hot WHERE "Key" = 2;
UPDATE v_hot SET lead = 'forged' WHERE "Key" = 3;
RESET session_replication_role;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true) ORDER BY key::text;
SELECT * FROM freshcrm.recompute('v_hot', ARRAY[2, 3]);
SELECT * FROM differences();
CREATE VIEW pairs AS SELECT a_id, id AS b_id, y FROM b;
SELECT freshcrm.create_projection('pairs', '{b_id,a_id}');
ALTER TABLE pairs_hot RENAME COLUMN a_id TO one;
ALTER VIEW pairs RENAME COLUMN b_id TO two;
SELECT * FROM differences();
SELECT * FROM freshcrm.recompute('pairs_hot', (SELECT array_agg(ROW(id, a_id)) FROM b));
INSERT INTO b VALUES (70, NULL, 'NULL key');
DROP VIEW pairs; DROP TABLE pairs_hot;
-- A view that is replaced once its columns were renamed.
CREATE OR REPLACE VIEW v AS SELECT a.id AS lead, lower(a.x) AS title, n.inner_value AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth
    FROM a LEFT JOIN nested n ON n.a_id = a.id;
SELECT * FROM differences();

-- What lineage refuses fails, with its reason, and nothing has changed.
CREATE TABLE child () INHERITS (b);
CREATE TABLE separate (LIKE b);
ALTER TABLE separate INHERIT b;
ALTER TABLE b INHERIT separate;
ALTER TABLE b SET UNLOGGED;
CREATE SCHEMA g CREATE TABLE child () INHERITS (f.b);
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, b.y || random() AS inner_value FROM b;
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, (SELECT max(z) FROM c) AS inner_value FROM b;
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, b.y AS inner_value FROM b UNION ALL SELECT b.a_id, b.y AS inner_value FROM b;
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, (100 / (b.id - 1))::text AS inner_value FROM b;
CREATE OR REPLACE VIEW v AS SELECT CASE WHEN a.id > 1 THEN a.id END AS lead, a.x AS title, n.inner_value AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth
    FROM a LEFT JOIN nested n ON n.a_id = a.id;
CREATE OR REPLACE VIEW nested AS SELECT h."Key" AS a_id, h.id AS inner_value FROM v_hot h;
-- So does what would make the table no table of the projection.
ALTER TABLE v_hot DROP COLUMN lead;
ALTER TABLE v_hot ALTER COLUMN lead TYPE varchar(100);
ALTER TABLE v_hot RENAME COLUMN version_etag TO tag;
ALTER TABLE v_hot DROP COLUMN updated_at;
ALTER TABLE v_hot DROP CONSTRAINT v_hot_pkey;
ALTER TABLE v_hot ADD UNIQUE ("Key"), DROP CONSTRAINT v_hot_pkey, ALTER "Key" SET NOT NULL;
ALTER TABLE v_hot SET UNLOGGED;
CREATE TABLE child () INHERITS (v_hot);
SELECT * FROM differences();
SELECT captured('v_hot');
-- Several commands in one, and what does not matter.
ALTER TABLE b ADD COLUMN note text DEFAULT 'n', DROP COLUMN extra, ADD CHECK (y <> ''), ALTER y SET STORAGE PLAIN;
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, b.y AS inner_value FROM b;
ALTER TABLE b ALTER COLUMN id TYPE bigint;
CREATE TEMP TABLE b (id integer); DROP TABLE pg_temp.b;
SELECT * FROM differences();

-- Types and functions that the view is made of.
ALTER TYPE stage RENAME VALUE 'new' TO 'fresh';
SELECT * FROM differences();
ALTER TYPE stage RENAME TO phase;
SELECT * FROM differences();
CREATE TYPE pair AS (l integer, r text);
CREATE FUNCTION shown(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN ''<'' || $1 || ''>''; END';
CREATE FUNCTION joined(text, text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 || $2; END';
CREATE TEXT SEARCH DICTIONARY stopped (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION words (PARSER = default);
CREATE OPERATOR |+| (LEFTARG = text, RIGHTARG = text, FUNCTION = joined);
CREATE VIEW w AS SELECT c.id, c AS whole, shown(c.z) AS shown, ROW(c.id, c.z)::pair AS pair, c.z |+| '.' AS joined,
    to_tsvector('words', 'the ' || c.z) AS words FROM c;
SELECT freshcrm.create_projection('w', '{id}');
ALTER TABLE c ADD COLUMN more integer;
SELECT difference('w_hot'), whole FROM w_hot WHERE id = 1;
ALTER TABLE c RENAME COLUMN more TO most;
UPDATE c SET most = 6 WHERE id = 1;
SELECT difference('w_hot'), whole FROM w_hot WHERE id = 1;
ALTER TABLE c DROP COLUMN most;
SELECT difference('w_hot'), whole FROM w_hot WHERE id = 1;
ALTER TYPE pair RENAME ATTRIBUTE r TO s;
ALTER TYPE pair ADD ATTRIBUTE t integer;
SELECT difference('w_hot'), pair FROM w_hot WHERE id = 1;
CREATE OR REPLACE FUNCTION shown(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN ''['' || $1 || '']''; END';
CREATE OR REPLACE FUNCTION joined(text, text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 || ''-'' || $2; END';
SELECT difference('w_hot'), shown, joined FROM w_hot WHERE id = 1;
ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR asciiword, numword WITH stopped;
SELECT difference('w_hot'), words FROM w_hot WHERE id = 1;
ALTER TEXT SEARCH DICTIONARY stopped (stopwords = english);
SELECT difference('w_hot'), words FROM w_hot WHERE id = 1;
ALTER FUNCTION shown(text) VOLATILE;
SELECT * FROM differences();
DROP VIEW w; DROP TABLE w_hot;

-- A projection made of another.
CREATE VIEW over AS SELECT h."Key" AS id, h.lead AS value, h.stage FROM v_hot h;
SELECT freshcrm.create_projection('over', '{id}');
ALTER TABLE v_hot RENAME COLUMN lead TO "Lead";
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, b.y || '?' AS inner_value, b.note FROM b;
CREATE OR REPLACE VIEW v AS SELECT a.id AS lead, a.x AS title, n.inner_value AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth, n.note
    FROM a LEFT JOIN nested n ON n.a_id = a.id;
SELECT * FROM differences();
ALTER TYPE phase RENAME VALUE 'won' TO 'gained';
SELECT * FROM differences();
UPDATE a SET phase = 'gained' WHERE id = 1;
SELECT * FROM differences();
SELECT value, stage FROM over_hot WHERE id = 1;
DROP VIEW over; DROP TABLE over_hot;

-- Capture triggers that are disabled, dropped or replaced: said at once, shown, and mended.
SELECT state, problem FROM freshcrm.projections;
ALTER TABLE b DISABLE TRIGGER ALL;
UPDATE b SET y = 'while disabled' WHERE a_id = 1;
SELECT state, problem, difference(projection) FROM freshcrm.projections;
ALTER TABLE b ADD COLUMN unrelated integer;
SELECT state FROM freshcrm.projections;
ALTER TABLE b ENABLE TRIGGER USER;
SELECT state, problem, difference(projection) FROM freshcrm.projections;
ALTER TABLE b ENABLE ALWAYS TRIGGER "track b";
ALTER TABLE b ENABLE REPLICA TRIGGER "track b_delete";
SELECT state, problem FROM freshcrm.projections;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true);
SELECT state, problem FROM freshcrm.projections;
SELECT * FROM differences();
DROP TRIGGER "track b_insert" ON b;
DROP TRIGGER "track b" ON b;
UPDATE b SET y = 'while it was gone' WHERE a_id = 1;
SELECT state, problem, difference(projection) FROM freshcrm.projections;
CREATE TRIGGER t AFTER INSERT ON b EXECUTE FUNCTION suppress_redundant_updates_trigger(); DROP TRIGGER t ON b;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true);
SELECT state, problem FROM freshcrm.projections;
SELECT captured('v_hot');
SELECT * FROM differences();
CREATE OR REPLACE TRIGGER "track b" AFTER UPDATE ON b EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT state, problem FROM freshcrm.projections;
DROP TRIGGER "track b" ON b;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true);
DROP TRIGGER "track b" ON b; DROP TRIGGER "track b_insert" ON b; DROP TRIGGER "track b_delete" ON b; DROP TRIGGER "track b_truncate" ON b;
UPDATE b SET y = 'while all were gone' WHERE a_id = 1;
SELECT state, problem, difference(projection) FROM freshcrm.projections;
CREATE OR REPLACE VIEW nested AS SELECT b.a_id, b.y AS inner_value, b.note FROM b;
SELECT state, problem FROM freshcrm.projections;
SELECT captured('v_hot');
SELECT * FROM differences();
-- Partitions that come and go, with their rows.
CREATE TABLE p (id integer, a_id integer, amount integer) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p3 (LIKE p);
INSERT INTO p VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO p3 VALUES (21, 1, 100);
CREATE VIEW s AS SELECT a.id, (SELECT sum(p.amount) FROM p WHERE p.a_id = a.id) AS total FROM a;
SELECT freshcrm.create_projection('s', '{id}');
CREATE FUNCTION write_all() RETURNS TABLE (root text, part text, loaded text) LANGUAGE plpgsql AS
$$
DECLARE leaf regclass;
BEGIN
    FOR leaf IN SELECT relid FROM pg_partition_tree('p') WHERE isleaf LOOP
        UPDATE p SET amount = amount + 1; root := difference('s_hot');
        EXECUTE format('UPDATE %s SET amount = amount + 1', leaf); part := difference('s_hot');
        SET LOCAL session_replication_role = replica;
        EXECUTE format('UPDATE %s SET amount = amount + 1', leaf); loaded := difference('s_hot');
        SET LOCAL session_replication_role = origin;
        IF concat(root, part, loaded) <> '' THEN RETURN NEXT; END IF;
    END LOOP;
END
$$;
ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p2 VALUES (11, 3, 1000);
SELECT difference('s_hot'), sum(total) FROM s_hot;
SELECT * FROM write_all();
ALTER TABLE p DETACH PARTITION p1;
SELECT difference('s_hot'), sum(total) FROM s_hot;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'p1'::regclass;
UPDATE p1 SET amount = 0;
DROP TABLE p2;
SELECT difference('s_hot'), sum(total) FROM s_hot;
ALTER TABLE p3 DISABLE TRIGGER USER;
UPDATE p3 SET amount = 7;
SELECT state, problem, difference(projection) FROM freshcrm.projections WHERE source = 's'::regclass;
ALTER TABLE p3 ENABLE TRIGGER USER;
SELECT state, problem, difference(projection) FROM freshcrm.projections WHERE source = 's'::regclass;
SELECT * FROM write_all();
ALTER TABLE p3 DISABLE TRIGGER USER;
SELECT * FROM freshcrm.verify_projection('s_hot', repair => true);
SELECT state, problem, difference(projection) FROM freshcrm.projections WHERE source = 's'::regclass;
SELECT * FROM write_all();
-- A further column of a partitioned table: the column and the triggers come without a warning, and later DDL is followed.
CREATE VIEW grown AS SELECT c.id FROM c;
SELECT freshcrm.create_projection('grown', '{id}');
CREATE OR REPLACE VIEW grown AS SELECT c.id, (SELECT sum(p.amount) FROM p WHERE p.a_id = c.a_id) AS total FROM c;
ALTER TABLE p DETACH PARTITION p3;
SELECT difference('grown_hot'), difference('s_hot');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'p3'::regclass AND tgfoid = 'freshcrm.capture'::regproc;
ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30);
SELECT difference('grown_hot'), difference('s_hot'), sum(total) FROM grown_hot;
DROP VIEW grown; DROP TABLE grown_hot;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE elsewhere PARTITION OF p FOR VALUES FROM (30) TO (40) SERVER nowhere;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP VIEW s; DROP TABLE s_hot, p;

-- Also where the session is a replica, in which other event triggers do not fire.
SET session_replication_role = replica;
CREATE OR REPLACE VIEW nested AS SELECT c.a_id, c.z AS inner_value, 'c' AS note FROM c;
RESET session_replication_role;
SELECT * FROM differences();
SELECT captured('v_hot');

-- The owner of the view is that of the table, if the user may give it both.
CREATE ROLE freshcrm_first;
CREATE ROLE freshcrm_second;
CREATE ROLE freshcrm_third;
GRANT USAGE, CREATE ON SCHEMA f TO freshcrm_first, freshcrm_second;
GRANT SELECT, TRIGGER ON a, c TO freshcrm_first, freshcrm_second;
GRANT freshcrm_second TO freshcrm_first;
ALTER TABLE v_hot OWNER TO freshcrm_first;
ALTER VIEW v OWNER TO freshcrm_third;
GRANT SELECT ON nested TO freshcrm_first, freshcrm_second;
ALTER VIEW v OWNER TO freshcrm_first;
SELECT relname, relowner::regrole FROM pg_class WHERE relname IN ('v', 'v_hot') ORDER BY 1;
SELECT * FROM differences();
SET ROLE freshcrm_first;
ALTER VIEW f.v OWNER TO freshcrm_third;
ALTER VIEW f.v OWNER TO freshcrm_second;
RESET ROLE;
SELECT relname, relowner::regrole FROM pg_class WHERE relname IN ('v', 'v_hot') ORDER BY 1;
SELECT * FROM differences();
REASSIGN OWNED BY freshcrm_second TO freshcrm_first;
SELECT relname, relowner::regrole FROM pg_class WHERE relname IN ('v', 'v_hot') ORDER BY 1;
SELECT * FROM differences();
-- It computes with the rights of that owner, who does not own the tables.
REVOKE SELECT ON c FROM freshcrm_first, freshcrm_second;
ALTER TABLE a ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION whoami(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN current_user; END';
CREATE OR REPLACE VIEW v AS SELECT a.id AS lead, whoami(a.id) AS title, 'v'::text AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth, a.x AS note FROM a;
SELECT DISTINCT id AS computed_by FROM v_hot;
SET ROLE freshcrm_first;
CREATE OR REPLACE VIEW f.v AS SELECT a.id AS lead, c.z AS title, 'v'::text AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth, a.x AS note
    FROM f.a LEFT JOIN f.c ON c.a_id = a.id;
RESET ROLE;

-- Event triggers of others, and the extension dropped: the table stays as it is.
CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO f.notes (tag, object) SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands(); END $$;
CREATE TABLE notes (n integer GENERATED ALWAYS AS IDENTITY, tag text, object text);
GRANT INSERT ON notes TO freshcrm_first;
CREATE EVENT TRIGGER a_first ON ddl_command_end EXECUTE FUNCTION noted();
CREATE OR REPLACE VIEW v AS SELECT a.id AS lead, a.x AS title, 'v'::text AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.x COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth, a.x AS note, 10 AS tenth FROM a;
SELECT tag, object FROM notes ORDER BY n;
DROP EVENT TRIGGER a_first;
SELECT * FROM differences();
\set VERBOSITY terse
BEGIN;
DROP EXTENSION freshcrm CASCADE;
UPDATE a SET x = 'after the extension' WHERE id = 1;
ALTER TABLE a RENAME COLUMN x TO free;
CREATE OR REPLACE VIEW v AS SELECT a.id AS lead, a.free AS title, 'w'::text AS value, a.phase AS stage, 2::numeric(5, 2) AS price, a.free COLLATE "C" AS "In C", a.id AS ready, 1 AS eighth, a.free AS note, 10 AS tenth FROM a;
SELECT count(*) FROM v_hot;
CREATE EXTENSION freshcrm;
ALTER TABLE a RENAME COLUMN free TO x;
ROLLBACK;
SELECT * FROM differences();
DROP SCHEMA f CASCADE;
SELECT count(*) AS definitions FROM freshcrm.projection;
DROP OWNED BY freshcrm_first, freshcrm_second, freshcrm_third;
DROP ROLE freshcrm_first, freshcrm_second, freshcrm_third;
DROP FUNCTION difference(regclass);
