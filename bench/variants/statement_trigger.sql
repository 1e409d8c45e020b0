-- Set-based: a function that makes the rows of a set of leads right, called once a statement with transition tables.
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot', keep_table => true);

-- The plan for a few serves any number: a new one for each set would take longer than most statements.
-- The locks, taken in order, have writers of one lead take turns; the statement after them sees what is committed.
CREATE FUNCTION crm.refresh_leads(changed uuid[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  IF changed IS NULL THEN
    RETURN;
  END IF;
  PERFORM FROM crm.leads WHERE id = ANY (changed) ORDER BY id FOR NO KEY UPDATE;
  INSERT INTO crm.cockpit_leads_hot AS h (lead_id, customer_name, owner_user_id, status, last_activity_at, sample_state,
                                          roi_potential, updated_at, version_etag)
  SELECT v.*, now(), encode(sha256(convert_to(v::text, 'UTF8')), 'hex')
    FROM crm.cockpit_leads_live AS v WHERE v.lead_id = ANY (changed)
  ON CONFLICT (lead_id) DO UPDATE
     SET customer_name = excluded.customer_name, owner_user_id = excluded.owner_user_id, status = excluded.status,
         last_activity_at = excluded.last_activity_at, sample_state = excluded.sample_state,
         roi_potential = excluded.roi_potential, updated_at = excluded.updated_at, version_etag = excluded.version_etag
   WHERE (h.customer_name, h.owner_user_id, h.status, h.last_activity_at, h.sample_state, h.roi_potential)
         IS DISTINCT FROM (excluded.customer_name, excluded.owner_user_id, excluded.status, excluded.last_activity_at,
                           excluded.sample_state, excluded.roi_potential);
END
$$;

CREATE FUNCTION crm.forget_leads(changed uuid[]) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  DELETE FROM crm.cockpit_leads_hot AS h
   WHERE h.lead_id = ANY (changed) AND NOT EXISTS (SELECT FROM crm.cockpit_leads_live AS v WHERE v.lead_id = h.lead_id);
END;

-- Leads: only a lead that loses its customer, owner or status, or itself, leaves the cockpit.
CREATE FUNCTION crm.leads_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crm.refresh_leads((SELECT array_agg(id) FROM new_rows));
  RETURN NULL;
END
$$;
CREATE FUNCTION crm.leads_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed uuid[];
  gone uuid[];
BEGIN
  SELECT array_agg(n.id), array_agg(n.id) FILTER (WHERE n.customer_id IS NULL OR n.owner_user_id IS NULL)
    INTO changed, gone
    FROM new_rows AS n JOIN old_rows AS o USING (id)
   WHERE (n.customer_id, n.owner_user_id, n.status, n.roi_potential)
         IS DISTINCT FROM (o.customer_id, o.owner_user_id, o.status, o.roi_potential);
  PERFORM crm.refresh_leads(changed);
  IF gone IS NOT NULL THEN
    PERFORM crm.forget_leads(gone);
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION crm.leads_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crm.forget_leads((SELECT array_agg(id) FROM old_rows));
  RETURN NULL;
END
$$;
CREATE TRIGGER hot_insert AFTER INSERT ON crm.leads REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION crm.leads_inserted();
CREATE TRIGGER hot_update AFTER UPDATE ON crm.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION crm.leads_updated();
CREATE TRIGGER hot_delete AFTER DELETE ON crm.leads REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION crm.leads_deleted();

-- Of activities, samples and ownership: each has a lead_id. Without an owner a lead leaves the cockpit.
CREATE FUNCTION crm.parts_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crm.refresh_leads((SELECT array_agg(DISTINCT lead_id) FROM new_rows));
  RETURN NULL;
END
$$;
CREATE FUNCTION crm.parts_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed uuid[];
BEGIN
  IF TG_TABLE_NAME = 'activities' THEN
    SELECT array_agg(DISTINCT lead_id) INTO changed FROM (
      SELECT unnest(ARRAY[o.lead_id, n.lead_id]) FROM new_rows AS n JOIN old_rows AS o USING (id)
       WHERE (n.lead_id, n.created_at, n.deleted_at) IS DISTINCT FROM (o.lead_id, o.created_at, o.deleted_at))
      AS c (lead_id);
  ELSE
    SELECT array_agg(lead_id) INTO changed FROM (SELECT lead_id FROM old_rows UNION SELECT lead_id FROM new_rows) AS c;
  END IF;
  PERFORM crm.refresh_leads(changed);
  IF TG_TABLE_NAME = 'lead_ownership' THEN
    PERFORM crm.forget_leads(changed);
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION crm.parts_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed uuid[] := (SELECT array_agg(DISTINCT lead_id) FROM old_rows);
BEGIN
  PERFORM crm.refresh_leads(changed);
  IF TG_TABLE_NAME = 'lead_ownership' THEN
    PERFORM crm.forget_leads(changed);
  END IF;
  RETURN NULL;
END
$$;
SELECT format(ddl, part) FROM unnest('{activities,lead_ownership,sample_request}'::text[]) AS part, unnest(ARRAY[
  'CREATE TRIGGER hot_insert AFTER INSERT ON crm.%I REFERENCING NEW TABLE AS new_rows
     FOR EACH STATEMENT EXECUTE FUNCTION crm.parts_inserted()',
  'CREATE TRIGGER hot_update AFTER UPDATE ON crm.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
     FOR EACH STATEMENT EXECUTE FUNCTION crm.parts_updated()',
  'CREATE TRIGGER hot_delete AFTER DELETE ON crm.%I REFERENCING OLD TABLE AS old_rows
     FOR EACH STATEMENT EXECUTE FUNCTION crm.parts_deleted()']) AS ddl \gexec

CREATE FUNCTION crm.customers_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crm.refresh_leads((
    SELECT array_agg(l.id) FROM new_rows AS n JOIN old_rows AS o USING (id) JOIN crm.leads AS l ON l.customer_id = n.id
     WHERE n.name IS DISTINCT FROM o.name));
  RETURN NULL;
END
$$;
CREATE TRIGGER hot_update AFTER UPDATE ON crm.customers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION crm.customers_updated();
