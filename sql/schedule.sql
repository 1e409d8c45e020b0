
-- Schedules of materialized views: when each is to be refreshed, and the one job that sees to all of them.

-- Set as in freshcrm.matview; jitter is that of one time, the same whenever it is asked for, so that a tick that is late
-- and a restart do not move it.
CREATE FUNCTION freshcrm.next_due(definition freshcrm.matview, after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT n.time + definition.jitter * (
               (hashtextextended(definition.job_name || ' ' || extract(epoch FROM n.time), 0) & 1048575) / 1048576.0)
      FROM freshcrm.next_runs(definition.cron, definition.timezone, 1, after) AS n (time)
     WHERE definition.cron IS NOT NULL;
END;

COMMENT ON FUNCTION freshcrm.next_due(freshcrm.matview, timestamptz) IS
'when a schedule is due next after a time: the next time of its cron expression, and up to jitter later; NULL without one';

-- What cannot be watched now may be later: it is tried again after each refresh.
CREATE FUNCTION freshcrm.watch_sources(matview regclass, level text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source regclass;
    reason text;
BEGIN
    FOR source IN
        SELECT c.oid FROM freshcrm.matview_sources(matview) AS s
          JOIN pg_class AS c ON c.oid = ANY (s.sources)
         WHERE s.never_skipped IS NULL AND c.relkind IN ('r', 'p') AND freshcrm.watch_problem(c.oid) IS NOT NULL
         ORDER BY c.oid
    LOOP
        BEGIN
            PERFORM freshcrm.watch_table(source, c.relowner::regrole) FROM pg_class AS c WHERE c.oid = matview;
        EXCEPTION WHEN OTHERS THEN
            reason := SQLERRM;
            IF level = 'notice' THEN
                RAISE NOTICE USING
                    MESSAGE = format('changes of %s cannot be watched: %s', source, reason),
                    DETAIL = format('Until they are, %s is refreshed whenever it is due.', matview),
                    HINT = format('Grant TRIGGER on %s to the owner of %s, or call freshcrm.watch_table(%L) as its owner.',
                                  source, matview, source);
            ELSE
                RAISE DEBUG 'changes of % cannot be watched: %', source, reason;
            END IF;
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION freshcrm.watch_sources(regclass, text) IS
'makes the triggers that take note of changes, on the tables of a materialized view that have none; says at the level notice or debug which it cannot make';

-- What nothing that is registered reads.
CREATE FUNCTION freshcrm.unwatch_sources(tables oid[]) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed oid[] := '{}';
    other oid;
    source regclass;
BEGIN
    FOR other IN SELECT m.matview::oid FROM freshcrm.matview AS m JOIN pg_class AS c ON c.oid = m.matview LOOP
        needed := needed || (SELECT s.sources FROM freshcrm.matview_sources(other) AS s);
    END LOOP;
    FOR source IN
        SELECT DISTINCT t.tgrelid FROM pg_trigger AS t
         WHERE t.tgrelid = ANY (tables) AND t.tgrelid <> ALL (needed) AND t.tgfoid = 'freshcrm.note_change()'::regprocedure
    LOOP
        PERFORM freshcrm.unwatch_table(source);
    END LOOP;
END
$$;

COMMENT ON FUNCTION freshcrm.unwatch_sources(oid[]) IS
'drops the triggers that take note of changes from those of the tables that no registered materialized view reads';

CREATE FUNCTION freshcrm.ensure_tick_job() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    command CONSTANT text := 'CALL freshcrm.tick()';
    cron_database CONSTANT text := current_setting('cron.database_name', true);
    wrong text;
    hint text;
    is_active boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        BEGIN
            EXECUTE 'SELECT bool_or(j.active) FROM cron.job AS j WHERE j.command = $1 AND j.database = current_database()'
               INTO is_active USING command;
            IF is_active IS NULL THEN
                EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING 'freshcrm-tick', '* * * * *', command;
            ELSIF NOT is_active THEN
                RAISE NOTICE USING
                    MESSAGE = 'the job "freshcrm-tick" of pg_cron is not active',
                    HINT = 'Until cron.alter_job() makes it active, nothing is refreshed by schedule.';
            END IF;
            RETURN true;
        EXCEPTION WHEN OTHERS THEN
            wrong := format('The extension pg_cron cannot be given its job: %s.', SQLERRM);
            hint := 'pg_cron has to be in shared_preload_libraries, and cron.schedule() allowed for the owner of freshcrm; then call freshcrm.schedule() again.';
        END;
    ELSIF EXISTS (SELECT FROM freshcrm.tick_state WHERE ticked_at > clock_timestamp() - interval '5 minutes') THEN
        RETURN true;  -- Another scheduler is at work.
    ELSIF cron_database <> current_database() THEN
        wrong := format('The extension pg_cron is in database "%s".', cron_database);
        hint := format('There, call SELECT cron.schedule_in_database(%L, %L, %L, %L);',
                       'freshcrm-tick ' || current_database(), '* * * * *', command, current_database());
    ELSIF cron_database IS NOT NULL THEN
        wrong := 'The extension pg_cron is not in this database.';
        hint := 'Call CREATE EXTENSION pg_cron, then freshcrm.schedule() again.';
    ELSE
        wrong := 'The extension pg_cron is not in this database.';
        hint := format('Set shared_preload_libraries = ''pg_cron'' and cron.database_name = %L, restart, CREATE EXTENSION pg_cron, and call freshcrm.schedule() again; or let another scheduler call %s every minute.',
                       current_database(), command);
    END IF;
    RAISE NOTICE USING
        MESSAGE = 'nothing refreshes by schedule yet',
        DETAIL = wrong,
        HINT = hint;
    RETURN false;
END
$$;

COMMENT ON FUNCTION freshcrm.ensure_tick_job() IS
'makes the job of pg_cron that calls freshcrm.tick() every minute, once in a database; where that is not possible it says what to do, and returns false';

CREATE FUNCTION freshcrm.drop_tick_job() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        EXECUTE $sql$SELECT cron.unschedule(j.jobid) FROM cron.job AS j
             WHERE j.jobname = 'freshcrm-tick' AND j.database = current_database() AND j.username = current_user$sql$;
    END IF;
END
$$;

COMMENT ON FUNCTION freshcrm.drop_tick_job() IS 'removes the job that ensure_tick_job() has made';

CREATE FUNCTION freshcrm.check_schedule(definition freshcrm.matview) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong record;
BEGIN
    -- Says what is wrong with either of them.
    IF NOT EXISTS (SELECT FROM freshcrm.next_runs(coalesce(definition.cron, '* * * * *'), definition.timezone, 1)) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('"%s" is never due', definition.cron),
            HINT = 'No month of the schedule has its days.';
    END IF;
    IF definition.mode NOT IN ('auto', 'concurrently', 'plain') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('there is no refresh mode "%s"', definition.mode),
            HINT = 'Modes are auto, concurrently and plain.';
    END IF;
    SELECT i.name, i.value, i.least INTO wrong
      FROM (VALUES ('max_staleness', definition.max_staleness, interval '1 second'),
                   ('jitter', definition.jitter, interval '0'),
                   ('statement_timeout', definition.statement_timeout, interval '0'),
                   ('lock_timeout', definition.lock_timeout, interval '0')) AS i (name, value, least)
     WHERE i.value < i.least LIMIT 1;
    IF FOUND THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s must be at least %s', wrong.name, wrong.least),
            DETAIL = format('It is %s.', wrong.value);
    END IF;
    IF definition.max_attempts < 1 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'max_attempts must be at least 1';
    END IF;
    IF definition.job_name = '' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'the job has no name',
            HINT = 'Leave job_name out: it is then the name of the view.';
    END IF;
END
$$;

COMMENT ON FUNCTION freshcrm.check_schedule(freshcrm.matview) IS
'part of schedule: raises what is wrong with its arguments';

-- Called by schedule(), which has made sure of who may.
CREATE FUNCTION freshcrm.store_schedule(
    view oid, cron text, job_name text, timezone text, max_staleness interval, jitter interval, mode text,
    statement_timeout interval, lock_timeout interval, max_attempts integer
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    definition freshcrm.matview;
    taken regclass;
    lint record;
BEGIN
    -- Views that were dropped while nothing followed that.
    DELETE FROM freshcrm.matview AS m WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = m.matview);
    SELECT * INTO definition FROM freshcrm.matview AS m WHERE m.matview = view::regclass;
    definition := ROW(
        view::regclass, cron, timezone, coalesce(job_name, definition.job_name, view::regclass::text), max_staleness,
        coalesce(jitter, interval '0'), coalesce(mode, 'auto'), statement_timeout, coalesce(lock_timeout, interval '10 s'),
        coalesce(max_attempts, 10), coalesce(definition.refreshers, '{}'), coalesce(definition.created_at, now()));
    PERFORM freshcrm.check_schedule(definition);
    SELECT m.matview INTO taken FROM freshcrm.matview AS m
     WHERE m.job_name = definition.job_name AND m.matview <> view::regclass;
    IF FOUND THEN
        RAISE duplicate_object USING
            MESSAGE = format('the job "%s" refreshes %s', definition.job_name, taken),
            HINT = 'Name another job, or call freshcrm.unschedule() for that one first.';
    END IF;
    DELETE FROM freshcrm.matview AS m WHERE m.matview = view::regclass;
    INSERT INTO freshcrm.matview SELECT (definition).*;
    INSERT INTO freshcrm.matview_state AS s (matview, next_due)
    VALUES (view, freshcrm.next_due(definition, clock_timestamp()))
    ON CONFLICT (matview) DO UPDATE SET next_due = excluded.next_due, failures = 0, given_up = false;

    PERFORM freshcrm.watch_sources(view, 'notice');
    FOR lint IN SELECT * FROM freshcrm.refresh_lints(view) AS l WHERE l.lint <> 'not_watched' LOOP
        IF lint.lint = 'row_security' THEN
            RAISE WARNING USING MESSAGE = lint.message, HINT = coalesce(lint.hint, '');
        ELSE
            RAISE NOTICE USING MESSAGE = lint.message, HINT = coalesce(lint.hint, '');
        END IF;
    END LOOP;
    IF cron IS NOT NULL OR max_staleness IS NOT NULL THEN
        PERFORM freshcrm.ensure_tick_job();
    END IF;
    RETURN definition.job_name;
END
$$;

COMMENT ON FUNCTION freshcrm.store_schedule(oid, text, text, text, interval, interval, text, interval, interval, integer) IS
'part of schedule: registers a materialized view, or changes how it is';

CREATE FUNCTION freshcrm.forget_schedule(view oid) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sources oid[];
BEGIN
    DELETE FROM freshcrm.matview AS m WHERE m.matview = view::regclass;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM freshcrm.matview_state AS s WHERE s.matview = view RETURNING s.sources INTO sources;
    -- Those of now, and those of before its definition changed.
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = view) THEN
        sources := sources || (SELECT s.sources FROM freshcrm.matview_sources(view) AS s);
    END IF;
    PERFORM freshcrm.unwatch_sources(coalesce(sources, '{}'));
    IF NOT EXISTS (SELECT FROM freshcrm.matview AS m WHERE m.cron IS NOT NULL OR m.max_staleness IS NOT NULL) THEN
        PERFORM freshcrm.drop_tick_job();
    END IF;
    RETURN true;
END
$$;

COMMENT ON FUNCTION freshcrm.forget_schedule(oid) IS 'part of unschedule: removes what registers a materialized view';

CREATE FUNCTION freshcrm.schedule(
    matview regclass,
    cron text,
    job_name text DEFAULT NULL,
    timezone text DEFAULT NULL,
    max_staleness interval DEFAULT NULL,
    jitter interval DEFAULT NULL,
    mode text DEFAULT 'auto',
    statement_timeout interval DEFAULT NULL,
    lock_timeout interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL
) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_schedule';

COMMENT ON FUNCTION freshcrm.schedule(regclass, text, text, text, interval, interval, text, interval, interval, integer) IS
'registers a materialized view of the caller''s to be refreshed at the times of a cron expression (in its time zone, the session''s where none is named), or when it lacks changes older than max_staleness; again, it changes the schedule; returns the name of the job';

CREATE FUNCTION freshcrm.unschedule(matview regclass) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_unschedule';

COMMENT ON FUNCTION freshcrm.unschedule(regclass) IS
'ends what schedule() began, grants of grant_refresh() included; false for a materialized view that is not registered';

CREATE FUNCTION freshcrm.unschedule(job_name text) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_unschedule_job';

COMMENT ON FUNCTION freshcrm.unschedule(text) IS
'the same for the job of this name; where there is none, for the registered materialized view of this name';

CREATE FUNCTION freshcrm.schedule_all(
    schema name DEFAULT NULL,
    cron text DEFAULT '*/15 * * * *',
    timezone text DEFAULT NULL,
    max_staleness interval DEFAULT NULL,
    jitter interval DEFAULT '1 minute',
    mode text DEFAULT 'auto',
    statement_timeout interval DEFAULT NULL,
    lock_timeout interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL
) RETURNS TABLE (matview regclass, job_name text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF schema IS NOT NULL AND NOT EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = schema) THEN
        RAISE invalid_schema_name USING MESSAGE = format('schema "%s" does not exist', schema);
    END IF;
    FOR matview IN
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind = 'm' AND (schema IS NULL OR n.nspname = schema) AND pg_has_role(c.relowner, 'USAGE')
           AND NOT EXISTS (SELECT FROM freshcrm.matview_status AS s WHERE s.matview = c.oid)
         ORDER BY n.nspname, c.relname
    LOOP
        job_name := freshcrm.schedule(
            matview, cron, timezone => timezone, max_staleness => max_staleness, jitter => jitter, mode => mode,
            statement_timeout => statement_timeout, lock_timeout => lock_timeout, max_attempts => max_attempts);
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION freshcrm.schedule_all(name, text, text, interval, interval, text, interval, interval, integer) IS
'calls schedule() for each materialized view of the caller''s, in a schema or in all, that is not registered yet';

REVOKE ALL ON FUNCTION
    freshcrm.next_due(freshcrm.matview, timestamptz),
    freshcrm.watch_sources(regclass, text),
    freshcrm.unwatch_sources(oid[]),
    freshcrm.ensure_tick_job(),
    freshcrm.drop_tick_job(),
    freshcrm.check_schedule(freshcrm.matview),
    freshcrm.store_schedule(oid, text, text, text, interval, interval, text, interval, interval, integer),
    freshcrm.forget_schedule(oid),
    freshcrm.schedule(regclass, text, text, text, interval, interval, text, interval, interval, integer),
    freshcrm.unschedule(regclass),
    freshcrm.unschedule(text),
    freshcrm.schedule_all(name, text, text, interval, interval, text, interval, interval, integer)
FROM PUBLIC;
