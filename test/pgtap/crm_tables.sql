-- The reference tables of the CRM pack.
BEGIN;
SELECT plan(58);

SELECT lives_ok($$SELECT freshcrm.create_crm_tables('crm')$$, 'makes the schema and the tables');
SELECT tables_are('crm', ARRAY['customers', 'leads', 'lead_ownership', 'activities', 'sample_request', 'message_templates', 'message_events',
  'crm_notes', 'rlhf_feedback_sessions', 'dm_messages', 'web_tracking_events', 'social_engagement_events']);

-- Requirements, section 2: these names are what applications were written against.
SELECT columns_are('crm', 'customers', ARRAY['id', 'name', 'description', 'status', 'created_at', 'updated_at']);
SELECT columns_are('crm', 'leads', ARRAY['id', 'customer_id', 'owner_user_id', 'status', 'email', 'p_score',
                                         'roi_potential', 'created_at', 'updated_at']);
SELECT columns_are('crm', 'lead_ownership', ARRAY['lead_id', 'user_id', 'created_at']);
SELECT columns_are('crm', 'activities', ARRAY['id', 'lead_id', 'kind', 'created_at', 'deleted_at']);
SELECT columns_are('crm', 'sample_request', ARRAY['id', 'lead_id', 'status', 'latest', 'created_at']);
SELECT columns_are('crm', 'message_templates', ARRAY['id', 'user_id', 'name', 'channel', 'subject', 'body', 'created_at', 'updated_at']);
SELECT columns_are('crm', 'message_events', ARRAY['id', 'user_id', 'lead_id', 'direction', 'channel', 'status', 'template_id',
                                                  'body', 'created_at']);
SELECT columns_are('crm', 'crm_notes', ARRAY['id', 'lead_id', 'user_id', 'body', 'created_at', 'updated_at']);
SELECT columns_are('crm', 'rlhf_feedback_sessions', ARRAY['id', 'user_id', 'lead_id', 'suggestion', 'final_text', 'accepted',
                                                          'rating', 'created_at']);
SELECT columns_are('crm', 'dm_messages', ARRAY['id', 'conversation_id', 'lead_id', 'user_id', 'direction', 'body', 'created_at']);
SELECT columns_are('crm', 'web_tracking_events', ARRAY['id', 'lead_id', 'event_type', 'url', 'timestamp']);
SELECT columns_are('crm', 'social_engagement_events', ARRAY['id', 'lead_id', 'engagement_type', 'platform', 'created_at']);
SELECT is_empty($$
  SELECT table_name, column_name FROM information_schema.columns
   WHERE table_schema = 'crm' AND column_default IS NULL AND is_nullable = 'NO'
     AND (table_name, column_name) NOT IN (('customers', 'name'), ('message_templates', 'name'))
     AND column_name NOT IN ('lead_id', 'user_id', 'conversation_id', 'direction', 'engagement_type')
$$, 'only keys, names and kinds must be given');
SELECT is(count(*), 12::bigint, 'every table has a comment')
  FROM pg_class AS c WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' AND obj_description(c.oid) IS NOT NULL;

SELECT fk_ok('crm', 'leads', 'customer_id', 'crm', 'customers', 'id');
SELECT fk_ok('crm', 'lead_ownership', 'lead_id', 'crm', 'leads', 'id');
SELECT fk_ok('crm', 'activities', 'lead_id', 'crm', 'leads', 'id');
SELECT fk_ok('crm', 'sample_request', 'lead_id', 'crm', 'leads', 'id');
SELECT fk_ok('crm', t, 'lead_id', 'crm', 'leads', 'id')
  FROM unnest(ARRAY['message_events', 'crm_notes', 'rlhf_feedback_sessions', 'dm_messages', 'web_tracking_events',
                    'social_engagement_events']::name[]) AS t;
SELECT fk_ok('crm', 'message_events', 'template_id', 'crm', 'message_templates', 'id');
SELECT col_is_pk('crm', 'lead_ownership', ARRAY['lead_id', 'user_id']::name[], 'a user owns a lead once');
SELECT is(pg_get_indexdef('crm.idx_activities_timeline'::regclass),
  'CREATE INDEX idx_activities_timeline ON crm.activities USING btree (lead_id, created_at DESC) WHERE (deleted_at IS NULL)',
  'the timeline has the index of the source');
-- Requirements C15, C16, D05 to D07, and what the statistics of leads read.
SELECT is(substring(pg_get_indexdef(format('crm.%I', name)::regclass) FROM 'ON .*'), definition, name)
  FROM (VALUES
    ('idx_message_events_user_status_created', 'ON crm.message_events USING btree (user_id, status, created_at DESC)'),
    ('idx_message_events_user_channel_status', 'ON crm.message_events USING btree (user_id, channel, status)'),
    ('idx_message_events_user_lead_created', 'ON crm.message_events USING btree (user_id, lead_id, created_at) INCLUDE (direction, channel)'),
    ('idx_message_events_user_created', 'ON crm.message_events USING btree (user_id, created_at)'),
    ('idx_message_events_lead_created', 'ON crm.message_events USING btree (lead_id, created_at) INCLUDE (user_id, direction, channel)'),
    ('idx_messages_conversation_created', 'ON crm.dm_messages USING btree (conversation_id, created_at DESC)'),
    ('idx_events_lead_timestamp', 'ON crm.web_tracking_events USING btree (lead_id, "timestamp" DESC)'),
    ('idx_social_engagement_lead', 'ON crm.social_engagement_events USING btree (lead_id, engagement_type)')
  ) AS named (name, definition);
SELECT is_empty($$
  SELECT conrelid::regclass, conname FROM pg_constraint AS c
   WHERE contype = 'f' AND connamespace = 'crm'::regnamespace
     AND NOT EXISTS (SELECT FROM pg_index AS i
                      WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL)
$$, 'every foreign key has an index that it can use');

-- The shortest rows that may be written.
INSERT INTO crm.customers (name) VALUES ('Acme');
INSERT INTO crm.leads (customer_id) SELECT id FROM crm.customers;
INSERT INTO crm.leads DEFAULT VALUES;
INSERT INTO crm.lead_ownership (lead_id, user_id) SELECT id, gen_random_uuid() FROM crm.leads;
INSERT INTO crm.activities (lead_id) SELECT id FROM crm.leads;
INSERT INTO crm.sample_request (lead_id) SELECT id FROM crm.leads;
INSERT INTO crm.message_templates (name) VALUES ('Hello');
INSERT INTO crm.message_events (user_id, lead_id, direction, template_id)
SELECT gen_random_uuid(), l.id, 'outbound', t.id FROM crm.leads AS l, crm.message_templates AS t;
INSERT INTO crm.message_events (user_id, direction) VALUES (gen_random_uuid(), 'inbound');
INSERT INTO crm.crm_notes (lead_id) SELECT id FROM crm.leads;
INSERT INTO crm.rlhf_feedback_sessions (user_id, lead_id) SELECT gen_random_uuid(), id FROM crm.leads;
INSERT INTO crm.dm_messages (conversation_id, lead_id, direction) SELECT gen_random_uuid(), id, 'inbound' FROM crm.leads;
INSERT INTO crm.web_tracking_events (lead_id) SELECT id FROM crm.leads;
INSERT INTO crm.social_engagement_events (lead_id, engagement_type) SELECT id, 'like' FROM crm.leads;
SELECT results_eq($$SELECT DISTINCT c.status, l.status, s.status, s.latest, a.deleted_at, a.created_at
                      FROM crm.customers AS c, crm.leads AS l, crm.sample_request AS s, crm.activities AS a$$,
  $$VALUES ('active', 'new', 'requested', true, NULL::timestamptz, now())$$, 'the defaults');
SELECT lives_ok($$INSERT INTO crm.lead_ownership (lead_id, user_id) SELECT id, gen_random_uuid() FROM crm.leads$$,
  'a lead may have two owners');
SELECT lives_ok($$INSERT INTO crm.sample_request (lead_id) SELECT id FROM crm.leads$$,
  'a lead may have two samples marked latest');

SELECT throws_ok($$INSERT INTO crm.customers (name) VALUES (NULL)$$, '23502');
SELECT throws_ok($$INSERT INTO crm.leads (customer_id) VALUES (gen_random_uuid())$$, '23503');
SELECT throws_ok($$INSERT INTO crm.activities (lead_id) VALUES (gen_random_uuid())$$, '23503');
SELECT throws_ok($$INSERT INTO crm.leads (roi_potential) VALUES (1e12)$$, '22003');
SELECT throws_ok($$INSERT INTO crm.lead_ownership SELECT * FROM crm.lead_ownership$$, '23505');
SELECT throws_ok($$INSERT INTO crm.rlhf_feedback_sessions (user_id, rating) VALUES (gen_random_uuid(), 5.1)$$, '23514');

DELETE FROM crm.customers;
SELECT is(count(*), 2::bigint, 'leads outlive their customer') FROM crm.leads WHERE customer_id IS NULL;
DELETE FROM crm.message_templates;
SELECT is(count(*), 2::bigint, 'messages outlive their template') FROM crm.message_events WHERE lead_id IS NOT NULL AND template_id IS NULL;
DELETE FROM crm.leads;
SELECT is((SELECT count(*) FROM crm.lead_ownership) + (SELECT count(*) FROM crm.activities)
          + (SELECT count(*) FROM crm.sample_request) + (SELECT count(*) FROM crm.crm_notes)
          + (SELECT count(*) FROM crm.rlhf_feedback_sessions) + (SELECT count(*) FROM crm.dm_messages)
          + (SELECT count(*) FROM crm.web_tracking_events) + (SELECT count(*) FROM crm.social_engagement_events),
          0::bigint, 'what belongs to a lead goes with it');
SELECT is(count(*), 1::bigint, 'a message of no lead stays') FROM crm.message_events;

-- Where one of the names is taken nothing is made.
SELECT throws_ok($$SELECT freshcrm.create_crm_tables('crm')$$, '42P07');
CREATE SCHEMA taken;
CREATE TABLE taken.sample_request (x int);
SELECT throws_ok($$SELECT freshcrm.create_crm_tables('taken')$$, '42P07');
SELECT tables_are('taken', ARRAY['sample_request']);
SELECT throws_ok($$SELECT freshcrm.create_crm_tables(NULL)$$, '22004');

SELECT lives_ok($$SELECT freshcrm.create_crm_tables('Weird "Schema" of O''Brien')$$, 'a schema of any name');
SELECT tables_are('Weird "Schema" of O''Brien', ARRAY['customers', 'leads', 'lead_ownership', 'activities', 'sample_request', 'message_templates', 'message_events',
  'crm_notes', 'rlhf_feedback_sessions', 'dm_messages', 'web_tracking_events', 'social_engagement_events']);
CREATE ROLE freshcrm_test_nobody;
SELECT ok(NOT has_function_privilege('freshcrm_test_nobody', 'freshcrm.create_crm_tables(name)', 'EXECUTE'),
  'PUBLIC may not call it');

SELECT * FROM finish();
ROLLBACK;
