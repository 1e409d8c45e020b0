-- Rollups: counts of events by bucket of time, all those of a lead packed into one row, kept as a projection.

-- The parts are called with the rights of the aggregate's owner. None is STRICT: a time or dimension that is NULL counts.

CREATE FUNCTION freshcrm.event_rollup_accumulate(internal, interval, timestamptz, text[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_accumulate';

COMMENT ON FUNCTION freshcrm.event_rollup_accumulate(internal, interval, timestamptz, text[]) IS
'part of event_rollup: adds an event';

CREATE FUNCTION freshcrm.event_rollup_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_combine';

COMMENT ON FUNCTION freshcrm.event_rollup_combine(internal, internal) IS
'part of event_rollup: joins the events of two states';

CREATE FUNCTION freshcrm.event_rollup_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_serialize';

COMMENT ON FUNCTION freshcrm.event_rollup_serialize(internal) IS 'part of event_rollup: a state as bytes';

CREATE FUNCTION freshcrm.event_rollup_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_deserialize';

COMMENT ON FUNCTION freshcrm.event_rollup_deserialize(bytea, internal) IS
'part of event_rollup: the state of these bytes';

CREATE FUNCTION freshcrm.event_rollup_final(internal) RETURNS bytea
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_final';

COMMENT ON FUNCTION freshcrm.event_rollup_final(internal) IS 'part of event_rollup: the result';

-- The final function packs what is pending, which changes how a state is kept, not what it means.
CREATE AGGREGATE freshcrm.event_rollup(bucket interval, created_at timestamptz, VARIADIC dimensions text[]) (
    SFUNC = freshcrm.event_rollup_accumulate, STYPE = internal, SSPACE = 1024,
    FINALFUNC = freshcrm.event_rollup_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = freshcrm.event_rollup_combine,
    SERIALFUNC = freshcrm.event_rollup_serialize, DESERIALFUNC = freshcrm.event_rollup_deserialize,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.event_rollup(interval, timestamptz, text[]) IS
'events packed by bucket of time and by dimensions, the same bytes in any order; NULL of no events. src/core/event_rollup.hpp specifies them';

CREATE FUNCTION freshcrm.event_rollup_add(
    events bytea, bucket interval, created_at timestamptz, VARIADIC dimensions text[]
) RETURNS bytea
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_add';

COMMENT ON FUNCTION freshcrm.event_rollup_add(bytea, interval, timestamptz, text[]) IS
'the packed events with one more (the only one, of NULL): byte for byte what event_rollup() gives over one row more';

-- With event_rollup_add(), by which rows of a rollup are brought forward without a query.
CREATE FUNCTION freshcrm.event_rollup_merge(bytea, bytea) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_merge';

COMMENT ON FUNCTION freshcrm.event_rollup_merge(bytea, bytea) IS
'the packed events of both together';

CREATE FUNCTION freshcrm.event_rollup_stats(
    events bytea, direction int, channel int, cutoff_14d timestamptz, cutoff_7d timestamptz,
    edges freshcrm.lead_event_stats DEFAULT NULL
) RETURNS freshcrm.lead_event_stats
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_stats';

COMMENT ON FUNCTION freshcrm.event_rollup_stats(bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats) IS
'lead_event_stats() of packed events, whose dimensions of these positions (from 1) are direction and channel; each window without the bucket that its cutoff cuts, unless edges has lead_event_stats() of the events in the edges of both cutoffs';

CREATE FUNCTION freshcrm.event_rollup_stats_add(
    internal, bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats
) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_stats_add';

COMMENT ON FUNCTION freshcrm.event_rollup_stats_add(internal, bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats) IS
'part of event_rollup_stats_agg: adds packed events';

CREATE AGGREGATE freshcrm.event_rollup_stats_agg(
    events bytea, direction int, channel int, cutoff_14d timestamptz, cutoff_7d timestamptz,
    edges freshcrm.lead_event_stats
) (
    SFUNC = freshcrm.event_rollup_stats_add, STYPE = internal, SSPACE = 176,
    FINALFUNC = freshcrm.lead_event_stats_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = freshcrm.lead_event_stats_combine,
    SERIALFUNC = freshcrm.lead_event_stats_serialize, DESERIALFUNC = freshcrm.lead_event_stats_deserialize,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.event_rollup_stats_agg(bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats) IS
'event_rollup_stats() of the events of several packed values together';

CREATE FUNCTION freshcrm.event_rollup_edges_add(internal, uuid, text, timestamptz, timestamptz, timestamptz)
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_edges_add';

COMMENT ON FUNCTION freshcrm.event_rollup_edges_add(internal, uuid, text, timestamptz, timestamptz, timestamptz) IS
'part of event_rollup_edges: adds an event';

CREATE FUNCTION freshcrm.event_rollup_edges_final(internal) RETURNS bytea
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_edges_final';

COMMENT ON FUNCTION freshcrm.event_rollup_edges_final(internal) IS 'part of event_rollup_edges: the result';

CREATE AGGREGATE freshcrm.event_rollup_edges(
    lead uuid, direction text, created_at timestamptz, cutoff_14d timestamptz, cutoff_7d timestamptz
) (
    SFUNC = freshcrm.event_rollup_edges_add, STYPE = internal, SSPACE = 8192,
    FINALFUNC = freshcrm.event_rollup_edges_final, FINALFUNC_MODIFY = READ_ONLY,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.event_rollup_edges(uuid, text, timestamptz, timestamptz, timestamptz) IS
'events in the edges of both cutoffs, counted by lead, as event_rollup_stats() takes them; 32 bytes a slot, up to 1 GB';

CREATE FUNCTION freshcrm.event_rollup_stats(
    events bytea, direction int, channel int, cutoff_14d timestamptz, cutoff_7d timestamptz, edges bytea, lead uuid
) RETURNS freshcrm.lead_event_stats
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_stats_of_lead';

COMMENT ON FUNCTION freshcrm.event_rollup_stats(bytea, int, int, timestamptz, timestamptz, bytea, uuid) IS
'lead_event_stats() of the packed events of a lead, whose dimensions of these positions (from 1) are direction and channel; edges are those of all leads, as event_rollup_edges() gives them';

CREATE FUNCTION freshcrm.event_rollup_cut(events bytea, cutoff_14d timestamptz, cutoff_7d timestamptz) RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_cut';

COMMENT ON FUNCTION freshcrm.event_rollup_cut(bytea, timestamptz, timestamptz) IS
'whether some of the packed events lie in a bucket that one of the cutoffs cuts, so that they have an edge to be added';

CREATE FUNCTION freshcrm.event_rollup_edge(bucket interval, cutoff timestamptz) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_edge';

COMMENT ON FUNCTION freshcrm.event_rollup_edge(interval, timestamptz) IS
'the end of the bucket that the cutoff cuts, so that the events from the cutoff to there are its edge; the cutoff itself where it cuts none';

CREATE FUNCTION freshcrm.check_cutoffs(cutoff_14d timestamptz, cutoff_7d timestamptz) RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_check_cutoffs';

COMMENT ON FUNCTION freshcrm.check_cutoffs(timestamptz, timestamptz) IS
'true; SQLSTATE 22023 when the window of 7 days begins before that of 14 days';

-- Stable, since it depends on the catalog and on who asks.
CREATE FUNCTION freshcrm.event_rollup_readable(source regclass) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_rollup_readable';

COMMENT ON FUNCTION freshcrm.event_rollup_readable(regclass) IS
'true; SQLSTATE 55000 when row-level security hides rows of the table from the caller, which its rollup would show';

-- Names, not OIDs, so that restored databases keep them. A projection that goes takes its row here along.
CREATE TABLE freshcrm.event_rollup (
    rollup regclass PRIMARY KEY REFERENCES freshcrm.projection (target) ON DELETE CASCADE,
    source regclass NOT NULL,
    key name[] NOT NULL,
    time_column name NOT NULL,
    bucket interval NOT NULL,
    dimensions name[] NOT NULL
);

COMMENT ON TABLE freshcrm.event_rollup IS
'what rollups are of, by the names that columns had then; who makes and drops them needs SELECT, INSERT and DELETE on it';

SELECT pg_catalog.pg_extension_config_dump('freshcrm.event_rollup', '');

CREATE FUNCTION freshcrm.type_below_domains(type oid) RETURNS oid
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE below AS (
        SELECT t.oid, t.typbasetype FROM pg_type AS t WHERE t.oid = $1
        UNION ALL
        SELECT t.oid, t.typbasetype FROM below AS b JOIN pg_type AS t ON t.oid = b.typbasetype
    )
    SELECT b.oid FROM below AS b WHERE b.typbasetype = 0;
END;

COMMENT ON FUNCTION freshcrm.type_below_domains(oid) IS 'the type that a domain is of in the end; any other type itself';

CREATE FUNCTION freshcrm.check_event_rollup(
    source regclass, key name[], time_column name, bucket interval, dimensions name[]
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
    relation_kind "char";
BEGIN
    wrong := CASE WHEN source IS NULL THEN 'source' WHEN key IS NULL THEN 'key' WHEN time_column IS NULL THEN 'time_column'
        WHEN bucket IS NULL THEN 'bucket' WHEN dimensions IS NULL THEN 'dimensions' END;
    IF wrong IS NOT NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = format('%s must not be NULL', wrong);
    END IF;
    -- Says what is wrong with the bucket.
    PERFORM freshcrm.event_rollup_edge(bucket, 'epoch');
    SELECT c.relkind INTO relation_kind FROM pg_class AS c WHERE c.oid = source;
    IF NOT FOUND THEN
        RAISE undefined_table USING MESSAGE = format('relation with OID %s does not exist', source::oid);
    END IF;
    IF relation_kind NOT IN ('r', 'p') THEN
        RAISE wrong_object_type USING
            MESSAGE = format('%s is not a table', source),
            HINT = 'Name the table that has the events; the rollup is kept by triggers on it.';
    END IF;
    IF cardinality(key) = 0 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'the key has no columns',
            HINT = 'Name what the events are packed by, such as {user_id,lead_id}.';
    END IF;
    IF cardinality(dimensions) > 16 THEN
        RAISE too_many_arguments USING
            MESSAGE = 'too many dimensions',
            DETAIL = format('There are %s, and at most 16 are possible.', cardinality(dimensions));
    END IF;
    SELECT coalesce(n.name, 'NULL') INTO wrong FROM unnest(key || time_column || dimensions) AS n (name)
     WHERE NOT EXISTS (SELECT FROM pg_attribute AS a
                        WHERE a.attrelid = source AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped)
     LIMIT 1;
    IF FOUND THEN
        RAISE undefined_column USING
            MESSAGE = format('column "%s" of table %s does not exist', wrong, source),
            HINT = 'Key, time column and dimensions are columns of the table.';
    END IF;
    SELECT n.name INTO wrong FROM unnest(key) AS n (name) GROUP BY n.name HAVING count(*) > 1
     UNION ALL
    SELECT n.name FROM unnest(dimensions) AS n (name) GROUP BY n.name HAVING count(*) > 1
     UNION ALL
    SELECT n.name FROM unnest(key) AS n (name) WHERE n.name IN ('events', 'updated_at', 'version_etag')
     LIMIT 1;
    IF FOUND THEN
        RAISE duplicate_column USING
            MESSAGE = format('column "%s" is there twice', wrong),
            DETAIL = 'A rollup has its key and the columns events, updated_at and version_etag, and each dimension once.';
    END IF;
    SELECT format_type(a.atttypid, a.atttypmod) INTO wrong FROM pg_attribute AS a
     WHERE a.attrelid = source AND a.attname = time_column
       AND freshcrm.type_below_domains(a.atttypid) <> 'timestamptz'::regtype;
    IF FOUND THEN
        RAISE datatype_mismatch USING
            MESSAGE = format('column "%s" of table %s is of type %s', time_column, source, wrong),
            DETAIL = 'Events are counted by their timestamp with time zone.',
            HINT = 'Give the table a generated column of that type, and name it.';
    END IF;
    SELECT format('column "%s" of table %s is of type %s', a.attname, source, format_type(a.atttypid, a.atttypmod))
      INTO wrong
      FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = freshcrm.type_below_domains(a.atttypid)
     WHERE a.attrelid = source AND a.attname = ANY (dimensions) AND t.typcategory NOT IN ('S', 'E')
     LIMIT 1;
    IF FOUND THEN
        RAISE datatype_mismatch USING
            MESSAGE = wrong,
            DETAIL = 'Dimensions are of a text type or an enum.';
    END IF;
END
$$;

COMMENT ON FUNCTION freshcrm.check_event_rollup(regclass, name[], name, interval, name[]) IS
'part of create_event_rollup: raises what is wrong with its arguments';

-- Each dimension as text: NULL stays NULL, and labels of enums are words like others.
CREATE FUNCTION freshcrm.event_rollup_query(
    source regclass, key name[], time_column name, bucket interval, dimensions name[]
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- The interval in seconds, which every setting of IntervalStyle reads alike.
    SELECT format(
        'SELECT %1$s, freshcrm.event_rollup(''%2$s seconds''::pg_catalog.interval, e.%3$I%4$s) AS events '
        'FROM %5$s AS e WHERE %6$s GROUP BY %1$s',
        (SELECT string_agg(format('e.%I', k.name), ', ' ORDER BY k.place)
           FROM unnest(key) WITH ORDINALITY AS k (name, place)),
        extract(epoch FROM bucket),
        time_column,
        coalesce(
            (SELECT string_agg(format(', e.%I::pg_catalog.text', d.name), '' ORDER BY d.place)
               FROM unnest(dimensions) WITH ORDINALITY AS d (name, place)),
            ', VARIADIC ''{}''::pg_catalog.text[]'),
        source,
        (SELECT string_agg(format('e.%I IS NOT NULL', k.name), ' AND ' ORDER BY k.place)
           FROM unnest(key) WITH ORDINALITY AS k (name, place)));
END;

COMMENT ON FUNCTION freshcrm.event_rollup_query(regclass, name[], name, interval, name[]) IS
'part of create_event_rollup: the query that the rollup always equals';

CREATE FUNCTION freshcrm.follow_event_rollups(source regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installation record;
BEGIN
    FOR installation IN
        SELECT i.schema_name, i.mapping FROM freshcrm.crm_installation AS i
          JOIN pg_namespace AS n ON n.nspname = i.schema_name
         WHERE EXISTS (
            SELECT FROM pg_proc AS p
              JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
             WHERE p.pronamespace = n.oid AND p.proname IN ('calculate_lead_event_stats', 'p_score_batch')
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = source)
    LOOP
        PERFORM freshcrm.crm_create_stats(
            installation.schema_name, freshcrm.crm_mapped_columns(installation.schema_name, installation.mapping));
    END LOOP;
END
$$;

COMMENT ON FUNCTION freshcrm.follow_event_rollups(regclass) IS
'makes the functions of the CRM pack over a table of events anew, so that they read a rollup that is there, and none that is not or may not be read; create_event_rollup and drop_event_rollup call it';

CREATE FUNCTION freshcrm.create_event_rollup(
    source regclass,
    key name[],
    time_column name,
    bucket interval DEFAULT '1 hour',
    dimensions name[] DEFAULT '{direction,channel}',
    target name DEFAULT NULL,
    mode text DEFAULT 'immediate',
    on_error text DEFAULT 'abort',
    options jsonb DEFAULT '{}'
) RETURNS regclass
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    target_schema name;
    target_name text;
    secured boolean;
    rollup regclass;
    command text;
    -- Rows are long, written with each event, and grow.
    room CONSTANT jsonb := '{"fillfactor": 70}';
BEGIN
    PERFORM freshcrm.check_event_rollup(source, key, time_column, bucket, dimensions);
    SELECT n.nspname, coalesce(target, c.relname || '_rollup'), c.relrowsecurity
      INTO target_schema, target_name, secured
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = source;
    IF octet_length(target_name) > 63 THEN
        RAISE name_too_long USING
            MESSAGE = format('the name "%s" is too long', target_name),
            HINT = 'Name another target.';
    END IF;
    IF to_regclass(format('%I.%I', target_schema, target_name)) IS NOT NULL THEN
        RAISE duplicate_table USING
            MESSAGE = format('relation "%s" already exists', target_name),
            HINT = 'Name another target; a rollup goes with drop_event_rollup().';
    END IF;

    -- The view of a query is made in the first schema; all that is named in the query is named with its own.
    PERFORM set_config('search_path', quote_ident(target_schema) || ', pg_temp', true);
    rollup := freshcrm.create_projection(
        query => freshcrm.event_rollup_query(source, key, time_column, bucket, dimensions),
        key => key, target => target_name::name, mode => mode, on_error => on_error,
        options => CASE jsonb_typeof(options) WHEN 'object' THEN room || options ELSE options END);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);

    INSERT INTO freshcrm.event_rollup
    VALUES (rollup, source, key, time_column, bucket, dimensions);
    -- Packed bytes do not get smaller, and to try would cost more than to pack them.
    EXECUTE format('ALTER TABLE %s ALTER COLUMN events SET STORAGE EXTERNAL', rollup);
    EXECUTE format('COMMENT ON TABLE %s IS %L', rollup,
        format('The events of %s by %s, packed (freshcrm.event_rollup), kept by triggers.', source, array_to_string(key, ', ')));
    -- Rows are looked for by any of the key's columns; its own index begins with the first.
    FOR command IN
        SELECT format('CREATE INDEX ON %s (%I, %s)', rollup, k.name,
                      (SELECT string_agg(quote_ident(o.name), ', ' ORDER BY o.place)
                         FROM unnest(key) WITH ORDINALITY AS o (name, place) WHERE o.place <> k.place))
          FROM unnest(key) WITH ORDINALITY AS k (name, place) WHERE k.place > 1 ORDER BY k.place
    LOOP
        EXECUTE command;
    END LOOP;
    -- Who may read all events may read how many there are; where policies decide that, nobody else.
    FOR command IN
        SELECT format('GRANT SELECT ON %s TO %s', rollup,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
          FROM pg_class AS c, aclexplode(c.relacl) AS a
         WHERE c.oid = source AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner AND NOT secured
    LOOP
        EXECUTE command;
    END LOOP;
    -- So that the functions that read it are planned well from the start.
    EXECUTE format('ANALYZE %s', rollup);
    PERFORM freshcrm.follow_event_rollups(source);
    RETURN rollup;
END
$$;

COMMENT ON FUNCTION freshcrm.create_event_rollup(regclass, name[], name, interval, name[], name, text, text, jsonb) IS
'makes a projection (<source>_rollup, or target) of a table of events: one row a key with all its events, counted by bucket of time and dimensions, which calculate_lead_event_stats() reads';

CREATE FUNCTION freshcrm.drop_event_rollup(rollup regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_table regclass;
BEGIN
    DELETE FROM freshcrm.event_rollup AS r WHERE r.rollup = drop_event_rollup.rollup RETURNING r.source INTO of_table;
    IF NOT FOUND THEN
        RAISE undefined_object USING
            MESSAGE = format('%s is not an event rollup', rollup),
            HINT = 'The table freshcrm.event_rollup lists them.';
    END IF;
    -- First, for the functions depend on what they read.
    PERFORM freshcrm.follow_event_rollups(of_table);
    PERFORM freshcrm.drop_projection(rollup);
END
$$;

COMMENT ON FUNCTION freshcrm.drop_event_rollup(regclass) IS
'drops a rollup, its view and its triggers; what has read it reads the events again';

REVOKE EXECUTE ON FUNCTION
    freshcrm.event_rollup_accumulate(internal, interval, timestamptz, text[]),
    freshcrm.event_rollup_combine(internal, internal), freshcrm.event_rollup_serialize(internal),
    freshcrm.event_rollup_deserialize(bytea, internal), freshcrm.event_rollup_final(internal),
    freshcrm.event_rollup_stats_add(internal, bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats),
    freshcrm.event_rollup_edges_add(internal, uuid, text, timestamptz, timestamptz, timestamptz),
    freshcrm.event_rollup_edges_final(internal),
    freshcrm.type_below_domains(oid),
    freshcrm.check_event_rollup(regclass, name[], name, interval, name[]),
    freshcrm.event_rollup_query(regclass, name[], name, interval, name[]),
    freshcrm.follow_event_rollups(regclass),
    freshcrm.create_event_rollup(regclass, name[], name, interval, name[], name, text, text, jsonb),
    freshcrm.drop_event_rollup(regclass)
FROM PUBLIC;

GRANT EXECUTE ON FUNCTION
    freshcrm.event_rollup(interval, timestamptz, text[]),
    freshcrm.event_rollup_add(bytea, interval, timestamptz, text[]),
    freshcrm.event_rollup_merge(bytea, bytea),
    freshcrm.event_rollup_stats(bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats),
    freshcrm.event_rollup_stats_agg(bytea, int, int, timestamptz, timestamptz, freshcrm.lead_event_stats),
    freshcrm.event_rollup_stats(bytea, int, int, timestamptz, timestamptz, bytea, uuid),
    freshcrm.event_rollup_edges(uuid, text, timestamptz, timestamptz, timestamptz),
    freshcrm.event_rollup_cut(bytea, timestamptz, timestamptz),
    freshcrm.event_rollup_edge(interval, timestamptz), freshcrm.check_cutoffs(timestamptz, timestamptz),
    freshcrm.event_rollup_readable(regclass)
TO PUBLIC;
