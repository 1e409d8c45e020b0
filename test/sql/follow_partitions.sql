-- Partitions that come and go: only the rows that they bring or take along are recomputed.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
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
