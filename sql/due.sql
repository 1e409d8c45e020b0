
-- Which materialized views are due, in which order, and what they wait for: parts of tick().

CREATE FUNCTION freshcrm.find_next_due(at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry freshcrm.matview;
BEGIN
    INSERT INTO freshcrm.matview_state (matview)
    SELECT m.matview FROM freshcrm.matview AS m
     WHERE NOT EXISTS (SELECT FROM freshcrm.matview_state AS s WHERE s.matview = m.matview)
        ON CONFLICT DO NOTHING;
    FOR entry IN
        SELECT m.* FROM freshcrm.matview AS m JOIN freshcrm.matview_state AS s ON s.matview = m.matview
         WHERE s.next_due IS NULL AND m.cron IS NOT NULL
    LOOP
        BEGIN
            UPDATE freshcrm.matview_state AS s SET next_due = freshcrm.next_due(entry, at)
             WHERE s.matview = entry.matview;
        EXCEPTION WHEN OTHERS THEN
            PERFORM freshcrm.note_error(entry.matview, at, SQLSTATE, SQLERRM);
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION freshcrm.find_next_due(timestamptz) IS
'part of tick: finds out when those materialized views are due of which that is not known';

-- Views between them, projections of what they read, and functions that name what they read count.
CREATE FUNCTION freshcrm.read_matviews(views oid[]) RETURNS TABLE (matview oid, reads oid)
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE found (matview, class, object) AS (
        SELECT v.oid, 'pg_class'::regclass::oid, v.oid FROM unnest(views) AS v (oid)
        UNION
        SELECT f.matview, e.class, e.object
          FROM found AS f CROSS JOIN LATERAL (
            SELECT d.refclassid, d.refobjid FROM pg_rewrite AS r
              JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
             WHERE f.class = 'pg_class'::regclass AND r.ev_class = f.object AND r.ev_type = '1'
            UNION ALL
            SELECT d.refclassid, d.refobjid FROM pg_depend AS d
             WHERE f.class = 'pg_proc'::regclass AND d.classid = f.class AND d.objid = f.object
            UNION ALL
            SELECT f.class, p.source FROM freshcrm.projection AS p
             WHERE f.class = 'pg_class'::regclass AND p.target = f.object) AS e (class, object)
         WHERE e.class IN ('pg_class'::regclass, 'pg_proc'::regclass))
    SELECT f.matview, f.object FROM found AS f JOIN pg_class AS c ON c.oid = f.object
     WHERE f.class = 'pg_class'::regclass AND c.relkind = 'm' AND f.object <> f.matview;
END;

COMMENT ON FUNCTION freshcrm.read_matviews(oid[]) IS
'the materialized views that each of these reads, in whatever way';

-- All of them, or whether one is among them.
CREATE FUNCTION freshcrm.due_now(at timestamptz, view oid DEFAULT NULL) RETURNS oid[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(s.matview), '{}')
      FROM freshcrm.matview_state AS s JOIN freshcrm.matview AS m ON m.matview = s.matview
      JOIN pg_class AS c ON c.oid = s.matview
     WHERE (view IS NULL OR s.matview = view) AND NOT s.given_up
       AND (s.next_due <= at OR s.failures = 0 AND m.max_staleness IS NOT NULL AND CASE
           WHEN s.seen IS NULL OR s.system <> (SELECT system_identifier FROM pg_control_system())
           THEN coalesce(s.checked_at + m.max_staleness <= at, true)
           -- Most have no change that is old enough, seen or not, which is found out for all of them at once.
           ELSE s.matview IN (SELECT o.matview FROM freshcrm.matview AS n JOIN freshcrm.matview_state AS o ON o.matview = n.matview
                               CROSS JOIN unnest(o.sources) AS r (oid)
                               JOIN freshcrm.table_change AS t ON t.relation = r.oid
                              WHERE t.changed_at <= at - n.max_staleness)
               AND freshcrm.first_unseen_change(s.seen, s.sources) + m.max_staleness <= at END);
END;

COMMENT ON FUNCTION freshcrm.due_now(timestamptz, oid) IS
'part of tick: the materialized views that are due by their schedule, for another try, or since they lack changes that are too old';

CREATE FUNCTION freshcrm.due_matviews(at timestamptz)
RETURNS TABLE (matview oid, name text, trigger text, due_at timestamptz, reads oid[], waits_for text)
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due CONSTANT oid[] := freshcrm.due_now(at);
    running oid[];
BEGIN
    IF cardinality(due) = 0 THEN
        RETURN;
    END IF;
    running := ARRAY(SELECT h.matview FROM freshcrm.refresh_history AS h WHERE h.id IN (SELECT freshcrm.running_refreshes()));
    RETURN QUERY
    WITH reads AS (
        -- What is not registered is never refreshed here, and what has been given up would be waited for in vain.
        SELECT r.matview, array_agg(r.reads) FILTER (WHERE r.reads = ANY (due)) AS first, min(
            CASE WHEN r.reads = ANY (running) THEN format('reads %s, which is being refreshed', r.reads::regclass)
                WHEN s.failures > 0 AND NOT r.reads = ANY (due)
                THEN format('reads %s, whose refresh has failed', r.reads::regclass) END) AS waits_for
          FROM freshcrm.read_matviews(due) AS r JOIN freshcrm.matview_state AS s ON s.matview = r.reads
         WHERE NOT s.given_up
         GROUP BY r.matview)
    SELECT s.matview, s.matview::regclass::text,
           CASE WHEN s.failures > 0 THEN 'retry' WHEN s.next_due <= at THEN 'schedule' ELSE 'staleness' END,
           CASE WHEN s.next_due <= at THEN s.next_due END,
           coalesce(r.first, '{}'),
           CASE WHEN s.matview = ANY (running) THEN 'is being refreshed' ELSE r.waits_for END
      FROM freshcrm.matview_state AS s LEFT JOIN reads AS r ON r.matview = s.matview
     WHERE s.matview = ANY (due)
     -- What one reads, another that reads it reads, too.
     ORDER BY coalesce(cardinality(r.first), 0), s.next_due, s.matview::regclass::text;
END
$$;

COMMENT ON FUNCTION freshcrm.due_matviews(timestamptz) IS
'part of tick: what is due at a time, each after those of them that it reads, and what it has to wait for';

REVOKE ALL ON FUNCTION
    freshcrm.find_next_due(timestamptz),
    freshcrm.read_matviews(oid[]),
    freshcrm.due_now(timestamptz, oid),
    freshcrm.due_matviews(timestamptz)
FROM PUBLIC;
