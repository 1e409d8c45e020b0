
-- The CRM pack over tables of any name: from a mapping to relations and columns.
--
-- A mapping is keyed by reference table, and names what differs from the reference tables:
--
--   {"leads":          {"table": "sales.opportunity",
--                       "columns": {"id": "opp_id", "owner_user_id": "rep_id"}},
--    "activities":     {"columns": {"deleted_at": null}},
--    "sample_request": null}
--
-- A table is a name as SQL writes it, in the installation's schema unless qualified; a column is its
-- bare name. null says that the user has no such table or column: sample_state, roi_potential or
-- last_activity_at then do without. One owner must remain, leads.owner_user_id or lead_ownership.
-- Without message_events, rlhf_feedback_sessions or message_templates the objects over them are not
-- made.

CREATE TYPE freshcrm.crm_column AS (
  ref_table     text,
  ref_column    text,
  relation      regclass,
  column_name   name,
  base_type     oid,   -- below any domains
  type_modifier int4
);
COMMENT ON TYPE freshcrm.crm_column IS 'what stands for a column of the reference tables';

-- The columns that the pack reads and the user has; raises what is wrong with the mapping.
CREATE FUNCTION freshcrm.crm_mapped_columns(schema name, mapping jsonb) RETURNS freshcrm.crm_column[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- kind: what the column is used for. need: 'required'; 'nullable' may be mapped to null;
  -- 'optional' may also be absent without a word; 'unused' is looked at only when mapped.
  -- What cockpit_leads_live reads.
  cockpit CONSTANT jsonb := $json$[
    ["customers", "required",
      ["id", "key", "required"], ["name", "text", "required"],
      ["description", "any", "unused"], ["status", "any", "unused"],
      ["created_at", "any", "unused"], ["updated_at", "any", "unused"]],
    ["leads", "required",
      ["id", "uuid", "required"], ["customer_id", "key", "required"],
      ["owner_user_id", "uuid", "optional"], ["status", "label", "required"],
      ["roi_potential", "number", "nullable"], ["email", "any", "unused"], ["p_score", "any", "unused"],
      ["created_at", "any", "unused"], ["updated_at", "any", "unused"]],
    ["lead_ownership", "optional",
      ["lead_id", "uuid", "required"], ["user_id", "uuid", "required"],
      ["created_at", "any", "optional"]],
    ["activities", "required",
      ["lead_id", "uuid", "required"], ["created_at", "time", "required"],
      ["deleted_at", "any", "nullable"], ["id", "any", "unused"], ["kind", "any", "unused"]],
    ["sample_request", "nullable",
      ["lead_id", "uuid", "required"], ["status", "label", "required"],
      ["latest", "flag", "nullable"], ["created_at", "any", "optional"], ["id", "any", "unused"]]]$json$;
  -- What the statistics and scores of leads read, and mv_hot_leads: message_events; mv_hot_leads counts
  -- the other two where they are.
  events CONSTANT jsonb := $json$[
    ["message_events", "optional",
      ["user_id", "uuid", "required"], ["lead_id", "uuid", "required"], ["direction", "label", "required"],
      ["channel", "label", "required"], ["created_at", "time", "required"], ["status", "label", "optional"],
      ["template_id", "key", "optional"], ["id", "any", "unused"], ["body", "any", "unused"]],
    ["web_tracking_events", "optional",
      ["lead_id", "uuid", "required"], ["timestamp", "time", "required"],
      ["event_type", "any", "unused"], ["url", "any", "unused"], ["id", "any", "unused"]],
    ["social_engagement_events", "optional",
      ["lead_id", "uuid", "required"], ["created_at", "time", "required"],
      ["engagement_type", "any", "unused"], ["platform", "any", "unused"], ["id", "any", "unused"]]]$json$;
  -- What mv_rlhf_sessions_daily reads, and mv_template_performance (with message_events).
  reports CONSTANT jsonb := $json$[
    ["rlhf_feedback_sessions", "optional",
      ["user_id", "uuid", "required"], ["created_at", "time", "required"], ["lead_id", "uuid", "optional"],
      ["accepted", "flag", "optional"], ["rating", "number", "optional"],
      ["suggestion", "any", "unused"], ["final_text", "any", "unused"], ["id", "any", "unused"]],
    ["message_templates", "optional",
      ["id", "key", "required"], ["name", "text", "required"], ["channel", "label", "optional"],
      ["user_id", "any", "unused"], ["subject", "any", "unused"], ["body", "any", "unused"],
      ["created_at", "any", "unused"], ["updated_at", "any", "unused"]]]$json$;
  -- What nothing reads yet.
  others CONSTANT jsonb := $json$[
    ["crm_notes", "optional",
      ["lead_id", "uuid", "unused"], ["user_id", "uuid", "unused"], ["created_at", "time", "unused"],
      ["body", "any", "unused"], ["updated_at", "any", "unused"], ["id", "any", "unused"]],
    ["dm_messages", "optional",
      ["conversation_id", "key", "unused"], ["created_at", "time", "unused"], ["lead_id", "uuid", "unused"],
      ["user_id", "uuid", "unused"], ["direction", "label", "unused"],
      ["body", "any", "unused"], ["id", "any", "unused"]]]$json$;
  reference CONSTANT jsonb := cockpit || events || reports || others;
  columns freshcrm.crm_column[];
  mapped freshcrm.crm_column;
  ref jsonb;
  col jsonb;
  entry jsonb;
  target jsonb;
  parts text[];
  wrong text;
  kind text;
  need text;
  relation_kind "char";
  category "char";
  not_usable text;
BEGIN
  IF mapping IS NULL OR jsonb_typeof(mapping) <> 'object' THEN
    RAISE invalid_parameter_value USING MESSAGE = 'the mapping must be a JSON object';
  END IF;
  SELECT key INTO wrong FROM jsonb_object_keys(mapping) AS key
   WHERE key NOT IN (SELECT r->>0 FROM jsonb_array_elements(reference) AS r) LIMIT 1;
  IF FOUND THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('unknown mapping key "%s"', wrong),
      HINT = format('The keys are %s.', (SELECT string_agg(r->>0, ', ') FROM jsonb_array_elements(reference) AS r));
  END IF;

  FOR ref IN SELECT * FROM jsonb_array_elements(reference) LOOP
    mapped.ref_table := ref->>0;
    need := ref->>1;
    entry := mapping->mapped.ref_table;
    IF entry = 'null' THEN
      CONTINUE WHEN need <> 'required';
      RAISE invalid_parameter_value USING
        MESSAGE = format('mapping key "%s" must not be null', mapped.ref_table),
        DETAIL = 'The cockpit cannot do without this table.';
    END IF;
    IF jsonb_typeof(coalesce(entry, '{}')) <> 'object'
       OR jsonb_typeof(coalesce(entry->'table', '""')) <> 'string'
       OR jsonb_typeof(coalesce(entry->'columns', '{}')) <> 'object' THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('mapping key "%s" is not of the expected form', mapped.ref_table),
        HINT = 'The form is {"table": "schema.name", "columns": {"reference column": "column"}}; both parts may be left out.';
    END IF;
    SELECT key INTO wrong FROM jsonb_object_keys(entry) AS key WHERE key NOT IN ('table', 'columns') LIMIT 1;
    IF FOUND THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('unknown mapping key "%s.%s"', mapped.ref_table, wrong),
        HINT = 'The keys are table and columns.';
    END IF;
    SELECT key INTO wrong FROM jsonb_object_keys(entry->'columns') AS key
     WHERE key NOT IN (SELECT c->>0 FROM jsonb_path_query(ref, '$[2 to last]') AS c) LIMIT 1;
    IF FOUND THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('unknown mapping key "%s.%s"', mapped.ref_table, wrong),
        HINT = format('The columns of %s are %s.', mapped.ref_table,
          (SELECT string_agg(c->>0, ', ') FROM jsonb_path_query(ref, '$[2 to last]') AS c));
    END IF;

    BEGIN
      parts := CASE WHEN entry ? 'table' THEN parse_ident(entry->>'table') ELSE ARRAY[mapped.ref_table] END;
    EXCEPTION WHEN invalid_parameter_value THEN
      parts := NULL;
    END;
    IF parts IS NULL OR cardinality(parts) > 2 THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('mapping key "%s": "%s" is not the name of a table', mapped.ref_table, entry->>'table'),
        HINT = 'Write it as SQL does: schema.name, or "Schema"."Name" where quotes are needed.';
    END IF;
    IF cardinality(parts) = 1 THEN
      parts := ARRAY[schema::text] || parts;
    END IF;
    mapped.relation := to_regclass(format('%I.%I', parts[1], parts[2]));
    IF mapped.relation IS NULL THEN
      CONTINUE WHEN need = 'optional' AND entry IS NULL;
      RAISE undefined_table USING
        MESSAGE = format('mapping key "%s": table %I.%I does not exist', mapped.ref_table, parts[1], parts[2]),
        HINT = format('Map the table of yours: {"%s": {"table": "schema.name"}}%s.', mapped.ref_table,
                      CASE WHEN need <> 'required' THEN format(', or say that there is none: {"%s": null}', mapped.ref_table) END);
    END IF;
    SELECT relkind INTO relation_kind FROM pg_class WHERE oid = mapped.relation;
    IF relation_kind NOT IN ('r', 'p') THEN
      RAISE wrong_object_type USING
        MESSAGE = format('mapping key "%s": %s is not a table', mapped.ref_table, mapped.relation),
        HINT = 'The triggers of the pack need the table itself.';
    END IF;

    FOR col IN SELECT * FROM jsonb_path_query(ref, '$[2 to last]') LOOP
      mapped.ref_column := col->>0;
      kind := col->>1;
      need := col->>2;
      target := entry->'columns'->mapped.ref_column;
      CONTINUE WHEN target IS NULL AND need = 'unused';
      IF jsonb_typeof(target) NOT IN ('string', 'null') OR (target = 'null' AND need = 'required') THEN
        RAISE invalid_parameter_value USING
          MESSAGE = format('mapping key "%s.%s" must be the name of a column', mapped.ref_table, mapped.ref_column);
      END IF;
      CONTINUE WHEN target = 'null';
      mapped.column_name := coalesce(target #>> '{}', mapped.ref_column);
      -- The type below any domains, and its modifier.
      WITH RECURSIVE below AS (
        SELECT atttypid AS id, atttypmod AS modifier FROM pg_attribute
         WHERE attrelid = mapped.relation AND attname = mapped.column_name AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT t.typbasetype, t.typtypmod FROM below AS b JOIN pg_type AS t ON t.oid = b.id AND t.typtype = 'd')
      SELECT b.id, b.modifier, t.typcategory INTO mapped.base_type, mapped.type_modifier, category
        FROM below AS b JOIN pg_type AS t ON t.oid = b.id AND t.typtype <> 'd';
      IF NOT FOUND THEN
        CONTINUE WHEN target IS NULL AND need = 'optional';
        RAISE undefined_column USING
          MESSAGE = format('mapping key "%s.%s": table %s has no column %I',
                           mapped.ref_table, mapped.ref_column, mapped.relation, mapped.column_name),
          HINT = format('Map the column of yours: {"%s": {"columns": {"%s": %s}}}%s.', mapped.ref_table, mapped.ref_column,
                        CASE need WHEN 'required' THEN '"name"' ELSE '"name", or null if there is none' END,
                        CASE WHEN ref->>1 <> 'required' THEN format(', or leave the table out: {"%s": null}', mapped.ref_table) END);
      END IF;
      not_usable := CASE kind
        WHEN 'uuid' THEN CASE WHEN mapped.base_type <> 'uuid'::regtype THEN 'uuid' END
        WHEN 'time' THEN CASE WHEN mapped.base_type <> 'timestamptz'::regtype THEN 'timestamp with time zone' END
        WHEN 'flag' THEN CASE WHEN mapped.base_type <> 'boolean'::regtype THEN 'boolean' END
        WHEN 'text' THEN CASE WHEN category <> 'S' THEN 'a text type' END
        WHEN 'label' THEN CASE WHEN category NOT IN ('S', 'E') THEN 'a text type or an enum' END
        -- money turns into a number by a setting (lc_monetary), so it is none.
        WHEN 'number' THEN CASE WHEN mapped.base_type <> ALL ('{int2,int4,int8,numeric,float4,float8}'::regtype[])
                                THEN 'a number' END
      END;
      IF not_usable IS NOT NULL THEN
        RAISE datatype_mismatch USING
          MESSAGE = format('mapping key "%s.%s": column %I of %s is of type %s', mapped.ref_table, mapped.ref_column,
                           mapped.column_name, mapped.relation, format_type(mapped.base_type, mapped.type_modifier)),
          DETAIL = format('The pack needs %s here.', not_usable),
          HINT = 'Give the table a generated column of that type and map it, or call create_projection with a view of your own.';
      END IF;
      columns := columns || mapped;
    END LOOP;
  END LOOP;
  RETURN columns;
END
$$;
COMMENT ON FUNCTION freshcrm.crm_mapped_columns(name, jsonb) IS
  'the columns that the CRM pack reads, found through a mapping; raises what is wrong with the mapping';

-- The SELECT of cockpit_leads_live: one row for each lead that has a customer, an owner and a status.
CREATE FUNCTION freshcrm.crm_cockpit_query(columns freshcrm.crm_column[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- What stands for a column that the user does not have.
  absent CONSTANT jsonb := '{"leads.owner_user_id": "NULL::uuid", "leads.roi_potential": "NULL::numeric(14,2)",
    "lead_ownership.created_at": "NULL::timestamptz", "activities.deleted_at": "NULL::timestamptz",
    "sample_request.latest": "true", "sample_request.created_at": "NULL::timestamptz"}';
  sql jsonb;    -- "leads" -> its table, "leads.id" -> its column, each as SQL
  owner text := '{leads.owner_user_id}';
  owner_known text := '{leads.owner_user_id} IS NOT NULL';
  sample text := 'NULL::text';
  template text;
BEGIN
  SELECT jsonb_object_agg(ref_table, relation::text)
         || jsonb_object_agg(ref_table || '.' || ref_column,
              format('%I.%I', ref_table, column_name) || CASE
                WHEN base_type = 'uuid'::regtype THEN '::uuid'
                WHEN ref_column IN ('name', 'status') AND typcategory = 'S' THEN '::text'
                WHEN ref_column <> 'roi_potential' THEN ''
                -- What numeric(14,2) could not hold exactly stays unbounded: the view must neither
                -- round it nor fail the write of a lead over it.
                WHEN base_type IN ('int2'::regtype, 'int4'::regtype)
                     OR (base_type = 'numeric'::regtype AND type_modifier >= 0
                         AND scale BETWEEN 0 AND 2 AND digits - scale <= 12) THEN '::numeric(14,2)'
                ELSE '::numeric' END)
    INTO sql
    FROM unnest(columns)
    JOIN pg_type AS t ON t.oid = base_type,
         LATERAL (SELECT ((type_modifier - 4) >> 16) & 65535, (((type_modifier - 4) & 2047) # 1024) - 1024)
           AS numeric_modifier (digits, scale);

  PERFORM freshcrm.crm_check_comparable(columns, 'leads.customer_id', 'customers.id');
  IF NOT sql ?| ARRAY['leads.owner_user_id', 'lead_ownership'] THEN
    RAISE undefined_column USING
      MESSAGE = 'mapping keys "leads.owner_user_id" and "lead_ownership": neither leads to the owner of a lead',
      HINT = 'Map one: {"leads": {"columns": {"owner_user_id": "name"}}} or {"lead_ownership": {"table": "schema.name"}}.';
  END IF;

  -- A row of lead_ownership wins over the column in leads, and the newest row over older ones.
  IF sql ? 'lead_ownership' THEN
    owner := 'coalesce((SELECT {lead_ownership.user_id} FROM {lead_ownership} AS lead_ownership
       WHERE {lead_ownership.lead_id} = {leads.id} AND {lead_ownership.user_id} IS NOT NULL
       ORDER BY {lead_ownership.created_at} DESC NULLS LAST, {lead_ownership.user_id} LIMIT 1), {leads.owner_user_id})';
    owner_known := '({leads.owner_user_id} IS NOT NULL OR EXISTS (SELECT 1 FROM {lead_ownership} AS lead_ownership
       WHERE {lead_ownership.lead_id} = {leads.id} AND {lead_ownership.user_id} IS NOT NULL))';
  END IF;
  IF sql ? 'sample_request' THEN
    sample := '(SELECT {sample_request.status} FROM {sample_request} AS sample_request
       WHERE {sample_request.lead_id} = {leads.id} AND {sample_request.latest}
       ORDER BY {sample_request.created_at} DESC NULLS LAST, {sample_request.status} LIMIT 1)';
  END IF;
  template := 'SELECT {leads.id} AS lead_id, {customers.name} AS customer_name, ' || owner || ' AS owner_user_id,
      {leads.status} AS status,
      (SELECT max({activities.created_at}) FROM {activities} AS activities
        WHERE {activities.lead_id} = {leads.id} AND {activities.deleted_at} IS NULL) AS last_activity_at,
      ' || sample || ' AS sample_state, {leads.roi_potential} AS roi_potential
    FROM {leads} AS leads JOIN {customers} AS customers ON {customers.id} = {leads.customer_id}
    WHERE {customers.name} IS NOT NULL AND {leads.status} IS NOT NULL AND ' || owner_known;

  -- One pass, so that braces within a name are never taken for a placeholder.
  RETURN (SELECT string_agg(CASE n % 2 WHEN 1 THEN part ELSE (absent || sql)->>part END, '' ORDER BY n)
            FROM regexp_split_to_table(template, '[{}]') WITH ORDINALITY AS split (part, n));
END
$$;
COMMENT ON FUNCTION freshcrm.crm_cockpit_query(freshcrm.crm_column[]) IS
  'the query of cockpit_leads_live over the user''s tables';

-- SQL with the user's names in it: {leads} is the table that stands for leads, {leads.status} its column status, of
-- an alias leads, below any domain and as text where it is an enum or a type of texts; "absent" says what stands for a
-- column that is not there.
CREATE FUNCTION freshcrm.crm_fill(template text, columns freshcrm.crm_column[], absent jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH names AS (
    SELECT jsonb_object_agg(ref_table, relation::text)
           || jsonb_object_agg(ref_table || '.' || ref_column,
                format('%I.%I::', ref_table, column_name)
                || CASE WHEN typcategory IN ('S', 'E') THEN 'text' ELSE format_type(base_type, type_modifier) END) AS sql
      FROM unnest(columns)
      JOIN pg_type AS t ON t.oid = base_type)
  -- One pass, so that braces within a name are never taken for a placeholder.
  SELECT string_agg(CASE n % 2 WHEN 1 THEN part ELSE (absent || names.sql)->>part END, '' ORDER BY n)
    FROM regexp_split_to_table(template, '[{}]') WITH ORDINALITY AS split (part, n), names;
END;
COMMENT ON FUNCTION freshcrm.crm_fill(text, freshcrm.crm_column[], jsonb) IS
  'SQL with the user''s tables and columns in place of the reference names in braces';

-- Raises 42804 where the columns of two mapping keys cannot be joined.
CREATE FUNCTION freshcrm.crm_check_comparable(columns freshcrm.crm_column[], "left" text, "right" text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  types CONSTANT jsonb := (SELECT jsonb_object_agg(ref_table || '.' || ref_column, format_type(base_type, type_modifier)) FROM unnest(columns));
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_type AS l JOIN pg_type AS r
        ON l.oid = r.oid OR (l.typcategory = r.typcategory AND l.typcategory IN ('N', 'S'))
     WHERE l.oid = (types->>"left")::regtype AND r.oid = (types->>"right")::regtype) THEN
    RAISE datatype_mismatch USING
      MESSAGE = format('mapping keys "%s" and "%s": %s cannot be compared with %s',
                       "left", "right", types->>"left", types->>"right");
  END IF;
END
$$;
COMMENT ON FUNCTION freshcrm.crm_check_comparable(freshcrm.crm_column[], text, text) IS
  'raises what is wrong where the columns of two mapping keys are of types that cannot be compared';
