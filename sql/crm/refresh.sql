
-- The refreshes of the CRM pack: a function and a job for each of its materialized views that is made.

CREATE FUNCTION freshcrm.crm_jobs() RETURNS TABLE (matview name, function name, job text, cron text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  VALUES
    ('mv_rlhf_sessions_daily'::name, 'refresh_rlhf_daily_mv'::name, 'refresh-rlhf-dashboard', '*/10 * * * *'),
    ('mv_hot_leads', 'refresh_hot_leads_mv', 'refresh-hot-leads', '*/15 * * * *'),
    ('mv_template_performance', 'refresh_template_performance_mv', 'refresh-template-performance', '0 1 * * *');
END;
COMMENT ON FUNCTION freshcrm.crm_jobs() IS
  'the materialized views of the CRM pack, the functions that refresh them, and their jobs';

-- Jobs have names of their own in a database: where another schema has the pack, the name of this one is added.
CREATE FUNCTION freshcrm.crm_create_refreshes(schema name, made name[]) RETURNS name[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wanted record;
  functions name[] := '{}';
  is_taken boolean;
BEGIN
  FOR wanted IN
    SELECT j.*, to_regclass(format('%I.%I', schema, j.matview)) AS relation FROM freshcrm.crm_jobs() AS j
     WHERE j.matview = ANY (made)
  LOOP
    EXECUTE format($ddl$
      CREATE FUNCTION %1$I.%2$I(
        OUT status text, OUT mode text, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint,
        OUT milliseconds double precision)
      LANGUAGE sql VOLATILE PARALLEL UNSAFE
      BEGIN ATOMIC
        SELECT r.status, r.mode, r.rows_inserted, r.rows_updated, r.rows_deleted, r.milliseconds
          FROM freshcrm.refresh(%3$L::regclass) AS r;
      END;
      REVOKE ALL ON FUNCTION %1$I.%2$I() FROM PUBLIC;
      COMMENT ON FUNCTION %1$I.%2$I() IS
        'Refreshes %4$s if that would change anything, for those to whom freshcrm.grant_refresh() allows it.';
      $ddl$, schema, wanted.function, wanted.relation, wanted.matview);
    functions := functions || wanted.function;
    is_taken := EXISTS (SELECT FROM freshcrm.matview_status AS m
                         WHERE m.job_name = wanted.job AND m.matview <> wanted.relation);
    PERFORM freshcrm.schedule(
      wanted.relation, wanted.cron, wanted.job || CASE WHEN is_taken THEN '-' || schema ELSE '' END);
  END LOOP;
  RETURN functions;
END
$$;
COMMENT ON FUNCTION freshcrm.crm_create_refreshes(name, name[]) IS
  'makes refresh_rlhf_daily_mv(), refresh_hot_leads_mv() and refresh_template_performance_mv() in a schema, and the jobs, each when its materialized view was made';

-- In the order of what depends on what: jobs, functions, materialized views.
CREATE FUNCTION freshcrm.crm_drop_refreshes(schema name, made name[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone record;
BEGIN
  FOR gone IN
    SELECT j.*, to_regclass(format('%I.%I', schema, j.matview)) AS relation FROM freshcrm.crm_jobs() AS j
     WHERE j.matview = ANY (made)
  LOOP
    IF gone.relation IS NOT NULL THEN
      PERFORM freshcrm.unschedule(gone.relation);
    END IF;
    IF gone.function = ANY (made) THEN
      EXECUTE format('DROP FUNCTION IF EXISTS %I.%I()', schema, gone.function);
    END IF;
  END LOOP;
  FOR gone IN SELECT name FROM unnest(made) AS name WHERE name LIKE 'mv!_%' ESCAPE '!' LOOP
    EXECUTE format('DROP MATERIALIZED VIEW IF EXISTS %I.%I', schema, gone.name);
  END LOOP;
END
$$;
COMMENT ON FUNCTION freshcrm.crm_drop_refreshes(name, name[]) IS
  'removes the jobs, what crm_create_refreshes() made, and the materialized views';

REVOKE ALL ON FUNCTION
  freshcrm.crm_jobs(), freshcrm.crm_create_refreshes(name, name[]), freshcrm.crm_drop_refreshes(name, name[])
FROM PUBLIC;
