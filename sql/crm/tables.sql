
-- The CRM pack: reference tables for those who have no CRM tables of their own.

CREATE FUNCTION freshcrm.create_crm_tables(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
    EXECUTE format('CREATE SCHEMA %I', schema);
  END IF;

  EXECUTE format($ddl$
    CREATE TABLE %1$I.customers (
      id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      name        text NOT NULL,
      description text,
      status      text NOT NULL DEFAULT 'active',
      created_at  timestamptz NOT NULL DEFAULT now(),
      updated_at  timestamptz NOT NULL DEFAULT now());
    COMMENT ON TABLE %1$I.customers IS
      'Customers: the firms and persons that leads belong to.';
    $ddl$, schema);

  EXECUTE format($ddl$
    -- A lead outlives its customer, and until it has a new one it is in no cockpit.
    CREATE TABLE %1$I.leads (
      id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      customer_id   uuid REFERENCES %1$I.customers ON DELETE SET NULL,
      owner_user_id uuid,
      status        text NOT NULL DEFAULT 'new',
      email         text,
      p_score       numeric,
      roi_potential numeric(14,2),
      created_at    timestamptz NOT NULL DEFAULT now(),
      updated_at    timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_leads_customer ON %1$I.leads (customer_id);
    COMMENT ON TABLE %1$I.leads IS
      'Leads. owner_user_id counts for a lead that has no row in lead_ownership.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.lead_ownership (
      lead_id    uuid NOT NULL REFERENCES %1$I.leads ON DELETE CASCADE,
      user_id    uuid NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (lead_id, user_id));
    CREATE INDEX idx_lead_ownership_user ON %1$I.lead_ownership (user_id);
    COMMENT ON TABLE %1$I.lead_ownership IS
      'Who owns a lead. Several users may; the cockpit shows the newest, the smallest user_id among equals.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.activities (
      id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      lead_id    uuid NOT NULL REFERENCES %1$I.leads ON DELETE CASCADE,
      kind       text NOT NULL DEFAULT 'note',
      created_at timestamptz NOT NULL DEFAULT now(),
      deleted_at timestamptz);
    CREATE INDEX idx_activities_timeline ON %1$I.activities (lead_id, created_at DESC)
      WHERE deleted_at IS NULL;
    -- The foreign key cannot use a partial index.
    CREATE INDEX idx_activities_lead ON %1$I.activities (lead_id);
    COMMENT ON TABLE %1$I.activities IS
      'What happened with a lead, and when. A row with deleted_at set is in the bin and does not count.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.sample_request (
      id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      lead_id    uuid NOT NULL REFERENCES %1$I.leads ON DELETE CASCADE,
      status     text NOT NULL DEFAULT 'requested',
      latest     boolean NOT NULL DEFAULT true,
      created_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_sample_request_lead ON %1$I.sample_request (lead_id, created_at DESC);
    COMMENT ON TABLE %1$I.sample_request IS
      'Samples asked for. Of several marked latest the cockpit shows the newest, the smallest status among equals.';
    $ddl$, schema);
END
$$;
COMMENT ON FUNCTION freshcrm.create_crm_tables(name) IS
  'makes the reference tables of the CRM pack in a schema, which is made too when missing';
REVOKE ALL ON FUNCTION freshcrm.create_crm_tables(name) FROM PUBLIC;
