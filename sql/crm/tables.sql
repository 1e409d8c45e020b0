
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

  EXECUTE format($ddl$
    CREATE TABLE %1$I.message_templates (
      id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_id    uuid,
      name       text NOT NULL,
      channel    text NOT NULL DEFAULT 'email',
      subject    text,
      body       text,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_message_templates_user ON %1$I.message_templates (user_id);
    COMMENT ON TABLE %1$I.message_templates IS
      'Texts that messages are made of. user_id is whose template it is, NULL that of all.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.message_events (
      id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_id     uuid NOT NULL,
      lead_id     uuid REFERENCES %1$I.leads ON DELETE CASCADE,
      direction   text NOT NULL,
      channel     text NOT NULL DEFAULT 'email',
      status      text NOT NULL DEFAULT 'sent',
      template_id uuid REFERENCES %1$I.message_templates ON DELETE SET NULL,
      body        text,
      created_at  timestamptz NOT NULL DEFAULT now());
    -- What a list of messages filters by.
    CREATE INDEX idx_message_events_user_status_created ON %1$I.message_events (user_id, status, created_at DESC);
    CREATE INDEX idx_message_events_user_channel_status ON %1$I.message_events (user_id, channel, status);
    -- What the statistics of a user's leads read without the table, of a stretch of time, and of single leads.
    CREATE INDEX idx_message_events_user_lead_created ON %1$I.message_events (user_id, lead_id, created_at)
      INCLUDE (direction, channel);
    CREATE INDEX idx_message_events_user_created ON %1$I.message_events (user_id, created_at);
    CREATE INDEX idx_message_events_lead_created ON %1$I.message_events (lead_id, created_at)
      INCLUDE (user_id, direction, channel);
    CREATE INDEX idx_message_events_template ON %1$I.message_events (template_id);
    COMMENT ON TABLE %1$I.message_events IS
      'Messages to leads and from them, of every channel. lead_id is NULL for a sender who is no lead.';
    COMMENT ON COLUMN %1$I.message_events.direction IS 'inbound (from the lead) or outbound, in any case; whatever else counts as other';
    COMMENT ON COLUMN %1$I.message_events.user_id IS 'whose message it is: of the user who sent it or to whom it came';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.crm_notes (
      id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      lead_id    uuid NOT NULL REFERENCES %1$I.leads ON DELETE CASCADE,
      user_id    uuid,
      body       text NOT NULL DEFAULT '',
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_crm_notes_lead_created ON %1$I.crm_notes (lead_id, created_at DESC);
    CREATE INDEX idx_crm_notes_user_created ON %1$I.crm_notes (user_id, created_at DESC);
    COMMENT ON TABLE %1$I.crm_notes IS
      'Notes on a lead, and the user who wrote them.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.rlhf_feedback_sessions (
      id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_id    uuid NOT NULL,
      lead_id    uuid REFERENCES %1$I.leads ON DELETE CASCADE,
      suggestion text,
      final_text text,
      accepted   boolean,
      rating     numeric(3,1) CHECK (rating BETWEEN 1 AND 5),
      created_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_rlhf_feedback_sessions_user_created ON %1$I.rlhf_feedback_sessions (user_id, created_at DESC);
    CREATE INDEX idx_rlhf_feedback_sessions_lead ON %1$I.rlhf_feedback_sessions (lead_id);
    COMMENT ON TABLE %1$I.rlhf_feedback_sessions IS
      'What users made of the suggestions of a model: accepted is NULL until they decide, rating is from 1 to 5.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.dm_messages (
      id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      conversation_id uuid NOT NULL,
      lead_id         uuid REFERENCES %1$I.leads ON DELETE CASCADE,
      user_id         uuid,
      direction       text NOT NULL,
      body            text,
      created_at      timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_messages_conversation_created ON %1$I.dm_messages (conversation_id, created_at DESC);
    CREATE INDEX idx_dm_messages_lead ON %1$I.dm_messages (lead_id);
    COMMENT ON TABLE %1$I.dm_messages IS
      'Direct messages of social networks, by conversation.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.web_tracking_events (
      id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      lead_id     uuid NOT NULL REFERENCES %1$I.leads ON DELETE CASCADE,
      event_type  text NOT NULL DEFAULT 'page_view',
      url         text,
      "timestamp" timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_events_lead_timestamp ON %1$I.web_tracking_events (lead_id, "timestamp" DESC);
    COMMENT ON TABLE %1$I.web_tracking_events IS
      'What leads did on the web site, and when.';
    $ddl$, schema);

  EXECUTE format($ddl$
    CREATE TABLE %1$I.social_engagement_events (
      id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      lead_id         uuid NOT NULL REFERENCES %1$I.leads ON DELETE CASCADE,
      engagement_type text NOT NULL,
      platform        text,
      created_at      timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_social_engagement_lead ON %1$I.social_engagement_events (lead_id, engagement_type);
    COMMENT ON TABLE %1$I.social_engagement_events IS
      'What leads did on social networks: likes, comments, follows and so on, as engagement_type says.';
    $ddl$, schema);
END
$$;
COMMENT ON FUNCTION freshcrm.create_crm_tables(name) IS
  'makes the reference tables of the CRM pack in a schema, which is made too when missing';
REVOKE ALL ON FUNCTION freshcrm.create_crm_tables(name) FROM PUBLIC;
