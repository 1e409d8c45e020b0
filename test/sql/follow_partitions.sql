-- Partitions that come and go: only the rows that they bring or take along are recomputed.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
SET freshcrm.patch = off;  -- the view counts whole rows
\set ECHO all
CREATE SCHEMA fp;
SET search_path = fp, public;

-- Making triggers is not followed itself: forty of them cost no looks at the definitions.
CREATE TABLE few (id integer, amount integer) PARTITION BY RANGE (id);
CREATE TABLE many (id integer, amount integer) PARTITION BY RANGE (id);
DO $$
BEGIN
    FOR i IN 1..10 LOOP
        EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10);
        CONTINUE WHEN i > 2;
        EXECUTE format('CREATE TABLE few_%s PARTITION OF few FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10);
    END LOOP;
END
$$;
CREATE VIEW few_view AS SELECT id, amount FROM few;
CREATE VIEW many_view AS SELECT id, amount FROM many;
CREATE FUNCTION scans_of_creating(source regclass) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE scans bigint := (SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relid = 'freshcrm.projection'::regclass);
BEGIN
    PERFORM freshcrm.create_projection(source, '{id}');
    RETURN (SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relid = 'freshcrm.projection'::regclass) - scans;
END
$$;
SELECT scans_of_creating('few_view') < 10 AS few, scans_of_creating('many_view') < 10 AS many;
-- Other commands are followed in between, also after an error.
CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF current_setting('fp.fail', true) = 'on' THEN
        RAISE EXCEPTION 'no triggers';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'fp.few_view'::regclass AND attname = 'more') THEN
        CREATE OR REPLACE VIEW fp.few_view AS SELECT id, amount, 1 AS more FROM fp.few;
    END IF;
END
$$;
CREATE EVENT TRIGGER a_meddle ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION meddle();
\set VERBOSITY terse
SET fp.fail = on;
SELECT freshcrm.create_projection('many_view', '{id}', 'second');
DO $$ BEGIN PERFORM freshcrm.create_projection('many_view', '{id}', 'second'); EXCEPTION WHEN raise_exception THEN END $$;
\set VERBOSITY default
SET fp.fail = off;
SELECT freshcrm.create_projection('many_view', '{id}', 'second');
DROP EVENT TRIGGER a_meddle;
INSERT INTO few VALUES (10, 1);
INSERT INTO many VALUES (10, 1), (105, 2);
SELECT projection, state, difference(projection) FROM freshcrm.projections ORDER BY 1;
TABLE few_view_hot \gset row_
SELECT :row_more AS more;
DROP TABLE few, many, few_view_hot, many_view_hot, second CASCADE;

-- What a partition brings or takes along is recomputed, and no other row: worked() counts the rows computed.
CREATE SEQUENCE computed;
CREATE FUNCTION counted(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM nextval('fp.computed'); RETURN $1; END $$;
CREATE FUNCTION worked(OUT rows bigint, OUT differences text) LANGUAGE plpgsql AS
$$
BEGIN
    rows := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM computed);
    differences := (SELECT string_agg(projection || ': ' || state || ' ' || difference(projection), ', ') FROM freshcrm.projections
                    WHERE difference(projection) IS NOT NULL OR state <> 'current');
    PERFORM setval('computed', 1, false);
END
$$;
CREATE TABLE leads (id integer PRIMARY KEY);
INSERT INTO leads SELECT generate_series(1, 20);
CREATE TABLE events (id integer, lead_id integer, amount integer) PARTITION BY RANGE (id);
CREATE INDEX ON events (lead_id);
CREATE TABLE low PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE high (junk text, amount integer, lead_id integer, id integer) PARTITION BY RANGE (id);
ALTER TABLE high DROP COLUMN junk;
CREATE TABLE high_1 PARTITION OF high FOR VALUES FROM (100) TO (200);
CREATE TABLE high_2 PARTITION OF high FOR VALUES FROM (200) TO (300);
INSERT INTO low SELECT g, g, 1 FROM generate_series(1, 10) g;
INSERT INTO high (id, lead_id, amount) VALUES (100, 1, 100), (101, 11, 100), (200, 12, 100);
CREATE VIEW sums AS SELECT l.id, counted(l.id) AS n, (SELECT sum(e.amount) FROM events e WHERE e.lead_id = l.id) AS total FROM leads l;
SELECT freshcrm.create_projection('sums', '{id}');
SELECT worked();
CREATE TABLE none PARTITION OF events FOR VALUES FROM (900) TO (1000);
SELECT * FROM worked();
ALTER TABLE events ATTACH PARTITION high FOR VALUES FROM (100) TO (300);
SELECT * FROM worked();
INSERT INTO none VALUES (900, 13, 1);
INSERT INTO high_2 (id, lead_id, amount) VALUES (201, 13, 1);
SELECT * FROM worked();
ALTER TABLE events DETACH PARTITION none;
SELECT * FROM worked();
UPDATE none SET amount = 0;
ALTER TABLE events DETACH PARTITION high;
SELECT * FROM worked();
UPDATE high SET amount = 0;
SELECT * FROM worked();
SELECT DISTINCT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc ORDER BY 1;
-- Taken back, and by a name of another search_path.
BEGIN;
SET LOCAL search_path = public;
ALTER TABLE fp.events ATTACH PARTITION fp.high FOR VALUES FROM (100) TO (300);
SET LOCAL search_path = fp, public;
SELECT * FROM worked();
ROLLBACK;
SELECT * FROM worked();
-- As any key of a changed row, those of an attached one must not be NULL, nor come twice.
CREATE VIEW plain AS SELECT id, amount FROM events;
SELECT freshcrm.create_projection('plain', '{id}');
CREATE TABLE twice (LIKE events);
INSERT INTO twice VALUES (300, 1, 1), (300, 1, 1);
ALTER TABLE events ATTACH PARTITION twice FOR VALUES FROM (300) TO (400);
DELETE FROM twice WHERE ctid = '(0,1)';
ALTER TABLE events ATTACH PARTITION twice FOR VALUES FROM (300) TO (400);
SELECT * FROM worked();
DROP TABLE twice;
SELECT * FROM worked();

-- A partition that another view reads, or the same one: triggers follow its being a partition or a table by itself.
CREATE VIEW of_part AS SELECT l.id, (SELECT sum(e.amount) FROM low e WHERE e.lead_id = l.id) AS part FROM leads l;
CREATE VIEW of_both AS SELECT l.id, (SELECT sum(e.amount) FROM low e WHERE e.lead_id = l.id) AS part,
    (SELECT sum(e.amount) FROM events e WHERE e.lead_id = l.id) AS total FROM leads l;
CREATE VIEW of_other AS SELECT l.id, (SELECT sum(e.amount) FROM high_1 e WHERE e.lead_id = l.id) AS part FROM leads l;
SELECT freshcrm.create_projection('of_part', '{id}'), freshcrm.create_projection('of_both', '{id}'), freshcrm.create_projection('of_other', '{id}');
CREATE FUNCTION writes() RETURNS TABLE (written text, differences text) LANGUAGE plpgsql AS
$$
DECLARE name regclass; role text;
BEGIN
    FOREACH name IN ARRAY ARRAY['events', 'low', 'high', 'high_1']::regclass[] LOOP
        FOREACH role IN ARRAY ARRAY['origin', 'replica'] LOOP
            PERFORM set_config('session_replication_role', role, true);
            EXECUTE format('UPDATE %s SET amount = amount + 1', name);
            written := name || ' as ' || role;
            differences := (w).differences FROM worked() w;
            RETURN NEXT;
        END LOOP;
    END LOOP;
    PERFORM set_config('session_replication_role', 'origin', true);
END
$$;
ALTER TABLE events DETACH PARTITION low;
SELECT * FROM worked();
SELECT * FROM writes();
ALTER TABLE events ATTACH PARTITION high FOR VALUES FROM (100) TO (300);
SELECT * FROM worked();
SELECT * FROM writes();
ALTER TABLE high DETACH PARTITION high_1;
SELECT * FROM worked();
SELECT * FROM writes();
DROP TABLE events, high_1, low CASCADE;

-- Tables that a view reads beside each other become partitions of each other, however many there are.
CREATE TABLE list (id integer PRIMARY KEY);
INSERT INTO list VALUES (1), (2);
DO $$
DECLARE columns text := '';
BEGIN
    FOR i IN 1..12 LOOP
        EXECUTE format('CREATE TABLE p%s (id integer) PARTITION BY RANGE (id)', i);
        columns := columns || format(', (SELECT count(*) FROM p%s p WHERE p.id = l.id) AS n%1$s', i);
    END LOOP;
    EXECUTE format('CREATE VIEW of_many AS SELECT l.id%s FROM list l', columns);
END
$$;
SELECT freshcrm.create_projection('of_many', '{id}');
CREATE TABLE p12_1 PARTITION OF p12 FOR VALUES FROM (1) TO (2);
INSERT INTO p12 VALUES (1);
ALTER TABLE p11 ATTACH PARTITION p12 FOR VALUES FROM (1) TO (10);
ALTER TABLE p10 ATTACH PARTITION p11 FOR VALUES FROM (1) TO (10);
CREATE TABLE p12_2 PARTITION OF p12 FOR VALUES FROM (2) TO (3);
INSERT INTO p10 VALUES (2);
SELECT id, n1, n10, n11, n12 FROM of_many_hot ORDER BY id;
SELECT * FROM worked();
DROP TABLE list, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 CASCADE;

-- The right to a partitioned table is enough for its partitions of the same owner, also for those that come later; every
-- other table that gets triggers needs one of its own.
CREATE ROLE freshcrm_parts;
CREATE ROLE freshcrm_tables;
GRANT USAGE, CREATE ON SCHEMA fp TO freshcrm_parts, freshcrm_tables;
GRANT EXECUTE ON FUNCTION freshcrm.create_projection(regclass, name[], name, text, text, jsonb) TO freshcrm_parts;
SET ROLE freshcrm_tables;
CREATE TABLE root (id integer, amount integer) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF root FOR VALUES FROM (0) TO (100);
RESET ROLE;
CREATE VIEW of_root AS SELECT id, amount FROM root;
ALTER VIEW of_root OWNER TO freshcrm_parts;
GRANT SELECT ON root, part TO freshcrm_parts;
GRANT TRIGGER ON part TO freshcrm_parts;
SET ROLE freshcrm_parts;
SELECT freshcrm.create_projection('of_root', '{id}');
RESET ROLE;
GRANT TRIGGER ON root TO freshcrm_parts;
REVOKE TRIGGER ON part FROM freshcrm_parts;
SET ROLE freshcrm_parts;
SELECT freshcrm.create_projection('of_root', '{id}');
SET ROLE freshcrm_tables;
CREATE TABLE part_2 PARTITION OF root FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES FROM (100) TO (150);
INSERT INTO root VALUES (1, 1), (100, 1);
INSERT INTO part_2 VALUES (101, 1);
INSERT INTO part_2_1 VALUES (102, 1);
RESET ROLE;
SELECT * FROM worked();
-- Of another owner. Then nobody has the rights to all.
CREATE TABLE part_3 (LIKE root);
ALTER TABLE root ATTACH PARTITION part_3 FOR VALUES FROM (200) TO (300);
GRANT TRIGGER ON part_3 TO freshcrm_parts;
ALTER TABLE root ATTACH PARTITION part_3 FOR VALUES FROM (200) TO (300);
INSERT INTO root VALUES (200, 1);
INSERT INTO part_3 VALUES (201, 1);
SELECT * FROM worked();
SELECT g.tgname AS name FROM pg_trigger g WHERE tgrelid = 'part'::regclass AND tgtype = 4 \gset
DROP TRIGGER :"name" ON part;
SELECT * FROM freshcrm.verify_projection('of_root_hot', repair => true);
GRANT TRIGGER ON part, part_2, part_2_1 TO freshcrm_parts;
SELECT * FROM freshcrm.verify_projection('of_root_hot', repair => true);
INSERT INTO part VALUES (2, 1);
SELECT * FROM worked();
-- What was right is not, once it is taken back.
ALTER TABLE root DETACH PARTITION part_3;
REVOKE TRIGGER ON root, part, part_2, part_2_1 FROM freshcrm_parts;
CREATE TABLE part_4 PARTITION OF root FOR VALUES FROM (300) TO (400);
SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'part'::regclass AND tgtype = 4 \gset
DROP TRIGGER :"name" ON part;
SELECT * FROM freshcrm.verify_projection('of_root_hot', repair => true);
-- The right to a partition is none to what it is a partition of.
GRANT TRIGGER ON part TO freshcrm_parts;
CREATE VIEW of_part AS SELECT id, amount FROM part;
ALTER VIEW of_part OWNER TO freshcrm_parts;
SET ROLE freshcrm_parts;
SELECT freshcrm.create_projection('of_part', '{id}');
RESET ROLE;
DROP TABLE root CASCADE;
DROP OWNED BY freshcrm_parts, freshcrm_tables;
DROP ROLE freshcrm_parts, freshcrm_tables;
DROP SCHEMA fp CASCADE;
DROP FUNCTION difference(regclass);
