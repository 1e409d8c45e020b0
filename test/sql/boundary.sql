-- The boundary between C++ and the server: every way to fail, at every kind of entry. The module of
-- test/boundary counts the objects whose destructors must run.
CREATE SCHEMA boundary;
SET search_path = boundary, public;
CREATE FUNCTION fail(way text) RETURNS text LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_fail';
CREATE FUNCTION contained(way text) RETURNS text LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_contained';
CREATE FUNCTION arm(event text, way text) RETURNS void LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_arm';
CREATE FUNCTION fail_by_trigger() RETURNS trigger LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_trigger';
CREATE FUNCTION made() RETURNS bigint LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_made';
CREATE FUNCTION alive() RETURNS bigint LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_alive';
CREATE FUNCTION heap() RETURNS bigint LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_heap';
CREATE FUNCTION interrupts_held() RETURNS int LANGUAGE C
AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_interrupts_held';

-- What arrives of an error, and how many counted objects there were below it.
CREATE FUNCTION caught(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made_before bigint := made();
    message text;
    detail text;
    hint text;
    context text;
    schema_name text;
    table_name text;
    column_name text;
    type_name text;
    constraint_name text;
BEGIN
    EXECUTE query;
    RETURN 'nothing, objects ' || made() - made_before || ', alive ' || alive();
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
        context = PG_EXCEPTION_CONTEXT,
        schema_name = SCHEMA_NAME, table_name = TABLE_NAME, column_name = COLUMN_NAME,
        type_name = PG_DATATYPE_NAME, constraint_name = CONSTRAINT_NAME;
    IF length(message) > 100 THEN
        message := left(message, 3) || '… of ' || length(message);
    END IF;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, 'detail: ' || nullif(detail, ''),
                     'hint: ' || nullif(hint, ''),
                     'context: ' || (regexp_match(context, '^boundary test'))[1],
                     'names: ' || nullif(concat_ws(',', nullif(schema_name, ''), nullif(table_name, ''),
                                                   nullif(column_name, ''), nullif(type_name, ''),
                                                   nullif(constraint_name, '')), ''),
                     'objects ' || made() - made_before || ', alive ' || alive());
END
$$;

CREATE TABLE ways (at int GENERATED ALWAYS AS IDENTITY, way text PRIMARY KEY);
INSERT INTO ways (way) VALUES
    ('none'), ('runtime_error'), ('bad_alloc'), ('int'), ('empty'), ('error'), ('error_long'),
    ('ereport'), ('elog'), ('spi'), ('division'), ('unguarded'), ('nested'), ('through'), ('replaced'),
    ('destructor');

\pset format unaligned
\pset tuples_only on

-- A function.
SELECT format(E'\n%s\n%s', way, caught(format('SELECT boundary.fail(%L)', way))) FROM ways ORDER BY at;

-- The same once more, each time right after another: a following error is caught as well.
SELECT count(*) = (SELECT count(*) FROM ways) AS all_the_same
FROM (SELECT DISTINCT way, caught(format('SELECT boundary.fail(%L)', way)) AS report
      FROM ways, generate_series(1, 20) AS i) AS reports;

-- A trigger: BEFORE, AFTER and deferred to the commit.
CREATE TABLE target (id int, way text);
DO $$
DECLARE
    w text;
BEGIN
    FOR w IN SELECT way FROM boundary.ways LOOP
        EXECUTE format($q$
            CREATE TRIGGER "before %1$s" BEFORE INSERT ON boundary.target
            FOR EACH ROW WHEN (NEW.way = 'before %1$s') EXECUTE FUNCTION boundary.fail_by_trigger(%1$L);
            CREATE TRIGGER "after %1$s" AFTER INSERT ON boundary.target
            FOR EACH ROW WHEN (NEW.way = 'after %1$s') EXECUTE FUNCTION boundary.fail_by_trigger(%1$L);
            CREATE CONSTRAINT TRIGGER "deferred %1$s" AFTER INSERT ON boundary.target
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.way = 'deferred %1$s') EXECUTE FUNCTION boundary.fail_by_trigger(%1$L);
        $q$, w);
    END LOOP;
END
$$;
SELECT format(E'\n%s\n%s', way, caught(format('INSERT INTO boundary.target VALUES (1, %L)', 'before ' || way)))
FROM ways WHERE way IN ('none', 'runtime_error', 'bad_alloc', 'int', 'error', 'ereport') ORDER BY at;
SELECT count(*) = count(*) FILTER (WHERE b = a AND b = f) AS the_same_as_functions
FROM (SELECT caught(format('SELECT boundary.fail(%L)', way)) AS f,
             caught(format('INSERT INTO boundary.target VALUES (2, %L)', 'before ' || way)) AS b,
             caught(format('INSERT INTO boundary.target VALUES (3, %L)', 'after ' || way)) AS a
      FROM ways) AS reports;
INSERT INTO target VALUES (4, 'deferred error');
INSERT INTO target VALUES (4, 'deferred ereport');
SELECT 'rows ' || string_agg(id || ' ' || way, ', ' ORDER BY id), 'alive ' || alive() FROM target;

-- An error contained by C++ itself, in a subtransaction: the server's state is what it was.
SELECT way || ': ' || left(contained(way), 80) FROM ways WHERE way <> 'unguarded' ORDER BY at;
SELECT 'alive ' || alive();

-- Before the commit: the transaction fails, and nothing of it stays.
\set VERBOSITY default
BEGIN;
INSERT INTO target VALUES (10, '');
SELECT arm('pre_commit', 'runtime_error');
COMMIT;
BEGIN;
INSERT INTO target VALUES (11, '');
SELECT arm('pre_commit', 'bad_alloc');
COMMIT;
BEGIN;
INSERT INTO target VALUES (12, '');
SELECT arm('pre_commit', 'int');
COMMIT;
BEGIN;
INSERT INTO target VALUES (13, '');
SELECT arm('pre_commit', 'error');
COMMIT;
BEGIN;
INSERT INTO target VALUES (14, '');
SELECT arm('pre_commit', 'ereport');
COMMIT;
BEGIN;
INSERT INTO target VALUES (15, '');
SELECT arm('pre_commit', 'spi');
COMMIT;
BEGIN;
INSERT INTO target VALUES (16, '');
SELECT arm('pre_commit', 'unguarded');
COMMIT;
BEGIN;
SELECT arm('pre_prepare', 'error');
PREPARE TRANSACTION 'boundary';
SELECT 'rows ' || count(*), 'alive ' || alive() FROM target WHERE id >= 10;

-- After the commit: a warning, as the transaction is durable and the server must live.
SELECT 'pid ' || pg_backend_pid() AS pid \gset
BEGIN;
INSERT INTO target VALUES (20, '');
SELECT arm('commit', 'runtime_error');
COMMIT;
BEGIN;
INSERT INTO target VALUES (21, '');
SELECT arm('commit', 'bad_alloc');
COMMIT;
BEGIN;
INSERT INTO target VALUES (22, '');
SELECT arm('commit', 'int');
COMMIT;
BEGIN;
INSERT INTO target VALUES (23, '');
SELECT arm('commit', 'error');
COMMIT;
BEGIN;
INSERT INTO target VALUES (24, '');
SELECT arm('commit', 'ereport');
COMMIT;
BEGIN;
INSERT INTO target VALUES (25, '');
SELECT arm('commit', 'unguarded');
COMMIT;
BEGIN;
INSERT INTO target VALUES (26, '');
SELECT arm('commit', 'destructor');
COMMIT;
SELECT 'rows ' || count(*), 'alive ' || alive(), 'interrupts held ' || interrupts_held(),
       'same session ' || ('pid ' || pg_backend_pid() = :'pid')
FROM target WHERE id >= 20;

-- The session can still be interrupted.
SET statement_timeout = '10ms';
SELECT pg_sleep(60);
RESET statement_timeout;

-- While a transaction aborts, by itself or because of an error.
BEGIN;
INSERT INTO target VALUES (30, '');
SELECT arm('abort', 'error');
ROLLBACK;
BEGIN;
INSERT INTO target VALUES (31, '');
SELECT arm('abort', 'ereport');
ROLLBACK;
-- (The order in which psql shows an error and a warning is a race.)
SET client_min_messages = error;
BEGIN;
INSERT INTO target VALUES (32, '');
SELECT arm('abort', 'int');
SELECT 1 / 0;
ROLLBACK;
BEGIN;
INSERT INTO target VALUES (33, '');
SELECT arm('abort', 'unguarded');
SELECT fail('ereport');
ROLLBACK;
RESET client_min_messages;
SELECT 'rows ' || count(*), 'alive ' || alive(), 'interrupts held ' || interrupts_held()
FROM target WHERE id >= 30;

-- When a relation changes.
SELECT arm('relcache', 'runtime_error');
ALTER TABLE target ALTER way SET STATISTICS 10;
SELECT arm('relcache', 'ereport');
ALTER TABLE target ALTER way SET STATISTICS 11;
SELECT arm('relcache', 'unguarded');
ALTER TABLE target ALTER way SET STATISTICS 12;
SELECT 'statistics ' || attstattarget, 'alive ' || alive(), 'interrupts held ' || interrupts_held()
FROM pg_attribute WHERE attrelid = 'target'::regclass AND attname = 'way';

-- Nothing leaks: 100 000 errors of each way in a function, and as many of all ways together at every
-- other kind of entry. What the session's memory contexts hold is compared by name, and the C heap as a
-- whole, with what it was after a warm-up.
CREATE EXTENSION dblink SCHEMA public;
CREATE PROCEDURE fail_often(entry text, times int) LANGUAGE plpgsql AS $$
DECLARE
    all_ways text[] := ARRAY(
        SELECT way FROM boundary.ways
        WHERE way NOT IN ('none', 'error_long')  -- the latter only takes time
          AND NOT (entry = 'contained' AND way = 'unguarded')  -- there an object lives in the entry
          AND NOT (entry IN ('commit', 'abort') AND way = 'spi'));  -- no queries after the transaction
    w text;
BEGIN
    FOREACH w IN ARRAY all_ways LOOP
        FOR i IN 1..times LOOP
            CASE entry
                WHEN 'function' THEN
                    BEGIN
                        PERFORM boundary.fail(w);
                    EXCEPTION WHEN OTHERS THEN
                        NULL;
                    END;
                WHEN 'trigger' THEN
                    BEGIN
                        INSERT INTO boundary.target VALUES (1, 'before ' || w);
                    EXCEPTION WHEN OTHERS THEN
                        NULL;
                    END;
                WHEN 'contained' THEN
                    PERFORM boundary.contained(w);
                WHEN 'pre_commit' THEN
                    -- It would end this procedure, so another session meets it.
                    PERFORM public.dblink_exec(
                        'other', format('BEGIN; SELECT boundary.arm(%L, %L); COMMIT', entry, w), false);
                WHEN 'commit' THEN
                    PERFORM boundary.arm(entry, w);
                    COMMIT;
                WHEN 'abort' THEN
                    PERFORM boundary.arm(entry, w);
                    ROLLBACK;
            END CASE;
        END LOOP;
    END LOOP;
END
$$;
CREATE TABLE memory (at text, session int, context text, bytes numeric);
CREATE PROCEDURE remember(moment text) LANGUAGE sql AS $$
    INSERT INTO boundary.memory
    SELECT moment, pg_backend_pid(), name, sum(total_bytes) FROM pg_backend_memory_contexts GROUP BY name
    UNION ALL SELECT moment, pg_backend_pid(), 'C heap', boundary.heap()
$$;

-- The warnings after a commit are filtered out before they are built; what the boundary keeps of the
-- error until then is not.
SET client_min_messages = error;
SET log_min_messages = panic;
SET log_min_error_statement = panic;
SELECT dblink_connect('other', format(
    'dbname=%s user=%s port=%s host=%s options=''-c log_min_messages=panic -c log_min_error_statement=panic''',
    current_database(), current_user, current_setting('port'),
    split_part(current_setting('unix_socket_directories'), ',', 1)));
CALL fail_often('function', 1000);
CALL fail_often('trigger', 1000);
CALL fail_often('contained', 1000);
CALL fail_often('pre_commit', 1000);
CALL fail_often('commit', 1000);
CALL fail_often('abort', 1000);
CALL remember('warm-up');
SELECT dblink_exec('other', 'CALL boundary.remember(''warm-up'')');
CALL remember('before');
SELECT dblink_exec('other', 'CALL boundary.remember(''before'')');
CALL fail_often('function', 100000);
CALL fail_often('trigger', 8000);
CALL fail_often('contained', 8000);
CALL fail_often('pre_commit', 8000);
CALL fail_often('commit', 8000);
CALL fail_often('abort', 8000);
CALL remember('after');
SELECT dblink_exec('other', 'CALL boundary.remember(''after'')');
SELECT count(DISTINCT session) || ' sessions, grown: '
       || coalesce(string_agg(context || ' by ' || after.bytes - coalesce(before.bytes, 0), ', ')
                   FILTER (WHERE after.bytes - coalesce(before.bytes, 0) > 65536), 'nothing')
FROM (SELECT * FROM memory WHERE at = 'after') AS after
LEFT JOIN (SELECT * FROM memory WHERE at = 'before') AS before USING (session, context);
SELECT 'alive ' || alive(), 'made millions ' || (made() > 4000000), 'interrupts held ' || interrupts_held();
SELECT * FROM dblink('other', 'SELECT boundary.alive()') AS other (alive bigint);
SELECT dblink_disconnect('other');

DROP EXTENSION dblink;
DROP SCHEMA boundary CASCADE;
