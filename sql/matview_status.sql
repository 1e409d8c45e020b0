
-- What there is to know about registered materialized views.

-- With the rights of its owner, since who sees matview_status need not be allowed to do more.
CREATE FUNCTION freshcrm.matview_content(
    view oid, OUT never_skipped text, OUT unseen_since timestamptz, OUT last_change timestamptz
)
LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- As a refresh has them: the digest of the definition has those that the view depends on.
SET datestyle = 'ISO, MDY'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
DECLARE
    now_read record;
    state freshcrm.matview_state;
BEGIN
    SELECT * INTO state FROM freshcrm.matview_state AS s WHERE s.matview = view;
    SELECT * INTO now_read FROM freshcrm.matview_sources(view);
    never_skipped := coalesce(now_read.never_skipped, (
        SELECT format('changes of %s are not noted: %s', w.relation, w.problem)
          FROM (SELECT r.oid::regclass AS relation, freshcrm.watch_problem(r.oid) AS problem
                  FROM unnest(now_read.sources) AS r (oid)) AS w
         WHERE w.problem IS NOT NULL
         LIMIT 1));
    last_change := (SELECT max(c.changed_at) FROM freshcrm.table_change AS c WHERE c.relation = ANY (now_read.sources));
    IF never_skipped IS NOT NULL OR state.seen IS NULL OR state.definition IS DISTINCT FROM now_read.definition
       OR state.system <> (SELECT system_identifier FROM pg_control_system()) THEN
        unseen_since := coalesce(state.refreshed_at, '-infinity');
    ELSE
        unseen_since := freshcrm.first_unseen_change(state.seen, state.sources);
    END IF;
END
$$;

COMMENT ON FUNCTION freshcrm.matview_content(oid) IS
'part of matview_status: why a materialized view has to be refreshed each time (or NULL), since when it lacks changes (NULL: it lacks none; -infinity: not known), and the last change of what it reads that is still known';

CREATE FUNCTION freshcrm.is_refreshing(view oid) RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM freshcrm.refresh_history AS h
        WHERE h.matview = view AND h.status = 'running' AND h.id IN (SELECT freshcrm.running_refreshes()));
END;

COMMENT ON FUNCTION freshcrm.is_refreshing(oid) IS
'part of matview_status: whether a tick is refreshing a materialized view just now';

-- Columns that are costly are computed only where they are selected.
CREATE VIEW freshcrm.matview_status AS
SELECT
    m.matview,
    m.job_name,
    m.cron,
    m.timezone,
    CASE
        WHEN r.running THEN 'running'
        WHEN s.given_up THEN 'given up'
        WHEN s.failures > 0 THEN 'failing'
        WHEN m.cron IS NULL AND m.max_staleness IS NULL THEN 'unscheduled'
        WHEN coalesce(s.next_due, CASE WHEN m.cron IS NOT NULL
                THEN greatest(m.created_at, (SELECT t.ticked_at FROM freshcrm.tick_state AS t)) END)
            < pg_catalog.clock_timestamp() - interval '5 minutes' THEN 'overdue'
        ELSE 'scheduled'
    END AS state,
    s.refreshed_at AS last_refresh,
    s.checked_at AS last_check,
    c.last_change,
    CASE WHEN c.unseen_since = '-infinity' THEN NULL
        ELSE coalesce(greatest(pg_catalog.clock_timestamp() - c.unseen_since, interval '0'), interval '0') END AS staleness,
    s.next_due,
    h.status AS last_status,
    CASE WHEN pg_catalog.pg_has_role(v.relowner, 'USAGE') THEN h.error END AS last_error,
    coalesce(s.failures, 0) AS failures,
    d.percentiles[1] AS duration_p50,
    d.percentiles[2] AS duration_p95,
    s.rows,
    c.never_skipped IS NULL AS skippable,
    c.never_skipped,
    m.max_staleness,
    pg_catalog.pg_get_userbyid(v.relowner) AS owner
FROM freshcrm.matview AS m
JOIN pg_catalog.pg_class AS v ON v.oid = m.matview
LEFT JOIN freshcrm.matview_state AS s ON s.matview = m.matview
CROSS JOIN LATERAL freshcrm.matview_content(m.matview) AS c
CROSS JOIN LATERAL (SELECT freshcrm.is_refreshing(m.matview) AS running) AS r
LEFT JOIN LATERAL (
    SELECT l.status, l.error FROM freshcrm.refresh_history AS l
    WHERE l.matview = m.matview AND l.status <> 'running'
    ORDER BY l.id DESC
    LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
        ORDER BY extract(epoch FROM l.ended_at - l.started_at)::double precision * 1000) AS percentiles
    FROM freshcrm.refresh_history AS l
    WHERE l.matview = m.matview AND l.status = 'refreshed'
) AS d ON true;

COMMENT ON VIEW freshcrm.matview_status IS
'the registered materialized views: schedule, state (scheduled, running, overdue, failing, given up, unscheduled), how stale each is now, when it is due, and how long refreshes took, in ms';

GRANT SELECT ON freshcrm.matview_status TO PUBLIC;
-- They say no more than the view does.
GRANT EXECUTE ON FUNCTION freshcrm.matview_content(oid), freshcrm.is_refreshing(oid) TO PUBLIC;
