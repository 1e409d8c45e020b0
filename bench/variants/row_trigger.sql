-- The classic: a function that makes one lead's row right, called by row triggers on every table that the view reads.
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot', keep_table => true);

-- The lock has writers of one lead take turns; the statement after it sees what the one before has committed. The view
-- is the only place that knows how a row is made.
CREATE FUNCTION crm.refresh_lead(lead uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM crm.leads WHERE id = lead FOR NO KEY UPDATE;
  INSERT INTO crm.cockpit_leads_hot AS h (lead_id, customer_name, owner_user_id, status, last_activity_at, sample_state,
                                          roi_potential, updated_at, version_etag)
  SELECT v.*, now(), encode(sha256(convert_to(v::text, 'UTF8')), 'hex')
    FROM crm.cockpit_leads_live AS v WHERE v.lead_id = lead
  ON CONFLICT (lead_id) DO UPDATE
     SET customer_name = excluded.customer_name, owner_user_id = excluded.owner_user_id, status = excluded.status,
         last_activity_at = excluded.last_activity_at, sample_state = excluded.sample_state,
         roi_potential = excluded.roi_potential, updated_at = excluded.updated_at, version_etag = excluded.version_etag
   WHERE (h.customer_name, h.owner_user_id, h.status, h.last_activity_at, h.sample_state, h.roi_potential)
         IS DISTINCT FROM (excluded.customer_name, excluded.owner_user_id, excluded.status, excluded.last_activity_at,
                           excluded.sample_state, excluded.roi_potential);
  IF NOT FOUND THEN
    DELETE FROM crm.cockpit_leads_hot AS h
     WHERE h.lead_id = lead AND NOT EXISTS (SELECT FROM crm.cockpit_leads_live AS v WHERE v.lead_id = lead);
  END IF;
END
$$;

CREATE FUNCTION crm.lead_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM crm.refresh_lead(OLD.id) WHERE TG_OP = 'DELETE' OR OLD.id <> NEW.id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM crm.refresh_lead(NEW.id);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER hot_insert_delete AFTER INSERT OR DELETE ON crm.leads
  FOR EACH ROW EXECUTE FUNCTION crm.lead_changed();
CREATE TRIGGER hot_update AFTER UPDATE OF id, customer_id, owner_user_id, status, roi_potential ON crm.leads FOR EACH ROW
  WHEN ((OLD.id, OLD.customer_id, OLD.owner_user_id, OLD.status, OLD.roi_potential) IS DISTINCT FROM
        (NEW.id, NEW.customer_id, NEW.owner_user_id, NEW.status, NEW.roi_potential))
  EXECUTE FUNCTION crm.lead_changed();

-- Of activities, samples and ownership: each has a lead_id.
CREATE FUNCTION crm.part_of_lead_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM crm.refresh_lead(OLD.lead_id) WHERE TG_OP = 'DELETE' OR OLD.lead_id <> NEW.lead_id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM crm.refresh_lead(NEW.lead_id);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER hot_insert_delete AFTER INSERT OR DELETE ON crm.activities
  FOR EACH ROW EXECUTE FUNCTION crm.part_of_lead_changed();
CREATE TRIGGER hot_update AFTER UPDATE OF lead_id, created_at, deleted_at ON crm.activities FOR EACH ROW
  WHEN ((OLD.lead_id, OLD.created_at, OLD.deleted_at) IS DISTINCT FROM (NEW.lead_id, NEW.created_at, NEW.deleted_at))
  EXECUTE FUNCTION crm.part_of_lead_changed();
CREATE TRIGGER hot_insert_delete AFTER INSERT OR DELETE ON crm.lead_ownership
  FOR EACH ROW EXECUTE FUNCTION crm.part_of_lead_changed();
CREATE TRIGGER hot_update AFTER UPDATE ON crm.lead_ownership FOR EACH ROW
  WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION crm.part_of_lead_changed();
CREATE TRIGGER hot_insert_delete AFTER INSERT OR DELETE ON crm.sample_request
  FOR EACH ROW EXECUTE FUNCTION crm.part_of_lead_changed();
CREATE TRIGGER hot_update AFTER UPDATE ON crm.sample_request FOR EACH ROW
  WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION crm.part_of_lead_changed();

-- A deleted customer leaves its leads, by their foreign key, with none: that is their own UPDATE.
CREATE FUNCTION crm.customer_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crm.refresh_lead(id) FROM (SELECT id FROM crm.leads WHERE customer_id = NEW.id ORDER BY id) AS l;
  RETURN NULL;
END
$$;
CREATE TRIGGER hot_update AFTER UPDATE OF name ON crm.customers FOR EACH ROW
  WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION crm.customer_renamed();
