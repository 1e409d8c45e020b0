
-- The tick: what is called every minute, and refreshes what is due.

-- Of this server alone: not dumped.
CREATE TABLE freshcrm.tick_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ticked_at timestamptz,
    pruned_at timestamptz
);
INSERT INTO freshcrm.tick_state DEFAULT VALUES;

COMMENT ON TABLE freshcrm.tick_state IS 'when freshcrm.tick() was called last, and when it last removed old rows of histories';

CREATE INDEX refresh_history_running ON freshcrm.refresh_history (matview, id) WHERE status = 'running';

-- The backend that began a run is still in the statement that did: for others it shows no more than that.
CREATE FUNCTION freshcrm.running_refreshes() RETURNS SETOF bigint
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT h.id FROM freshcrm.refresh_history AS h JOIN pg_stat_get_activity(h.pid) AS a ON a.backend_start <= h.started_at
     WHERE h.status = 'running' AND (a.state = 'disabled' OR a.state = 'active' AND a.query_start <= h.started_at);
END;

COMMENT ON FUNCTION freshcrm.running_refreshes() IS
'the rows of freshcrm.refresh_history whose refresh is really under way';

CREATE FUNCTION freshcrm.refresh_retry_delay(failures integer) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT least(interval '1 minute' * 2 ^ least(failures - 1, 10), interval '1 hour');
END;

COMMENT ON FUNCTION freshcrm.refresh_retry_delay(integer) IS
'how long after so many failures in a row a refresh is tried again: 1 minute, doubled each time, up to 1 hour';

CREATE FUNCTION freshcrm.note_failure(view oid, at timestamptz) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE freshcrm.matview_state AS s
       SET failures = s.failures + 1, given_up = s.failures + 1 >= m.max_attempts,
           next_due = at + freshcrm.refresh_retry_delay(s.failures + 1)
      FROM freshcrm.matview AS m
     WHERE s.matview = view AND m.matview = view::regclass;
END;

COMMENT ON FUNCTION freshcrm.note_failure(oid, timestamptz) IS
'part of tick: a refresh has failed, and is tried again later, or not at all after too many failures';

-- By the tick that comes after it. A view that ends its server is not tried every minute either.
CREATE FUNCTION freshcrm.note_interrupted(at timestamptz) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH ended AS (
        UPDATE freshcrm.refresh_history
           SET status = 'interrupted', ended_at = clock_timestamp(),
               error = 'the session that refreshed it has ended, or was cancelled'
         WHERE status = 'running' AND id NOT IN (SELECT freshcrm.running_refreshes())
        RETURNING matview)
    SELECT freshcrm.note_failure(e.matview, at) FROM ended AS e;
END;

COMMENT ON FUNCTION freshcrm.note_interrupted(timestamptz) IS
'part of tick: says of refreshes that were killed that they were';

CREATE FUNCTION freshcrm.note_error(view oid, at timestamptz, sqlstate text, error text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, started_at, ended_at, sqlstate, error, pid)
    VALUES (view, view::regclass::text, 'failed', 'schedule', clock_timestamp(), clock_timestamp(), sqlstate, error, pg_backend_pid());
    PERFORM freshcrm.note_failure(view, at);
END
$$;

COMMENT ON FUNCTION freshcrm.note_error(oid, timestamptz, text, text) IS
'part of tick: the schedule of a materialized view cannot be followed';

CREATE FUNCTION freshcrm.begin_tick(at timestamptz)
RETURNS TABLE (matview oid, name text, trigger text, due_at timestamptz, reads oid[], waits_for text)
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE freshcrm.tick_state SET ticked_at = clock_timestamp();
    -- Asked first, since a tick mostly finds nothing to do, in a session of its own that has planned nothing yet.
    IF EXISTS (SELECT FROM freshcrm.refresh_history AS h WHERE h.status = 'running') THEN
        PERFORM freshcrm.note_interrupted(at);
    END IF;
    IF EXISTS (SELECT FROM freshcrm.matview AS m LEFT JOIN freshcrm.matview_state AS s ON s.matview = m.matview
                WHERE s.matview IS NULL OR s.next_due IS NULL AND m.cron IS NOT NULL) THEN
        PERFORM freshcrm.find_next_due(at);
    END IF;
    IF EXISTS (SELECT FROM freshcrm.matview_state AS s JOIN freshcrm.matview AS m ON m.matview = s.matview
                WHERE NOT s.given_up AND (s.next_due <= at OR m.max_staleness IS NOT NULL)) THEN
        RETURN QUERY SELECT * FROM freshcrm.due_matviews(at);
    END IF;
END
$$;

COMMENT ON FUNCTION freshcrm.begin_tick(timestamptz) IS 'part of tick: its first transaction, which says what is due';

-- Each minute that a view waits for the same is the same.
CREATE FUNCTION freshcrm.skip_run(view oid, trigger text, due_at timestamptz, waits_for text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, due_at, started_at, ended_at, error, pid)
    SELECT view, view::regclass::text, 'skipped', trigger, due_at, clock_timestamp(), clock_timestamp(), waits_for, pg_backend_pid()
     WHERE NOT EXISTS (
        SELECT FROM (SELECT * FROM freshcrm.refresh_history AS h WHERE h.matview = view ORDER BY h.id DESC LIMIT 1) AS last
         WHERE (last.status, last.due_at, last.error) IS NOT DISTINCT FROM ('skipped', skip_run.due_at, waits_for)
            OR last.status = 'running');
END;

COMMENT ON FUNCTION freshcrm.skip_run(oid, text, timestamptz, text) IS
'part of tick: says in the history that a materialized view is due and has to wait';

CREATE FUNCTION freshcrm.begin_run(view oid, trigger text, due_at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO freshcrm.refresh_history (matview, name, status, trigger, due_at, started_at, pid)
    SELECT view, view::regclass::text, 'running', trigger, due_at, clock_timestamp(), pg_backend_pid()
      FROM freshcrm.matview AS m JOIN pg_class AS c ON c.oid = m.matview WHERE m.matview = view::regclass
    RETURNING id;
END;

COMMENT ON FUNCTION freshcrm.begin_run(oid, text, timestamptz) IS
'part of tick: says in the history that a refresh begins; NULL for a materialized view that is gone';

-- One transaction, in which the view stays locked until its next time is known: another tick that has found the same
-- view due finds that it is no longer.
CREATE FUNCTION freshcrm.run_refresh(view oid, run bigint, shift interval) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result text := 'running';
    entry freshcrm.matview;
    failures_before integer;
    wrong_state text;
    wrong text;
BEGIN
    BEGIN
        IF pg_try_advisory_xact_lock('freshcrm.matview_state'::regclass::integer, view::integer) THEN
            IF cardinality(freshcrm.due_now(clock_timestamp() + shift, view)) > 0 THEN
                failures_before := (SELECT s.failures FROM freshcrm.matview_state AS s WHERE s.matview = view);
                SELECT r.status INTO result FROM freshcrm.refresh_run(view, run) AS r;
            ELSE
                result := 'skipped';
            END IF;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        result := 'failed';
        wrong_state := SQLSTATE;
        wrong := SQLERRM;
    END;
    IF result IN ('running', 'skipped') THEN
        UPDATE freshcrm.refresh_history
           SET status = 'skipped', ended_at = clock_timestamp(),
               error = CASE result WHEN 'running' THEN 'is being refreshed' ELSE 'has just been refreshed' END
         WHERE id = run;
        RETURN result;
    END IF;
    SELECT * INTO entry FROM freshcrm.matview AS m WHERE m.matview = view::regclass;
    IF result <> 'failed' THEN
        BEGIN
            UPDATE freshcrm.matview_state AS s
               SET failures = 0, given_up = false, next_due = freshcrm.next_due(entry, clock_timestamp() + shift)
             WHERE s.matview = view;
            RETURN result;
        EXCEPTION WHEN OTHERS THEN
            wrong_state := SQLSTATE;
            wrong := SQLERRM;
            -- A refresh that has succeeded counts them from zero, and this one would come every minute.
            UPDATE freshcrm.matview_state AS s SET failures = failures_before WHERE s.matview = view;
        END;
    END IF;
    IF wrong IS NOT NULL THEN
        UPDATE freshcrm.refresh_history
           SET status = 'failed', ended_at = clock_timestamp(), sqlstate = wrong_state, error = wrong
         WHERE id = run;
    END IF;
    PERFORM freshcrm.note_failure(view, clock_timestamp() + shift);
    RETURN 'failed';
END
$$;

COMMENT ON FUNCTION freshcrm.run_refresh(oid, bigint, interval) IS
'part of tick: refreshes a materialized view and says when it is due next';

CREATE FUNCTION freshcrm.prune_cron_history(at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('cron.job_run_details') IS NOT NULL THEN
        EXECUTE $sql$DELETE FROM cron.job_run_details AS d
             WHERE d.command = 'CALL freshcrm.tick()' AND d.database = current_database()
               AND coalesce(d.end_time, d.start_time) < $1 - interval '7 days'$sql$ USING at;
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING USING MESSAGE = format('old rows of cron.job_run_details cannot be removed: %s', SQLERRM);
END
$$;

COMMENT ON FUNCTION freshcrm.prune_cron_history(timestamptz) IS
'part of tick: removes what pg_cron has kept of its job that calls tick() for more than 7 days';

-- Materialized views that were dropped leave the triggers on their tables behind. A table that is in use has them for
-- another hour.
CREATE FUNCTION freshcrm.unwatch_unread() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
BEGIN
    PERFORM freshcrm.unwatch_sources(ARRAY(
        SELECT t.tgrelid FROM pg_trigger AS t WHERE t.tgfoid = 'freshcrm.note_change()'::regprocedure));
EXCEPTION WHEN lock_not_available THEN
    NULL;
END
$$;

COMMENT ON FUNCTION freshcrm.unwatch_unread() IS
'part of tick: drops the triggers that take note of changes from tables that no registered materialized view reads';

-- Once an hour, since it reads all of the history. What has never been refreshed since says when it was.
CREATE FUNCTION freshcrm.prune_histories(at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT integer := coalesce(current_setting('freshcrm.refresh_history_rows', true)::integer, 1000);
    oldest CONSTANT timestamptz := at
        - make_interval(days => coalesce(current_setting('freshcrm.refresh_history_days', true)::integer, 30));
BEGIN
    UPDATE freshcrm.tick_state SET pruned_at = at;
    DELETE FROM freshcrm.refresh_history AS h
     USING (SELECT v.matview, v.registered, l.first, l.last
              FROM (SELECT n.matview, EXISTS (SELECT FROM freshcrm.matview AS m WHERE m.matview = n.matview) AS registered
                      FROM (SELECT DISTINCT matview FROM freshcrm.refresh_history) AS n) AS v
             CROSS JOIN LATERAL (
                SELECT min(k.id) AS first, max(k.id) AS last
                  FROM (SELECT i.id FROM freshcrm.refresh_history AS i WHERE i.matview = v.matview
                         ORDER BY i.id DESC LIMIT most) AS k) AS l) AS kept
     WHERE h.matview = kept.matview AND h.status <> 'running'
       AND (h.id < kept.first OR h.started_at < oldest AND NOT (kept.registered AND h.id = kept.last));
    PERFORM freshcrm.prune_cron_history(at);
    PERFORM freshcrm.forget_seen_changes();  -- of views that are refreshed by hand
    PERFORM freshcrm.unwatch_unread();
END
$$;

COMMENT ON FUNCTION freshcrm.prune_histories(timestamptz) IS
'part of tick: once an hour removes from freshcrm.refresh_history what is older than freshcrm.refresh_history_days, or beyond the last freshcrm.refresh_history_rows of a materialized view';

-- Tables that had no trigger before, as new partitions have none. Nobody waits for it for long.
CREATE FUNCTION freshcrm.watch_refreshed(views oid[]) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
DECLARE
    view oid;
BEGIN
    FOREACH view IN ARRAY views LOOP
        PERFORM freshcrm.watch_sources(view, 'debug') WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.oid = view);
    END LOOP;
    PERFORM freshcrm.forget_seen_changes();
END
$$;

COMMENT ON FUNCTION freshcrm.watch_refreshed(oid[]) IS
'part of tick: watches the tables that refreshed materialized views read, and forgets changes that all have seen';

-- It commits, so it can have no SET clause; each transaction sets for itself what must hold in it. Names of types and
-- functions need no more than pg_catalog, but operators are looked for in all of the search_path.
CREATE PROCEDURE freshcrm.tick(
    at timestamptz DEFAULT NULL,
    INOUT refreshed integer DEFAULT 0,
    INOUT unchanged integer DEFAULT 0,
    INOUT failed integer DEFAULT 0,
    INOUT skipped integer DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    shift interval;
    due record;
    run bigint;
    result text;
    stopped oid[] := '{}';
    done oid[] := '{}';
BEGIN
    COMMIT;  -- Before anything is done where it is not possible.
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET LOCAL search_path = pg_catalog, pg_temp;
    refreshed := 0; unchanged := 0; failed := 0; skipped := 0;
    IF pg_is_in_recovery() THEN
        RETURN;  -- The primary does it.
    END IF;
    shift := coalesce(at - clock_timestamp(), interval '0');
    FOR due IN SELECT * FROM freshcrm.begin_tick(clock_timestamp() + shift) LOOP
        run := NULL;
        result := 'waits';
        IF due.waits_for IS NULL AND due.reads && stopped THEN
            due.waits_for := format('reads %s, which was not refreshed',
                (SELECT string_agg(r.oid::regclass::text, ', ') FROM unnest(due.reads) AS r (oid) WHERE r.oid = ANY (stopped)));
        END IF;
        IF due.waits_for IS NULL THEN
            run := freshcrm.begin_run(due.matview, due.trigger, due.due_at);
        ELSE
            PERFORM freshcrm.skip_run(due.matview, due.trigger, due.due_at, due.waits_for);
        END IF;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SET LOCAL search_path = pg_catalog, pg_temp;
        IF run IS NOT NULL THEN
            result := freshcrm.run_refresh(due.matview, run, shift);
            COMMIT;
            SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
            SET LOCAL search_path = pg_catalog, pg_temp;
        END IF;
        CASE result
            WHEN 'refreshed' THEN refreshed := refreshed + 1; done := done || due.matview;
            WHEN 'unchanged' THEN unchanged := unchanged + 1;
            WHEN 'failed' THEN failed := failed + 1; stopped := stopped || due.matview;
            WHEN 'skipped' THEN skipped := skipped + 1;  -- by another session, that has done it
            ELSE skipped := skipped + 1; stopped := stopped || due.matview;
        END CASE;
    END LOOP;
    IF cardinality(done) > 0 THEN
        PERFORM freshcrm.watch_refreshed(done);
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SET LOCAL search_path = pg_catalog, pg_temp;
    END IF;
    IF EXISTS (SELECT FROM freshcrm.tick_state AS t
                WHERE clock_timestamp() + shift BETWEEN t.pruned_at AND t.pruned_at + interval '1 hour') THEN
        RETURN;
    END IF;
    PERFORM freshcrm.prune_histories(clock_timestamp() + shift);
END
$$;

COMMENT ON PROCEDURE freshcrm.tick(timestamptz, integer, integer, integer, integer) IS
'refreshes the materialized views that are due, each after those that it reads and in a transaction of its own, and returns what became of them; to be called every minute by the owner of the extension, not in a transaction block; another time than now is for tests';

REVOKE ALL ON PROCEDURE freshcrm.tick(timestamptz, integer, integer, integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION
    freshcrm.running_refreshes(),
    freshcrm.refresh_retry_delay(integer),
    freshcrm.note_failure(oid, timestamptz),
    freshcrm.note_interrupted(timestamptz),
    freshcrm.note_error(oid, timestamptz, text, text),
    freshcrm.begin_tick(timestamptz),
    freshcrm.skip_run(oid, text, timestamptz, text),
    freshcrm.begin_run(oid, text, timestamptz),
    freshcrm.run_refresh(oid, bigint, interval),
    freshcrm.prune_cron_history(timestamptz),
    freshcrm.unwatch_unread(),
    freshcrm.prune_histories(timestamptz),
    freshcrm.watch_refreshed(oid[])
FROM PUBLIC;
