-- Bad input: each case has its SQLSTATE, detail and hint, and leaves nothing half-made.
CREATE SCHEMA bad;
SET search_path = bad, public;
SET client_min_messages = warning;
CREATE TABLE a (id integer PRIMARY KEY, x integer, t timestamptz, s text);
CREATE TABLE b (id integer PRIMARY KEY, a_id integer, y integer);
CREATE TABLE parted (id integer, a_id integer) PARTITION BY LIST (id);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE part PARTITION OF parted DEFAULT SERVER nowhere;
CREATE TABLE parent (id integer);
CREATE TABLE child () INHERITS (parent);
CREATE UNLOGGED TABLE unlogged (id integer PRIMARY KEY);
CREATE TABLE hidden (id integer PRIMARY KEY, a_id integer);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE ROLE freshcrm_seer;
ALTER TABLE hidden OWNER TO freshcrm_seer;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM a;
CREATE FUNCTION vol(integer) RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT $1';
CREATE FUNCTION sta(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE VIEW good AS SELECT id, x FROM a;
INSERT INTO a VALUES (1, 1), (2, 1);
INSERT INTO b VALUES (1, 1, 1), (2, 1, 1);

-- What a half-made projection could leave.
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS
$$ SELECT concat((SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'bad'::regnamespace),
                 (SELECT count(*) FROM freshcrm.projections),
                 (SELECT count(*) FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc)) $$;
-- Runs a statement that must fail, shows what is said, and whether anything stays.
CREATE FUNCTION fails(statement text) RETURNS TABLE (said text) LANGUAGE plpgsql AS
$$
DECLARE
    before text := state();
    message text; detail text; hint text; context text;
BEGIN
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION 'NO ERROR';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
                                context = PG_EXCEPTION_CONTEXT;
        RETURN QUERY SELECT SQLSTATE || ': ' || regexp_replace(message, 'pg_temp_\d+', 'pg_temp');
        IF detail <> '' THEN RETURN QUERY SELECT 'detail: ' || detail; END IF;
        IF hint <> '' THEN RETURN QUERY SELECT 'hint: ' || hint; END IF;
        RETURN QUERY SELECT 'context: ' || line FROM regexp_split_to_table(context, E'\n') line WHERE line LIKE 'maintenance%';
    END;
    IF state() <> before THEN
        RETURN QUERY SELECT 'LEFT: ' || state();
    END IF;
END
$$;
-- The same for a view made of a query.
CREATE FUNCTION refuses(query text, key text DEFAULT 'id') RETURNS TABLE (said text) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE 'CREATE VIEW bad.v AS ' || query;
    RETURN QUERY SELECT * FROM fails(format('SELECT freshcrm.create_projection(''bad.v'', ARRAY[%L], ''v_hot'')', key));
    DROP VIEW bad.v;
END
$$;
\t on

-- Arguments.
SELECT * FROM fails($$SELECT freshcrm.create_projection('nowhere', '{id}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('a', '{id}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('mv', '{id}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{nokey}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id,id}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{NULL}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', NULL)$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection(NULL, '{id}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', mode => 'never')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', on_error => 'ignore')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '[]')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"fill": 1}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"fillfactor": 5}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"fillfactor": "90"}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"trigger_names": 5}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"trigger_names": {"b": "t"}}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"direct_writes": "true"}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"direct_writes": null}')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"direct_writes": []}')$$);

-- Keys that are NULL or not unique, when it is made.
SELECT * FROM refuses('SELECT x AS id FROM a');
SELECT * FROM refuses('SELECT b.a_id AS id, b.y FROM b');
SELECT * FROM refuses('SELECT a.id, b.y FROM a JOIN b ON b.a_id = a.id');
INSERT INTO b VALUES (3, NULL, 1);
SELECT * FROM refuses('SELECT a_id AS id FROM b WHERE id = 3');
DELETE FROM b WHERE id = 3;

-- What changes without a change of data.
SELECT * FROM refuses('SELECT id, random() FROM a');
SELECT * FROM refuses('SELECT id, vol(x) FROM a');
SELECT * FROM refuses('SELECT id, sta(x) FROM a');
SELECT * FROM refuses('SELECT id FROM a WHERE t < now()');
SELECT * FROM refuses('SELECT id FROM a WHERE t < CURRENT_DATE');
SELECT * FROM refuses('SELECT id, t::text FROM a');
SELECT * FROM refuses('SELECT id, xmin AS version FROM a');

-- What this version does not trace.
SELECT * FROM refuses('SELECT a.id, (SELECT max(y) FROM b) FROM a');
SELECT * FROM refuses('SELECT a.id, (SELECT max(y) FROM b WHERE b.a_id > a.id) FROM a');
SELECT * FROM refuses('SELECT a.id FROM a CROSS JOIN b');
SELECT * FROM refuses('SELECT a.id, c.y FROM a CROSS JOIN b LEFT JOIN b c ON c.id = b.id AND c.a_id = a.id');
SELECT * FROM refuses('SELECT a.id FROM a FULL JOIN b ON b.a_id = a.id');
SELECT * FROM refuses('SELECT b.id FROM a LEFT JOIN b ON b.a_id = a.id');
SELECT * FROM refuses('SELECT a.id + b.id AS id FROM a JOIN b ON b.a_id = a.id');
SELECT * FROM refuses('SELECT max(a_id) AS id, count(*) FROM b GROUP BY a_id');
SELECT * FROM refuses('SELECT a_id AS id, y, count(*) FROM b GROUP BY ROLLUP (a_id, y)');
SELECT * FROM refuses('SELECT DISTINCT ON (x) id FROM a ORDER BY x, id');
SELECT * FROM refuses('SELECT id FROM a ORDER BY x LIMIT 1');
SELECT * FROM refuses('SELECT id, row_number() OVER () FROM a');
SELECT * FROM refuses('SELECT id FROM a UNION ALL SELECT max(a_id) FROM b');
SELECT * FROM refuses('WITH RECURSIVE w AS (SELECT id FROM a UNION SELECT id + 1 FROM w WHERE id < 3) SELECT id FROM w');
SELECT * FROM refuses('SELECT a.id, l.y FROM a LEFT JOIN LATERAL (SELECT b.y FROM b ORDER BY b.id LIMIT 1) l ON true');
SELECT * FROM refuses('SELECT a.id, (SELECT b.y FROM b WHERE b.a_id = a.id LIMIT 1) FROM a');
SELECT * FROM refuses('SELECT a.id FROM a, xmltable(''/a'' PASSING ''<a/>'' COLUMNS b text) x');
SELECT * FROM refuses('SELECT id FROM a WHERE id NOT IN (SELECT a_id FROM b)');
SELECT * FROM refuses('SELECT unnest(ARRAY[id, x]) AS id FROM a');
SELECT * FROM refuses('SELECT id FROM a WHERE (x IN (SELECT y FROM b)) IS NULL');
SELECT * FROM refuses('SELECT id FROM a FOR UPDATE');
SELECT * FROM refuses('SELECT id FROM a TABLESAMPLE SYSTEM (10)');
SELECT * FROM refuses('SELECT a.id FROM a JOIN parted p ON p.a_id = a.id');
SELECT * FROM refuses('SELECT id FROM parent');
SELECT * FROM refuses('SELECT id FROM child');
SELECT * FROM refuses('SELECT a.id FROM a JOIN mv ON mv.id > a.id');
SELECT * FROM refuses('SELECT oid AS id, relname FROM pg_class');
SELECT * FROM refuses('SELECT id FROM unlogged');
CREATE TEMP VIEW passing AS SELECT id, x FROM a;
SELECT * FROM fails($$SELECT freshcrm.create_projection('passing', '{id}', 'v_hot')$$);
CREATE VIEW seen AS SELECT a.id, h.id AS hidden FROM a LEFT JOIN hidden h ON h.a_id = a.id;
GRANT SELECT, TRIGGER ON a TO freshcrm_seer;
GRANT USAGE, CREATE ON SCHEMA bad TO freshcrm_seer;
ALTER VIEW seen OWNER TO freshcrm_seer;
SELECT * FROM fails($$SELECT freshcrm.create_projection('seen', '{id}')$$);
DROP VIEW seen;
DROP TABLE hidden;

-- Types.
SELECT * FROM refuses('SELECT id, ''1''::json AS j FROM a', 'j');
SELECT * FROM refuses('SELECT ARRAY[id] AS id FROM a');
SELECT * FROM refuses('SELECT id, ''{}''::aclitem[] AS rights FROM a');
CREATE TYPE rights AS (who aclitem);
SELECT * FROM refuses('SELECT id, ROW(makeaclitem(10, 10, ''SELECT'', false))::rights AS rights FROM a');
SELECT * FROM refuses('SELECT id, ''pg_class''::regclass AS updated_at FROM a');
SELECT * FROM refuses('SELECT ' || (SELECT string_agg('id AS id' || g, ', ') FROM generate_series(1, 900) g) || ' FROM a', 'id1');
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => jsonb_build_object('trigger_names', jsonb_build_object('a', repeat('n', 60))))$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', options => '{"trigger_names": {"a": ""}}')$$);

-- A table in the target's place.
CREATE TABLE other (id integer PRIMARY KEY, x bigint, updated_at timestamptz NOT NULL, version_etag text NOT NULL);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', 'other')$$);
ALTER TABLE other ALTER x TYPE integer, ADD extra integer;
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', 'other')$$);
ALTER TABLE other DROP extra, DROP updated_at;
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', 'other')$$);
ALTER TABLE other ADD updated_at timestamptz NOT NULL, DROP CONSTRAINT other_pkey;
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', 'other')$$);
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}', 'mv')$$);
SELECT * FROM fails($$SELECT freshcrm.drop_projection('other')$$);
SELECT * FROM fails($$SELECT freshcrm.verify_projection('other')$$);
SELECT * FROM fails($$SELECT freshcrm.recompute('other', ARRAY[1])$$);
CREATE TABLE loop (id integer PRIMARY KEY, updated_at timestamptz NOT NULL, version_etag text NOT NULL);
CREATE VIEW loop_source AS SELECT id FROM loop;
SELECT * FROM fails($$SELECT freshcrm.create_projection('loop_source', '{id}', 'loop')$$);

-- The trigger function, misused.
CREATE FUNCTION misuse(arguments text, timing text, level text DEFAULT 'STATEMENT') RETURNS TABLE (said text) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('CREATE TRIGGER misused %s ON bad.a FOR EACH %s EXECUTE FUNCTION freshcrm.capture(%s)', timing, level, arguments);
    RETURN QUERY SELECT * FROM fails('INSERT INTO bad.a VALUES (3)');
    DROP TRIGGER misused ON bad.a;
END
$$;
SELECT * FROM misuse('', 'AFTER INSERT');
SELECT * FROM misuse('''one''', 'AFTER INSERT');
SELECT * FROM misuse('''-1''', 'AFTER INSERT');
SELECT * FROM misuse('''1''', 'BEFORE INSERT');
SELECT * FROM misuse('''-1''', 'AFTER INSERT', 'ROW');

-- Errors while a write is maintained: the write fails, and the context names the projection.
CREATE VIEW risky AS SELECT a.id, 100 / a.x AS share, (SELECT b.y FROM b WHERE b.a_id = a.id AND b.id BETWEEN 2 AND 50) AS y FROM a;
CREATE VIEW nullable AS SELECT b.y AS id, b.a_id FROM b WHERE b.id > 50;
BEGIN;
SELECT freshcrm.create_projection('risky', '{id}'), freshcrm.create_projection('nullable', '{id}');
SELECT * FROM fails('UPDATE a SET x = 0 WHERE id = 1');
SELECT * FROM fails('INSERT INTO b VALUES (5, 1, 5)');
SELECT * FROM fails('INSERT INTO b VALUES (60, 1, 7), (61, 2, 7)');
SELECT * FROM fails('INSERT INTO b VALUES (60, 1, NULL)');
-- A key that is NULL where another table makes the row appear.
CREATE TABLE na (id integer, code integer); CREATE TABLE nb (code integer);
CREATE VIEW reached AS SELECT na.id FROM na JOIN nb ON nb.code = na.code;
SELECT freshcrm.create_projection('reached', '{id}');
INSERT INTO na VALUES (NULL, 1);
SELECT * FROM fails('INSERT INTO nb VALUES (1)');
INSERT INTO b VALUES (51, 8, 60);
SELECT * FROM fails('UPDATE b SET y = NULL WHERE id = 51');
SELECT * FROM fails('SELECT freshcrm.recompute(''risky_hot'', ARRAY[''x''])');
SELECT * FROM fails('SELECT freshcrm.create_projection(''risky'', ''{id}'')');
SELECT id, a_id FROM nullable_hot;
SELECT count(*) FROM freshcrm.verify_projection('risky_hot');
SELECT count(*) FROM freshcrm.verify_projection('nullable_hot');
ROLLBACK;

-- Rights.
CREATE ROLE freshcrm_clerk;
CREATE ROLE freshcrm_owner;
GRANT USAGE, CREATE ON SCHEMA bad TO freshcrm_clerk, freshcrm_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO freshcrm_owner;
SET ROLE freshcrm_clerk;
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}')$$);
SELECT * FROM fails($$SELECT freshcrm.drop_projection('other')$$);
SELECT * FROM fails($$SELECT freshcrm.recompute('other', ARRAY[1])$$);
SELECT * FROM fails($$SELECT freshcrm.verify_projection('other')$$);
SELECT * FROM fails($$DELETE FROM freshcrm.projection$$);
SET ROLE freshcrm_owner;
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}')$$);
RESET ROLE;
ALTER VIEW good OWNER TO freshcrm_owner;
SET ROLE freshcrm_owner;
SELECT * FROM fails($$SELECT freshcrm.create_projection('good', '{id}')$$);
RESET ROLE;
GRANT SELECT, TRIGGER ON a TO freshcrm_owner;
SET ROLE freshcrm_owner;
SELECT freshcrm.create_projection('good', '{id}');
RESET ROLE;
-- A projection that a superuser makes is the view owner's, and its functions run as that one.
CREATE FUNCTION bad.whoami(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN current_user; END';
CREATE VIEW bad.mallory AS SELECT id, whoami(x) AS computed_by FROM a;
ALTER VIEW bad.mallory OWNER TO freshcrm_clerk;
GRANT SELECT, TRIGGER ON a TO freshcrm_clerk;
SELECT freshcrm.create_projection('mallory', '{id}');
INSERT INTO a VALUES (5, 5);
SELECT h.computed_by, tableowner FROM mallory_hot h, pg_tables WHERE tablename = 'mallory_hot' AND id = 5;
SET ROLE freshcrm_owner;
SELECT * FROM fails($$SELECT freshcrm.recompute('mallory_hot', ARRAY[1])$$);
SELECT * FROM fails($$SELECT freshcrm.verify_projection('mallory_hot')$$);
SELECT * FROM fails($$SELECT freshcrm.drop_projection('mallory_hot')$$);
RESET ROLE;
DROP VIEW mallory;
-- A writer needs rights on the base table only, and gains none: not through temporary objects, search_path,
-- operators or functions of its own.
GRANT INSERT, UPDATE, SELECT ON a TO freshcrm_clerk;
SET ROLE freshcrm_clerk;
CREATE TEMP TABLE a (id integer, x integer);
CREATE TEMP TABLE good_hot (id integer);
CREATE FUNCTION bad.hostile(integer, integer) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE OPERATOR bad.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = bad.hostile);
CREATE FUNCTION bad.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called'; END $$;
SET search_path = bad, pg_temp, pg_catalog;
INSERT INTO bad.a VALUES (10, 10);
UPDATE bad.a SET x = 11 WHERE x OPERATOR(pg_catalog.=) 10;
SELECT count(*) FROM bad.good_hot;
RESET ROLE;
SELECT id, x FROM bad.good_hot WHERE id OPERATOR(pg_catalog.=) 10;
SELECT count(*) AS differences FROM freshcrm.verify_projection('bad.good_hot');
-- The owner of the view and of the table are the same, so that neither acts with the other's rights.
SELECT * FROM bad.fails('ALTER TABLE bad.good_hot OWNER TO freshcrm_clerk');
ALTER EVENT TRIGGER freshcrm_follow_ddl DISABLE;
ALTER TABLE bad.good_hot OWNER TO freshcrm_clerk;
SELECT * FROM bad.fails('UPDATE bad.a SET x = 12 WHERE id OPERATOR(pg_catalog.=) 10');
ALTER TABLE bad.good_hot OWNER TO freshcrm_owner;
ALTER EVENT TRIGGER freshcrm_follow_ddl ENABLE ALWAYS;
-- The owner's rights are those that count, and an error says which are missing.
REVOKE SELECT ON bad.a FROM freshcrm_owner;
SELECT * FROM bad.fails('UPDATE bad.a SET x = 12 WHERE id OPERATOR(pg_catalog.=) 10');
DROP OPERATOR bad.= (integer, integer);
DROP TABLE pg_temp.a, pg_temp.good_hot;
\t off
\set VERBOSITY terse
DROP SCHEMA bad CASCADE;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
DROP OWNED BY freshcrm_clerk, freshcrm_owner, freshcrm_seer;
DROP ROLE freshcrm_clerk, freshcrm_owner, freshcrm_seer;
