
-- The CRM pack: statistics and scores of leads over the mapped table of events.
--
-- An event is a lead's and a user's: those without either are nobody's. Both functions are plain SQL that the planner
-- puts in the place of a call, and run with the rights of who calls them. With a rollup of the table they read
-- its rows, and of the events those alone that lie in a bucket which a cutoff cuts, from the cutoff to its end.

-- A rollup that knows what the functions ask: NULL, or its SQL names. With the rights of the extension's owner, since
-- who installs the pack has none on the definitions of projections.
CREATE FUNCTION freshcrm.crm_event_rollup(columns freshcrm.crm_column[]) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH mapped AS (
    SELECT relation, jsonb_object_agg(ref_column, column_name) AS names FROM unnest(columns)
     WHERE ref_table = 'message_events' GROUP BY relation
  )
  SELECT jsonb_build_object(
           'rollup', r.rollup::text, 'source', format('%L::regclass', r.source),
           'rollup.user_id', format('rollup.%I', p.columns[array_position(r.key, (m.names->>'user_id')::name)]),
           'rollup.lead_id', format('rollup.%I', p.columns[array_position(r.key, (m.names->>'lead_id')::name)]),
           'rollup.events', format('rollup.%I', p.columns[3]),
           'direction', array_position(r.dimensions, (m.names->>'direction')::name)::text,
           'channel', array_position(r.dimensions, (m.names->>'channel')::name)::text,
           'bucket', format('''%s seconds''::interval', extract(epoch FROM r.bucket)))
    FROM freshcrm.event_rollup AS r
    JOIN mapped AS m ON m.relation = r.source
    JOIN freshcrm.projection AS p ON p.target = r.rollup
    JOIN pg_class AS c ON c.oid = r.source AND NOT c.relrowsecurity
   WHERE cardinality(r.key) = 2
     AND r.key @> ARRAY[m.names->>'user_id', m.names->>'lead_id']::name[]
     AND r.dimensions @> ARRAY[m.names->>'direction', m.names->>'channel']::name[]
     AND r.time_column = (m.names->>'created_at')::name
   ORDER BY cardinality(r.dimensions), r.bucket, r.rollup::text
   LIMIT 1;
END;
COMMENT ON FUNCTION freshcrm.crm_event_rollup(freshcrm.crm_column[]) IS
  'part of crm_create_stats: the rollup to be read, and what is what in it, as SQL';

CREATE FUNCTION freshcrm.crm_create_stats(schema name, columns freshcrm.crm_column[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Cutoffs "once" are computed once a query, and not for each event.
  -- Of a lead that has no events.
  nothing CONSTANT text := 'ROW(0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0)::freshcrm.lead_event_stats';
  edges CONSTANT text := '({message_events.created_at} >= {14d} AND {message_events.created_at} < freshcrm.event_rollup_edge({bucket}, {14d})
      OR {message_events.created_at} >= {7d} AND {message_events.created_at} < freshcrm.event_rollup_edge({bucket}, {7d}))';
  event_stats CONSTANT text := 'freshcrm.lead_event_stats({message_events.direction}, {message_events.channel},
      {message_events.created_at}, {14d once}, {7d once})';
  names jsonb;
  rollup jsonb;
  of_user text;
  of_named text;
  of_leads text;
  template text;
BEGIN
  IF NOT EXISTS (SELECT FROM unnest(columns) WHERE ref_table = 'message_events') THEN
    RETURN;
  END IF;
  rollup := freshcrm.crm_event_rollup(columns);
  names := jsonb_build_object('schema', quote_ident(schema), 'nothing', nothing, 'message_events.channel', 'NULL::text')
           || coalesce(rollup, '{}');

  -- Statistics by lead_id: of the events of user $1, all of them or those of the leads $4; and of leads $1 of all users.
  IF rollup IS NULL THEN
    of_user := 'SELECT {message_events.lead_id} AS lead_id, ' || event_stats || ' AS stats
      FROM {message_events} AS message_events
     WHERE {message_events.user_id} = $1 AND {message_events.lead_id} IS NOT NULL
       AND ($4 IS NULL OR {message_events.lead_id} = ANY ($4))
     GROUP BY {message_events.lead_id}';
    of_named := 'SELECT FROM {message_events} AS message_events
                      WHERE {message_events.lead_id} = named.lead_id AND {message_events.user_id} = $1';
    of_leads := 'SELECT {message_events.lead_id} AS lead_id, ' || event_stats || ' AS stats
      FROM {message_events} AS message_events
     WHERE {message_events.lead_id} = ANY ($1) AND {message_events.user_id} IS NOT NULL
     GROUP BY {message_events.lead_id}';
  ELSE
    -- The events in the edges are read first, all of them, and looked up by lead. OFFSET 0, so that a row is unpacked
    -- once and not for each of its columns; in the order of the rollup's index, so that leads need not be sorted
    -- afterwards.
    of_user := 'SELECT {rollup.lead_id} AS lead_id,
          freshcrm.event_rollup_stats({rollup.events}, {direction}, {channel}, {14d once}, {7d once}, (
            SELECT freshcrm.event_rollup_edges({message_events.lead_id}, {message_events.direction}, {message_events.created_at}, {14d}, {7d})
              FROM {message_events} AS message_events
             WHERE {message_events.user_id} = $1 AND ($4 IS NULL OR {message_events.lead_id} = ANY ($4))
               AND ' || edges || '), {rollup.lead_id}) AS stats
      FROM {rollup} AS rollup
     WHERE {rollup.user_id} = $1 AND ($4 IS NULL OR {rollup.lead_id} = ANY ($4))
       AND freshcrm.event_rollup_readable({source})
     ORDER BY {rollup.lead_id} OFFSET 0';
    of_named := 'SELECT FROM {rollup} AS rollup
                      WHERE {rollup.lead_id} = named.lead_id AND {rollup.user_id} = $1';
    -- Of the few leads, those whose events a cutoff cuts are fewer still: of these alone the edges are read, each by
    -- index. They must not overlap.
    of_leads := 'SELECT {rollup.lead_id} AS lead_id,
          freshcrm.event_rollup_stats_agg({rollup.events}, {direction}, {channel}, {14d}, {7d},
            CASE WHEN freshcrm.event_rollup_cut({rollup.events}, {14d}, {7d}) THEN (
              SELECT freshcrm.lead_event_stats(event.direction, NULL, event.created_at, {14d}, {7d})
                FROM (SELECT {14d} AS first, freshcrm.event_rollup_edge({bucket}, {14d}) AS behind
                      UNION ALL
                      SELECT greatest({7d}, freshcrm.event_rollup_edge({bucket}, {14d})), freshcrm.event_rollup_edge({bucket}, {7d})) AS edge,
                     LATERAL (SELECT {message_events.direction} AS direction, {message_events.created_at} AS created_at
                        FROM {message_events} AS message_events
                       WHERE {message_events.lead_id} = {rollup.lead_id} AND {message_events.user_id} = {rollup.user_id}
                         AND {message_events.created_at} >= edge.first AND {message_events.created_at} < edge.behind
                      OFFSET 0) AS event) END) AS stats
      FROM {rollup} AS rollup
     WHERE {rollup.lead_id} = ANY ($1) AND freshcrm.event_rollup_readable({source})
     GROUP BY {rollup.lead_id}';
  END IF;

  template := 'CREATE OR REPLACE FUNCTION {schema}.calculate_lead_event_stats(
      p_user_id uuid, p_cutoff_14d timestamptz, p_cutoff_7d timestamptz, p_lead_ids uuid[] DEFAULT NULL)
    RETURNS TABLE (lead_id uuid, total_events bigint, inbound_total bigint, outbound_total bigint,
      inbound_14d bigint, outbound_14d bigint, inbound_7d bigint, outbound_7d bigint,
      last_inbound_at timestamptz, last_outbound_at timestamptz, channels int)
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    BEGIN ATOMIC
      SELECT s.* FROM (
       (SELECT e.lead_id, freshcrm.lead_event_stats_count(e.stats, 1), freshcrm.lead_event_stats_count(e.stats, 2),
               freshcrm.lead_event_stats_count(e.stats, 3), freshcrm.lead_event_stats_count(e.stats, 4),
               freshcrm.lead_event_stats_count(e.stats, 5), freshcrm.lead_event_stats_count(e.stats, 6),
               freshcrm.lead_event_stats_count(e.stats, 7), freshcrm.lead_event_stats_time(e.stats, 8),
               freshcrm.lead_event_stats_time(e.stats, 9), freshcrm.lead_event_stats_channels(e.stats)
          FROM (' || of_user || ') AS e
         WHERE freshcrm.check_cutoffs($2, $3)
         ORDER BY e.lead_id)
        UNION ALL
        SELECT named.lead_id, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, NULL, NULL, 0
          FROM unnest(ARRAY(SELECT DISTINCT d.id FROM unnest($4) AS d (id))) AS named (lead_id)
         WHERE $4 IS NOT NULL AND named.lead_id IS NOT NULL AND NOT EXISTS (
               ' || of_named || ')) AS s
       ORDER BY s.lead_id;
    END;';
  EXECUTE freshcrm.crm_fill(template, columns, names || '{"14d": "$2", "7d": "$3", "14d once": "(SELECT $2)", "7d once": "(SELECT $3)"}');
  EXECUTE format('COMMENT ON FUNCTION %I.calculate_lead_event_stats(uuid, timestamptz, timestamptz, uuid[]) IS %L', schema,
    'Statistics of the events of a user, a row a lead, of all leads or of those named, which have a row without events, too; '
    'windows hold what is at their cutoff and after it.'
    || CASE WHEN rollup IS NULL THEN '' ELSE ' Reads ' || (rollup->>'rollup') || ', and is as new as that.' END);

  template := 'CREATE OR REPLACE FUNCTION {schema}.p_score_batch(
      p_lead_ids uuid[], p_now timestamptz DEFAULT now(), p_weights jsonb DEFAULT NULL)
    RETURNS TABLE (lead_id uuid, p_score numeric, factors jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    BEGIN ATOMIC
      SELECT s.lead_id, (s.score).p_score, (s.score).factors
        FROM (SELECT {leads.id} AS lead_id,
                     freshcrm.lead_score(coalesce(e.stats, {nothing}), $2, $3, {leads.status}) AS score
                FROM {leads} AS leads LEFT JOIN (' || of_leads || ') AS e ON e.lead_id = {leads.id}
               WHERE {leads.id} = ANY ($1)
               ORDER BY {leads.id} OFFSET 0) AS s
       ORDER BY s.lead_id;
    END;';
  -- In hours: days have other lengths where clocks change, and the same events have the same score everywhere.
  EXECUTE freshcrm.crm_fill(template, columns,
    names || '{"14d": "($2 - ''336 hours''::interval)", "7d": "($2 - ''168 hours''::interval)",
      "14d once": "(SELECT $2 - ''336 hours''::interval)", "7d once": "(SELECT $2 - ''168 hours''::interval)"}');
  EXECUTE format('COMMENT ON FUNCTION %I.p_score_batch(uuid[], timestamptz, jsonb) IS %L', schema,
    'The P-score of leads and the factors that made it (freshcrm.lead_score), of the events of all users and the lead''s status; '
    'an id that no lead has gives no row.'
    || CASE WHEN rollup IS NULL THEN '' ELSE ' Reads ' || (rollup->>'rollup') || ', and is as new as that.' END);
END
$$;
COMMENT ON FUNCTION freshcrm.crm_create_stats(name, freshcrm.crm_column[]) IS
  'makes calculate_lead_event_stats and p_score_batch in a schema, over the mapped message_events if there is one, and its rollup if there is one; install_crm calls it';

REVOKE ALL ON FUNCTION freshcrm.crm_event_rollup(freshcrm.crm_column[]),
  freshcrm.crm_create_stats(name, freshcrm.crm_column[]) FROM PUBLIC;
