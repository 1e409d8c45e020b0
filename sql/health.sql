
-- Is all well? For monitoring: one value, cheap enough to be asked for every few seconds.

CREATE FUNCTION freshcrm.worst_status(statuses text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN 'down' = ANY (statuses) THEN 'down' WHEN 'degraded' = ANY (statuses) THEN 'degraded' ELSE 'ok' END;
END;

COMMENT ON FUNCTION freshcrm.worst_status(text[]) IS 'part of health: the worst of ok, degraded and down';

CREATE FUNCTION freshcrm.refresh_scheduler() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_active boolean;
BEGIN
    IF to_regclass('cron.job') IS NOT NULL THEN
        EXECUTE $sql$SELECT bool_or(j.active) FROM cron.job AS j
             WHERE j.command = 'CALL freshcrm.tick()' AND j.database = current_database()$sql$ INTO is_active;
        IF is_active IS NOT NULL THEN
            RETURN CASE WHEN is_active THEN 'pg_cron' ELSE 'pg_cron, whose job is not active' END;
        END IF;
    END IF;
    RETURN CASE WHEN EXISTS (SELECT FROM freshcrm.tick_state WHERE ticked_at IS NOT NULL) THEN 'another' ELSE 'none' END;
END
$$;

COMMENT ON FUNCTION freshcrm.refresh_scheduler() IS
'part of health: what calls tick(): pg_cron of this database, another scheduler, or none';

CREATE FUNCTION freshcrm.health_of_refresh(detailed boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at CONSTANT timestamptz := clock_timestamp();
    late CONSTANT interval := '5 minutes';
    ticked_at CONSTANT timestamptz := (SELECT t.ticked_at FROM freshcrm.tick_state AS t);
    running CONSTANT oid[] := ARRAY(SELECT h.matview FROM freshcrm.refresh_history AS h
        WHERE h.id IN (SELECT freshcrm.running_refreshes()));
    views record;
    interrupted oid[];
    status text;
    answer jsonb;
BEGIN
    SELECT count(*) AS registered,
           count(*) FILTER (WHERE scheduled) AS scheduled,
           min(created_at) FILTER (WHERE scheduled) AS since,
           coalesce(array_agg(name ORDER BY name) FILTER (WHERE scheduled AND due < at - late AND failures = 0
               AND NOT matview::oid = ANY (running)), '{}') AS overdue,
           coalesce(array_agg(name ORDER BY name) FILTER (WHERE failures > 0 AND NOT given_up), '{}') AS failing,
           coalesce(array_agg(name ORDER BY name) FILTER (WHERE given_up), '{}') AS given_up
      INTO views
      FROM (SELECT m.matview, m.matview::text AS name, m.created_at, m.cron IS NOT NULL OR m.max_staleness IS NOT NULL AS scheduled,
                   coalesce(s.failures, 0) AS failures, coalesce(s.given_up, false) AS given_up,
                   coalesce(s.next_due, CASE WHEN m.cron IS NOT NULL THEN greatest(m.created_at, ticked_at) END) AS due
              FROM freshcrm.matview AS m JOIN pg_class AS c ON c.oid = m.matview
              LEFT JOIN freshcrm.matview_state AS s ON s.matview = m.matview) AS v;
    -- And those that no tick has come to say so of.
    interrupted := ARRAY(
        SELECT DISTINCT h.matview FROM freshcrm.refresh_history AS h
          JOIN freshcrm.matview_state AS s ON s.matview = h.matview AND s.failures > 0
         WHERE h.status = 'interrupted' AND h.id > (SELECT max(l.id) - 10000 FROM freshcrm.refresh_history AS l)
         UNION
        SELECT h.matview FROM freshcrm.refresh_history AS h
         WHERE h.status = 'running' AND h.id NOT IN (SELECT freshcrm.running_refreshes()));
    status := CASE
        WHEN views.scheduled > 0 AND greatest(ticked_at, views.since) < at - late THEN 'down'
        WHEN cardinality(views.overdue || views.failing || views.given_up) + cardinality(interrupted) > 0 THEN 'degraded'
        ELSE 'ok' END;
    answer := jsonb_build_object(
        'status', status, 'registered', views.registered, 'scheduled', views.scheduled,
        'running', cardinality(running), 'overdue', cardinality(views.overdue), 'failing', cardinality(views.failing),
        'given_up', cardinality(views.given_up), 'interrupted', cardinality(interrupted),
        'last_tick', ticked_at, 'scheduler', freshcrm.refresh_scheduler());
    IF status = 'down' THEN
        answer := answer || jsonb_build_object('problem', CASE
            WHEN ticked_at IS NULL THEN 'nothing has called freshcrm.tick() yet'
            ELSE format('nothing has called freshcrm.tick() since %s', ticked_at) END);
    END IF;
    IF detailed THEN
        answer := answer || jsonb_build_object(
            'views', jsonb_build_object('overdue', views.overdue, 'failing', views.failing, 'given_up', views.given_up,
                                        'interrupted', ARRAY(SELECT i.oid::regclass::text FROM unnest(interrupted) AS i (oid))));
    END IF;
    RETURN answer;
END
$$;

COMMENT ON FUNCTION freshcrm.health_of_refresh(boolean) IS 'part of health: materialized views';

CREATE FUNCTION freshcrm.health_of_projections(detailed boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counts record;
    answer jsonb;
BEGIN
    SELECT count(*) AS projections,
           count(*) FILTER (WHERE state = 'broken') AS broken,
           count(*) FILTER (WHERE state = 'stale') AS stale,
           count(*) FILTER (WHERE state = 'restored') AS restored,
           count(*) FILTER (WHERE state = 'behind') AS behind,
           count(*) FILTER (WHERE state = 'current' AND problem IS NOT NULL) AS unguarded,
           coalesce(extract(epoch FROM max(lag)), 0) AS lag,
           jsonb_agg(jsonb_build_object('projection', projection::text, 'state', state, 'problem', problem, 'pending', pending)
                     ORDER BY projection::text) FILTER (WHERE state <> 'current' OR problem IS NOT NULL) AS details
      INTO counts
      FROM freshcrm.projections;
    answer := jsonb_build_object(
        'status', CASE WHEN counts.broken > 0 THEN 'down'
            WHEN counts.stale + counts.restored + counts.unguarded > 0 OR counts.lag > 60 THEN 'degraded' ELSE 'ok' END,
        'projections', counts.projections, 'broken', counts.broken, 'stale', counts.stale, 'restored', counts.restored,
        'behind', counts.behind, 'unguarded', counts.unguarded, 'lag_seconds', counts.lag);
    IF detailed THEN
        answer := answer || jsonb_build_object('details', coalesce(counts.details, '[]'));
    END IF;
    RETURN answer;
END
$$;

COMMENT ON FUNCTION freshcrm.health_of_projections(boolean) IS 'part of health: projections';

-- What is missing without it hurts no answer, so it is no ill health.
CREATE FUNCTION freshcrm.health_of_shared_memory() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object('status', 'ok', 'preloaded', p.preloaded, 'missing', CASE
               WHEN p.preloaded THEN '[]'::jsonb
               ELSE '["counters of conditional requests", "reserved memory: other counters take what the server has to spare"]'::jsonb END)
      FROM (SELECT 'freshcrm' = ANY (regexp_split_to_array(current_setting('shared_preload_libraries'), '[\s,"]+')) AS preloaded) AS p;
END;

COMMENT ON FUNCTION freshcrm.health_of_shared_memory() IS
'part of health: whether freshcrm is in shared_preload_libraries, and what there is not where it is not';

CREATE FUNCTION freshcrm.health(detailed boolean DEFAULT false) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'status', freshcrm.worst_status(ARRAY(SELECT e.value ->> 'status' FROM jsonb_each(c.components) AS e)),
        'checked_at', clock_timestamp(), 'components', c.components)
      FROM (SELECT jsonb_build_object(
                'refresh', freshcrm.health_of_refresh(coalesce(detailed, false)),
                'projections', freshcrm.health_of_projections(coalesce(detailed, false)),
                'shared_memory', freshcrm.health_of_shared_memory()) AS components OFFSET 0) AS c;
END;

COMMENT ON FUNCTION freshcrm.health(boolean) IS
'ok, degraded or down, and why: materialized views (overdue, failing, given up, interrupted, no tick), projections (broken, stale, restored, behind), shared memory; with names when detailed';

REVOKE ALL ON FUNCTION
    freshcrm.worst_status(text[]),
    freshcrm.refresh_scheduler(),
    freshcrm.health_of_refresh(boolean),
    freshcrm.health_of_projections(boolean),
    freshcrm.health_of_shared_memory(),
    freshcrm.health(boolean)
FROM PUBLIC;
