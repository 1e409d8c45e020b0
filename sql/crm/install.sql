
-- The CRM pack: the cockpit's view and hot table, the statistics and scores of leads, and materialized views, over the
-- reference tables or the user's own.

CREATE TABLE freshcrm.crm_installation (
  schema_name  name PRIMARY KEY,
  mapping      jsonb NOT NULL,
  made         name[] NOT NULL DEFAULT '{}',  -- what was made beside the cockpit
  installed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE freshcrm.crm_installation IS 'the schemas in which install_crm has made its objects; a role that is to install needs SELECT, INSERT and DELETE on it';
SELECT pg_catalog.pg_extension_config_dump('freshcrm.crm_installation', '');

CREATE FUNCTION freshcrm.install_crm(schema name, mapping jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- A later pair gives the name where two reference tables are mapped to one table.
  trigger_names CONSTANT jsonb := '[["sample_request", "trg_sample_hot"], ["lead_ownership", "trg_ownership_hot"],
    ["customers", "trg_customer_hot"], ["activities", "trg_activity_hot"], ["leads", "trg_lead_hot"]]';
  columns freshcrm.crm_column[];
  query text;
  options jsonb;
  made name[];
  wrong record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
    RAISE invalid_schema_name USING
      MESSAGE = format('schema "%s" does not exist', schema),
      HINT = 'Name a schema that exists; create_crm_tables makes one with reference tables.';
  END IF;
  -- A schema dropped with all its objects leaves its row behind.
  DELETE FROM freshcrm.crm_installation AS i
   WHERE i.schema_name = schema
     AND to_regclass(format('%I.cockpit_leads_live', schema)) IS NULL
     AND to_regclass(format('%I.cockpit_leads_hot', schema)) IS NULL
     AND to_regprocedure(format('%I.recompute_cockpit_lead_hot(uuid)', schema)) IS NULL
     AND NOT EXISTS (SELECT FROM unnest(i.made) AS name
                      WHERE to_regclass(format('%I.%I', schema, name)) IS NOT NULL
                         OR EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                                     WHERE n.nspname = schema AND p.proname = name));
  IF EXISTS (SELECT FROM freshcrm.crm_installation AS i WHERE i.schema_name = schema) THEN
    RAISE duplicate_object USING
      MESSAGE = format('the CRM pack is already installed in schema "%s"', schema),
      HINT = 'To install it again, with another mapping for example, call uninstall_crm first.';
  END IF;

  columns := freshcrm.crm_mapped_columns(schema, mapping);
  query := freshcrm.crm_cockpit_query(columns);
  FOR wrong IN
    SELECT m.* FROM unnest(columns) AS m
     WHERE (ref_table, ref_column) IN (('leads', 'id'), ('customers', 'id'))
       AND NOT EXISTS (SELECT FROM pg_index AS i
                         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                        WHERE i.indrelid = m.relation AND a.attname = m.column_name
                          AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL)
  LOOP
    RAISE WARNING USING
      MESSAGE = format('mapping key "%s.id": table %s has no unique index on column %I',
                       wrong.ref_table, wrong.relation, wrong.column_name),
      DETAIL = 'A write that makes the cockpit return a lead twice will fail.';
  END LOOP;

  SELECT jsonb_build_object('trigger_names', jsonb_object_agg(m.relation::text, n.pair->>1 ORDER BY n.place))
    INTO options
    FROM jsonb_array_elements(trigger_names) WITH ORDINALITY AS n (pair, place)
    JOIN (SELECT DISTINCT ref_table, relation FROM unnest(columns)) AS m
      ON m.ref_table = n.pair->>0;
  FOR wrong IN
    SELECT t.tgname, t.tgrelid::regclass AS relation FROM jsonb_each_text(options->'trigger_names') AS n
      JOIN pg_trigger AS t ON t.tgrelid = n.key::regclass AND t.tgname ~ ('^' || n.value || '(|_insert|_delete|_truncate)$')
     LIMIT 1
  LOOP
    RAISE duplicate_object USING
      MESSAGE = format('table %s already has a trigger "%s"', wrong.relation, wrong.tgname),
      HINT = 'Drop it; if another installation of the CRM pack made it, call uninstall_crm for that schema.';
  END LOOP;

  EXECUTE format('CREATE VIEW %I.cockpit_leads_live AS %s', schema, query);
  EXECUTE format($ddl$
    COMMENT ON VIEW %1$I.cockpit_leads_live IS
      'The cockpit, computed when read: the leads that have a customer, an owner and a status.';
    CREATE TABLE %1$I.cockpit_leads_hot (
      lead_id          uuid PRIMARY KEY,
      customer_name    text NOT NULL,
      owner_user_id    uuid NOT NULL,
      status           %2$s NOT NULL,
      last_activity_at timestamptz,
      sample_state     %3$s,
      roi_potential    %4$s,
      updated_at       timestamptz NOT NULL DEFAULT now(),
      version_etag     text NOT NULL) WITH (fillfactor = 90);
    CREATE INDEX cockpit_leads_hot_owner ON %1$I.cockpit_leads_hot (owner_user_id);
    COMMENT ON TABLE %1$I.cockpit_leads_hot IS
      'The rows of cockpit_leads_live, kept equal to it by triggers; version_etag changes when one of them does.';
    $ddl$, VARIADIC ARRAY[schema::text] || (
      SELECT array_agg(format_type(atttypid, atttypmod) ORDER BY attnum) FROM pg_attribute
       WHERE attrelid = to_regclass(format('%I.cockpit_leads_live', schema))
         AND attname IN ('status', 'sample_state', 'roi_potential')));

  PERFORM freshcrm.create_projection(
    source => to_regclass(format('%I.cockpit_leads_live', schema)), key => ARRAY['lead_id']::name[],
    target => 'cockpit_leads_hot', options => options);

  EXECUTE format($ddl$
    CREATE FUNCTION %1$I.recompute_cockpit_lead_hot(uuid) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
      SELECT freshcrm.recompute(%2$L::regclass, ARRAY[$1]);
    END;
    REVOKE ALL ON FUNCTION %1$I.recompute_cockpit_lead_hot(uuid) FROM PUBLIC;
    COMMENT ON FUNCTION %1$I.recompute_cockpit_lead_hot(uuid) IS
      'Makes the row of one lead in cockpit_leads_hot equal to cockpit_leads_live; writes nothing when it is.';
    $ddl$, schema, format('%I.cockpit_leads_hot', schema));

  PERFORM freshcrm.crm_create_stats(schema, columns);
  made := freshcrm.crm_create_matviews(schema, columns);
  IF EXISTS (SELECT FROM unnest(columns) WHERE ref_table = 'message_events') THEN
    made := made || '{calculate_lead_event_stats, p_score_batch}'::name[];
  END IF;
  made := made || freshcrm.crm_create_refreshes(schema, made);
  INSERT INTO freshcrm.crm_installation (schema_name, mapping, made) VALUES (schema, mapping, made);
END
$$;
COMMENT ON FUNCTION freshcrm.install_crm(name, jsonb) IS
  'makes the CRM pack in a schema, over its reference tables or those that the mapping names: cockpit_leads_live, cockpit_leads_hot and recompute_cockpit_lead_hot(uuid); over message_events calculate_lead_event_stats, p_score_batch and mv_hot_leads; mv_rlhf_sessions_daily and mv_template_performance where their tables are there; for each materialized view a function and a job that refresh it';

CREATE FUNCTION freshcrm.crm_drop_all(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning  -- a part that is already gone is no news
AS $$
DECLARE
  made name[];
BEGIN
  DELETE FROM freshcrm.crm_installation AS i WHERE i.schema_name = schema RETURNING i.made INTO made;
  IF NOT FOUND THEN
    RAISE undefined_object USING
      MESSAGE = format('the CRM pack is not installed in schema "%s"', schema),
      HINT = 'The table freshcrm.crm_installation lists where it is.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
    RETURN;
  END IF;
  -- What is made of others goes first, and nothing that was not made.
  PERFORM freshcrm.crm_drop_refreshes(schema, made);
  IF 'p_score_batch' = ANY (made) THEN
    EXECUTE format('DROP FUNCTION IF EXISTS %1$I.p_score_batch(uuid[], timestamptz, jsonb),
      %1$I.calculate_lead_event_stats(uuid, timestamptz, timestamptz, uuid[])', schema);
  END IF;
  EXECUTE format('DROP FUNCTION IF EXISTS %I.recompute_cockpit_lead_hot(uuid)', schema);
  PERFORM freshcrm.drop_projection(p.projection) FROM freshcrm.projections AS p
   WHERE p.source = to_regclass(format('%I.cockpit_leads_live', schema))
      OR p.projection = to_regclass(format('%I.cockpit_leads_hot', schema));
  EXECUTE format('DROP TABLE IF EXISTS %I.cockpit_leads_hot', schema);
  EXECUTE format('DROP VIEW IF EXISTS %I.cockpit_leads_live', schema);
END
$$;
COMMENT ON FUNCTION freshcrm.crm_drop_all(name) IS 'part of uninstall_crm: removes what install_crm made';

-- Indexes that create_projection() asked for: nobody else may need them, but only who made them knows.
CREATE FUNCTION freshcrm.crm_advised_indexes(schema name) RETURNS SETOF text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
  SELECT DISTINCT i.indexrelid::regclass::text
    FROM freshcrm.projections AS p CROSS JOIN LATERAL freshcrm.explain_projection(p.projection) AS e
    JOIN pg_index AS i ON i.indrelid = ANY (p.base_tables) AND NOT i.indisunique
   WHERE p.source = to_regclass(format('%I.cockpit_leads_live', schema))
     AND regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE INDEX ("([^"]|"")*"|[^ ]+) ON (ONLY )?(.*) USING btree ', 'CREATE INDEX ON \4 ')
         = e.wanted_index
   ORDER BY 1;
EXCEPTION WHEN OTHERS THEN
  RETURN;  -- It is advice, and no reason to keep the pack.
END
$$;
COMMENT ON FUNCTION freshcrm.crm_advised_indexes(name) IS
  'part of uninstall_crm: the indexes of the user''s tables that the cockpit has wanted';

CREATE FUNCTION freshcrm.uninstall_crm(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  advised CONSTANT text[] := ARRAY(SELECT freshcrm.crm_advised_indexes(schema));
  index_name text;
BEGIN
  PERFORM freshcrm.crm_drop_all(schema);
  FOREACH index_name IN ARRAY advised LOOP
    RAISE NOTICE USING
      MESSAGE = format('the cockpit needs index %s no more', index_name),
      HINT = format('Unless something else does, call: DROP INDEX CONCURRENTLY %s;', index_name);
  END LOOP;
END
$$;
COMMENT ON FUNCTION freshcrm.uninstall_crm(name) IS
  'removes what install_crm made in a schema: jobs, functions, materialized views, the cockpit; tables and their data stay, and so do rollups of message_events; says which indexes nothing of it needs any more';

REVOKE ALL ON FUNCTION freshcrm.install_crm(name, jsonb), freshcrm.uninstall_crm(name),
  freshcrm.crm_drop_all(name), freshcrm.crm_advised_indexes(name) FROM PUBLIC;
