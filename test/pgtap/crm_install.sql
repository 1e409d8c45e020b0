-- install_crm, uninstall_crm and the mapping.
BEGIN;
SELECT plan(96);
SET client_min_messages = error;

-- The rows by which the cockpit of a schema differs from its view, in both directions.
CREATE FUNCTION pg_temp.differences(schema name) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    WITH live AS (SELECT v::text AS row FROM %1$I.cockpit_leads_live AS v),
         hot AS (SELECT (lead_id, customer_name, owner_user_id, status, last_activity_at, sample_state,
                         roi_potential)::text AS row FROM %1$I.cockpit_leads_hot)
    (SELECT 'missing ' || row FROM (TABLE live EXCEPT ALL TABLE hot) AS m)
    UNION ALL (SELECT 'extra ' || row FROM (TABLE hot EXCEPT ALL TABLE live) AS e)$sql$, schema);
END
$$;
CREATE FUNCTION pg_temp.triggers(schema name) RETURNS text[] LANGUAGE sql AS $$
  SELECT array_agg(tgrelid::regclass::text || ' ' || tgname ORDER BY tgrelid::regclass::text COLLATE "C", tgname)
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
   WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = schema) AND NOT tgisinternal
     AND tgname NOT LIKE 'freshcrm\_watch%'  -- those for the materialized views
$$;

-- Over the reference tables, in a schema whose name needs every kind of quoting.
SET search_path = "Weird ""Schema"" of O'Brien", public;
SELECT freshcrm.create_crm_tables('Weird "Schema" of O''Brien');
INSERT INTO customers (id, name) VALUES ('c0000000-0000-0000-0000-000000000001', 'Acme');
INSERT INTO leads (id, customer_id, owner_user_id, roi_potential)
SELECT ('10000000-0000-0000-0000-00000000000' || n)::uuid, 'c0000000-0000-0000-0000-000000000001',
       'a0000000-0000-0000-0000-000000000001', n * 10000 FROM generate_series(1, 3) AS n;
SELECT lives_ok($$SELECT freshcrm.install_crm('Weird "Schema" of O''Brien')$$, 'installs over the reference tables');

SELECT is(ARRAY(
  SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                   'DEFAULT ' || pg_get_expr(adbin, adrelid))
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
   WHERE attrelid = 'cockpit_leads_hot'::regclass AND attnum > 0 ORDER BY attnum), ARRAY[
  'lead_id uuid NOT NULL',
  'customer_name text NOT NULL',
  'owner_user_id uuid NOT NULL',
  'status text NOT NULL',
  'last_activity_at timestamp with time zone',
  'sample_state text',
  'roi_potential numeric(14,2)',
  'updated_at timestamp with time zone NOT NULL DEFAULT now()',
  'version_etag text NOT NULL'], 'the hot table is that of the source');
SELECT col_is_pk('cockpit_leads_hot', 'lead_id');
SELECT is(pg_temp.triggers('Weird "Schema" of O''Brien'), ARRAY[
  'activities trg_activity_hot', 'activities trg_activity_hot_delete',
  'activities trg_activity_hot_insert', 'activities trg_activity_hot_replica', 'activities trg_activity_hot_truncate',
  'cockpit_leads_hot freshcrm_guard',
  'customers trg_customer_hot', 'customers trg_customer_hot_delete',
  'customers trg_customer_hot_insert', 'customers trg_customer_hot_replica', 'customers trg_customer_hot_truncate',
  'lead_ownership trg_ownership_hot', 'lead_ownership trg_ownership_hot_delete',
  'lead_ownership trg_ownership_hot_insert', 'lead_ownership trg_ownership_hot_replica', 'lead_ownership trg_ownership_hot_truncate',
  'leads trg_lead_hot', 'leads trg_lead_hot_delete', 'leads trg_lead_hot_insert', 'leads trg_lead_hot_replica', 'leads trg_lead_hot_truncate',
  'sample_request trg_sample_hot', 'sample_request trg_sample_hot_delete',
  'sample_request trg_sample_hot_insert', 'sample_request trg_sample_hot_replica', 'sample_request trg_sample_hot_truncate'], 'the triggers');
SELECT results_eq('SELECT count(*) FROM cockpit_leads_hot', 'VALUES (3::bigint)', 'leads that were there are in it');
SELECT is_empty($$SELECT pg_temp.differences('Weird "Schema" of O''Brien')$$);
SELECT throws_ok($$SELECT freshcrm.install_crm('Weird "Schema" of O''Brien')$$, '42710',
  'the CRM pack is already installed in schema "Weird "Schema" of O''Brien"');

-- recompute_cockpit_lead_hot
SELECT function_returns('recompute_cockpit_lead_hot', ARRAY['uuid'], 'void');
SELECT is_definer('recompute_cockpit_lead_hot', ARRAY['uuid']);
CREATE TEMPORARY TABLE before AS SELECT ctid AS place, * FROM cockpit_leads_hot;
SELECT lives_ok($$SELECT recompute_cockpit_lead_hot('10000000-0000-0000-0000-000000000001')$$);
SELECT lives_ok($$SELECT recompute_cockpit_lead_hot('10000000-0000-0000-0000-00000000dead')$$, 'a lead that is not there');
SELECT lives_ok($$SELECT recompute_cockpit_lead_hot(NULL)$$, 'no lead at all');
SELECT set_eq('SELECT ctid AS place, * FROM cockpit_leads_hot', 'SELECT * FROM before', 'what is right is not written again');
CREATE ROLE freshcrm_test_worker;
GRANT USAGE ON SCHEMA "Weird ""Schema"" of O'Brien" TO freshcrm_test_worker;
SELECT ok(NOT has_function_privilege('freshcrm_test_worker', 'recompute_cockpit_lead_hot(uuid)', 'EXECUTE'),
  'PUBLIC may not recompute');
GRANT EXECUTE ON FUNCTION recompute_cockpit_lead_hot(uuid) TO freshcrm_test_worker;
SET ROLE freshcrm_test_worker;
SELECT lives_ok($$SELECT recompute_cockpit_lead_hot('10000000-0000-0000-0000-000000000001')$$,
  'a grant is all it takes to recompute');
RESET ROLE;
SELECT ok(NOT has_function_privilege('freshcrm_test_worker', f, 'EXECUTE'), format('PUBLIC may not call %s', f))
  FROM unnest(ARRAY['freshcrm.install_crm(name, jsonb)', 'freshcrm.uninstall_crm(name)']) AS f;

-- uninstall_crm removes what install_crm made, and nothing else.
CREATE VIEW cockpit_of_mine AS SELECT lead_id FROM cockpit_leads_hot;
SELECT throws_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$, '2BP01');
SELECT isnt_empty($$SELECT FROM freshcrm.crm_installation$$, 'what the user built upon it keeps it');
SELECT has_function('recompute_cockpit_lead_hot', ARRAY['uuid']);
DROP VIEW cockpit_of_mine;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$);
SELECT tables_are('Weird "Schema" of O''Brien', ARRAY['customers', 'leads', 'lead_ownership', 'activities', 'sample_request',
  'message_templates', 'message_events', 'crm_notes', 'rlhf_feedback_sessions', 'dm_messages', 'web_tracking_events',
  'social_engagement_events']);
SELECT materialized_views_are('Weird "Schema" of O''Brien', ARRAY[]::name[]);
SELECT views_are('Weird "Schema" of O''Brien', ARRAY[]::name[]);
SELECT functions_are('Weird "Schema" of O''Brien', ARRAY[]::name[]);
SELECT is(pg_temp.triggers('Weird "Schema" of O''Brien'), NULL, 'no trigger is left');
SELECT is_empty('SELECT * FROM freshcrm.projections');
SELECT results_eq('SELECT count(*) FROM leads', 'VALUES (3::bigint)', 'the data stay');
SELECT throws_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$, '42704',
  'the CRM pack is not installed in schema "Weird "Schema" of O''Brien"');

-- Parts that are already gone
SELECT freshcrm.install_crm('Weird "Schema" of O''Brien');
SELECT freshcrm.drop_projection('cockpit_leads_hot');
DROP FUNCTION recompute_cockpit_lead_hot(uuid);
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$, 'the projection and the function were gone');
SELECT hasnt_table('cockpit_leads_hot');
SELECT freshcrm.install_crm('Weird "Schema" of O''Brien');
DROP VIEW cockpit_leads_live CASCADE;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$, 'the view was gone');
SELECT is(pg_temp.triggers('Weird "Schema" of O''Brien'), NULL, 'no trigger is left');
SELECT freshcrm.install_crm('Weird "Schema" of O''Brien');
DROP TABLE cockpit_leads_hot CASCADE;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$, 'the hot table was gone');
SELECT is(pg_temp.triggers('Weird "Schema" of O''Brien'), NULL, 'no trigger is left');
SELECT lives_ok($$UPDATE leads SET status = 'won'$$, 'the tables can be written');
SELECT freshcrm.install_crm('Weird "Schema" of O''Brien');
DROP SCHEMA "Weird ""Schema"" of O'Brien" CASCADE;
SELECT freshcrm.create_crm_tables('Weird "Schema" of O''Brien');
SELECT lives_ok($$SELECT freshcrm.install_crm('Weird "Schema" of O''Brien')$$, 'the whole schema was gone and came back');
DROP SCHEMA "Weird ""Schema"" of O'Brien" CASCADE;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('Weird "Schema" of O''Brien')$$, 'the whole schema was gone');
SELECT is_empty('TABLE freshcrm.crm_installation');

-- A role that is no superuser, with the grants that it takes.
SET search_path = crm_of_role, public;
CREATE ROLE freshcrm_test_installer;
GRANT EXECUTE ON FUNCTION freshcrm.create_crm_tables(name), freshcrm.install_crm(name, jsonb), freshcrm.uninstall_crm(name),
  freshcrm.create_projection(regclass, name[], name, text, text, jsonb), freshcrm.drop_projection(regclass, boolean),
  freshcrm.recompute(regclass, anyarray),
  freshcrm.crm_create_stats(name, freshcrm.crm_column[]), freshcrm.crm_create_matviews(name, freshcrm.crm_column[]),
  freshcrm.crm_event_rollup(freshcrm.crm_column[]), freshcrm.crm_jobs(), freshcrm.crm_create_refreshes(name, name[]),
  freshcrm.crm_drop_refreshes(name, name[]), freshcrm.crm_drop_all(name), freshcrm.crm_advised_indexes(name),
  freshcrm.schedule(regclass, text, text, text, interval, interval, text, interval, interval, integer), freshcrm.unschedule(regclass)
  TO freshcrm_test_installer;
GRANT SELECT, INSERT, DELETE ON freshcrm.crm_installation TO freshcrm_test_installer;
CREATE SCHEMA crm_of_role AUTHORIZATION freshcrm_test_installer;
SET ROLE freshcrm_test_installer;
SELECT lives_ok($$SELECT freshcrm.create_crm_tables('crm_of_role')$$);
SELECT lives_ok($$SELECT freshcrm.install_crm('crm_of_role')$$, 'a role with the grants installs');
INSERT INTO customers (id, name) VALUES ('c0000000-0000-0000-0000-000000000001', 'Acme');
INSERT INTO leads (id, customer_id, owner_user_id) VALUES ('10000000-0000-0000-0000-000000000001',
  'c0000000-0000-0000-0000-000000000001', 'a0000000-0000-0000-0000-000000000001');
SELECT lives_ok($$SELECT recompute_cockpit_lead_hot('10000000-0000-0000-0000-000000000001')$$);
SELECT results_eq('SELECT customer_name FROM cockpit_leads_hot', $$VALUES ('Acme')$$);
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('crm_of_role')$$, 'and uninstalls');
RESET ROLE;

-- Over tables of other names and types.
SET search_path = public;
CREATE SCHEMA sales;
CREATE SCHEMA "Client Data";
CREATE SCHEMA cockpit;
CREATE TYPE sales.stage AS ENUM ('open', 'won', 'lost');
CREATE DOMAIN sales.uid AS uuid;
CREATE TABLE "Client Data"."Firm {leads}" ("No." int PRIMARY KEY, "{leads.id}" varchar(80));
CREATE TABLE sales.opportunity (opp_id sales.uid PRIMARY KEY, firm bigint, rep_id sales.uid, stage sales.stage, worth bigint);
CREATE TABLE sales.touch (opp uuid, at timestamptz, gone timestamptz);
CREATE TABLE sales.keeper (opp uuid, rep uuid);
CREATE TABLE sales.mapping AS SELECT $json${
  "customers": {"table": "\"Client Data\".\"Firm {leads}\"", "columns": {"id": "No.", "name": "{leads.id}"}},
  "leads": {"table": "sales.opportunity", "columns": {"id": "opp_id", "customer_id": "firm", "owner_user_id": "rep_id",
                                                      "status": "stage", "roi_potential": "worth"}},
  "lead_ownership": {"table": "sales.keeper", "columns": {"lead_id": "opp", "user_id": "rep"}},
  "activities": {"table": "sales.touch", "columns": {"lead_id": "opp", "created_at": "at", "deleted_at": "gone"}},
  "sample_request": null}$json$::jsonb AS m;
SELECT lives_ok($$SELECT freshcrm.install_crm('cockpit', m) FROM sales.mapping$$, 'installs over mapped tables');
SELECT col_type_is('cockpit', 'cockpit_leads_hot', 'roi_potential', 'numeric', 'a bigint is not squeezed into numeric(14,2)');
SELECT col_type_is('cockpit', 'cockpit_leads_hot', 'status', 'sales.stage', 'an enum stays an enum');
SELECT is(pg_temp.triggers('sales'), ARRAY[
  'sales.keeper trg_ownership_hot', 'sales.keeper trg_ownership_hot_delete',
  'sales.keeper trg_ownership_hot_insert', 'sales.keeper trg_ownership_hot_replica', 'sales.keeper trg_ownership_hot_truncate',
  'sales.opportunity trg_lead_hot', 'sales.opportunity trg_lead_hot_delete',
  'sales.opportunity trg_lead_hot_insert', 'sales.opportunity trg_lead_hot_replica', 'sales.opportunity trg_lead_hot_truncate',
  'sales.touch trg_activity_hot', 'sales.touch trg_activity_hot_delete',
  'sales.touch trg_activity_hot_insert', 'sales.touch trg_activity_hot_replica', 'sales.touch trg_activity_hot_truncate'], 'the triggers');

INSERT INTO "Client Data"."Firm {leads}" VALUES (1, 'Acme'), (2, 'Zoom'), (3, NULL);
INSERT INTO sales.opportunity
SELECT ('10000000-0000-0000-0000-00000000000' || n)::uuid, n, ('a0000000-0000-0000-0000-00000000000' || n)::uuid,
       'open', 9223372036854775807 FROM generate_series(1, 4) AS n;
INSERT INTO sales.touch VALUES
  ('10000000-0000-0000-0000-000000000001', '2026-01-01Z', NULL),
  ('10000000-0000-0000-0000-000000000001', '2026-02-01Z', now());
INSERT INTO sales.keeper VALUES ('10000000-0000-0000-0000-000000000002', 'a0000000-0000-0000-0000-000000000009');
SELECT results_eq('SELECT customer_name, owner_user_id, status, last_activity_at, sample_state, roi_potential
                     FROM cockpit.cockpit_leads_hot ORDER BY lead_id', $$VALUES
  ('Acme', 'a0000000-0000-0000-0000-000000000001'::uuid, 'open'::sales.stage, '2026-01-01Z'::timestamptz, NULL::text,
   9223372036854775807::numeric),
  ('Zoom', 'a0000000-0000-0000-0000-000000000009', 'open', NULL, NULL, 9223372036854775807)$$,
  'a lead without a customer or with a nameless one is not in the cockpit');
SELECT is_empty($$SELECT pg_temp.differences('cockpit')$$);
SELECT lives_ok(change, change) FROM unnest(ARRAY[
  $$UPDATE "Client Data"."Firm {leads}" SET "{leads.id}" = 'Third' WHERE "No." = 3$$,
  $$UPDATE sales.opportunity SET rep_id = NULL WHERE firm = 1$$,
  $$UPDATE sales.touch SET opp = '10000000-0000-0000-0000-000000000002', gone = NULL$$,
  $$DELETE FROM sales.keeper$$]) AS change;
SELECT is_empty($$SELECT pg_temp.differences('cockpit')$$);
SELECT results_eq('SELECT customer_name FROM cockpit.cockpit_leads_hot ORDER BY 1', $$VALUES ('Third'), ('Zoom')$$);
SELECT freshcrm.uninstall_crm('cockpit');
SELECT is(pg_temp.triggers('sales'), NULL, 'no trigger is left');

-- One table in two roles, no table of owners, plain numbers; nothing but the lead's own owner.
CREATE SCHEMA small;
CREATE TABLE small.customers (id uuid PRIMARY KEY, name text);
CREATE TABLE small.leads (id uuid PRIMARY KEY, customer_id uuid, owner_user_id uuid, status text, roi_potential numeric(12,1));
CREATE TABLE small.event (lead_id uuid, created_at timestamptz, status char(10), latest boolean);
SELECT lives_ok($$SELECT freshcrm.install_crm('small', '{
  "activities": {"table": "event", "columns": {"deleted_at": null}}, "sample_request": {"table": "event"}}')$$,
  'one table may stand for two');
SELECT col_type_is('small', 'cockpit_leads_hot', 'roi_potential', 'numeric(14,2)', 'what fits is numeric(14,2)');
SELECT is(pg_temp.triggers('small'), ARRAY[
  'small.cockpit_leads_hot freshcrm_guard',
  'small.customers trg_customer_hot', 'small.customers trg_customer_hot_delete',
  'small.customers trg_customer_hot_insert', 'small.customers trg_customer_hot_replica', 'small.customers trg_customer_hot_truncate',
  'small.event trg_activity_hot', 'small.event trg_activity_hot_delete',
  'small.event trg_activity_hot_insert', 'small.event trg_activity_hot_replica', 'small.event trg_activity_hot_truncate',
  'small.leads trg_lead_hot', 'small.leads trg_lead_hot_delete',
  'small.leads trg_lead_hot_insert', 'small.leads trg_lead_hot_replica', 'small.leads trg_lead_hot_truncate'], 'the triggers');
INSERT INTO small.customers VALUES ('c0000000-0000-0000-0000-000000000001', 'Acme');
INSERT INTO small.leads VALUES ('10000000-0000-0000-0000-000000000001', 'c0000000-0000-0000-0000-000000000001',
                                'a0000000-0000-0000-0000-000000000001', 'new', 1.5);
INSERT INTO small.event VALUES ('10000000-0000-0000-0000-000000000001', '2026-01-01Z', 'sent', true),
                               ('10000000-0000-0000-0000-000000000001', '2026-01-02Z', 'back', false);
SELECT results_eq('SELECT status, last_activity_at, sample_state, roi_potential FROM small.cockpit_leads_hot',
  $$VALUES ('new', '2026-01-02Z'::timestamptz, 'sent', 1.50)$$);
SELECT is_empty($$SELECT pg_temp.differences('small')$$);
SELECT freshcrm.uninstall_crm('small');

-- What is wrong with a mapping is said by its key, and nothing is made.
CREATE VIEW sales.touches AS TABLE sales.touch;
CREATE TABLE sales.odd (id bigint PRIMARY KEY, at timestamp, price money);
CREATE FUNCTION pg_temp.with_mapping(change jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT m || change FROM sales.mapping $$;
SELECT throws_ok(format('SELECT freshcrm.install_crm(%L, pg_temp.with_mapping(%L))', 'cockpit', change), code, message,
                 format('%s: %s', code, message))
  FROM (VALUES
    ('{"lead": {}}', '22023', 'unknown mapping key "lead"'),
    ('{"leads": null}', '22023', 'mapping key "leads" must not be null'),
    ('{"leads": "sales.opportunity"}', '22023', 'mapping key "leads" is not of the expected form'),
    ('{"leads": {"table": 1}}', '22023', 'mapping key "leads" is not of the expected form'),
    ('{"leads": {"columns": ["id"]}}', '22023', 'mapping key "leads" is not of the expected form'),
    ('{"leads": {"name": "x"}}', '22023', 'unknown mapping key "leads.name"'),
    ('{"leads": {"columns": {"owner": "x"}}}', '22023', 'unknown mapping key "leads.owner"'),
    ('{"leads": {"table": "a.b.c"}}', '22023', 'mapping key "leads": "a.b.c" is not the name of a table'),
    ('{"leads": {"table": ""}}', '22023', 'mapping key "leads": "" is not the name of a table'),
    ('{"leads": {"table": "sales.opportunity", "columns": {"id": null}}}', '22023',
     'mapping key "leads.id" must be the name of a column'),
    ('{"leads": {"table": "sales.opportunity", "columns": {"id": 7}}}', '22023',
     'mapping key "leads.id" must be the name of a column'),
    ('{"activities": {"table": "sales.touches"}}', '42809', 'mapping key "activities": sales.touches is not a table'),
    ('{"leads": {"table": "sales.Leads"}}', '42P01', 'mapping key "leads": table sales.leads does not exist'),
    ('{"leads": {}}', '42P01', 'mapping key "leads": table cockpit.leads does not exist'),
    ('{"lead_ownership": {}}', '42P01', 'mapping key "lead_ownership": table cockpit.lead_ownership does not exist'),
    ('{"leads": {"table": "sales.opportunity"}}', '42703', 'mapping key "leads.id": table sales.opportunity has no column id'),
    ('{"activities": {"table": "sales.touch", "columns": {"lead_id": "opp", "created_at": "at"}}}', '42703',
     'mapping key "activities.deleted_at": table sales.touch has no column deleted_at'),
    ('{"customers": {"table": "\"Client Data\".\"Firm {leads}\"", "columns": {"id": "No.", "name": "a\"b"}}}', '42703',
     'mapping key "customers.name": table "Client Data"."Firm {leads}" has no column "a""b"'),
    ('{"leads": {"table": "sales.odd"}}', '42804', 'mapping key "leads.id": column id of sales.odd is of type bigint'),
    ('{"activities": {"table": "sales.odd", "columns": {"lead_id": "id"}}}', '42804',
     'mapping key "activities.lead_id": column id of sales.odd is of type bigint'),
    ('{"customers": {"table": "sales.odd", "columns": {"name": "price"}}}', '42804',
     'mapping key "customers.name": column price of sales.odd is of type money'),
    ('{"customers": {"table": "sales.opportunity", "columns": {"id": "opp_id", "name": "stage"}}}', '42804',
     'mapping key "customers.name": column stage of sales.opportunity is of type sales.stage'),
    ('{"lead_ownership": null, "leads": {"table": "sales.opportunity", "columns": {"id": "opp_id", "customer_id": "firm",
       "owner_user_id": null, "status": "stage", "roi_potential": "worth"}}}', '42703',
     'mapping keys "leads.owner_user_id" and "lead_ownership": neither leads to the owner of a lead')
  ) AS wrong (change, code, message);
CREATE TABLE sales.lead_odd (id uuid, customer_id uuid, status text, owner_user_id uuid, roi_potential money, at timestamp);
SELECT throws_ok(format('SELECT freshcrm.install_crm(%L, pg_temp.with_mapping(%L))', 'cockpit', change), '42804', message, message)
  FROM (VALUES
    ('{"leads": {"table": "sales.lead_odd"}}',
     'mapping key "leads.roi_potential": column roi_potential of sales.lead_odd is of type money'),
    ('{"leads": {"table": "sales.lead_odd", "columns": {"roi_potential": null}}}',
     'mapping keys "leads.customer_id" and "customers.id": uuid cannot be compared with integer'),
    ('{"activities": {"table": "sales.lead_odd", "columns": {"lead_id": "id", "created_at": "at", "deleted_at": null}}}',
     'mapping key "activities.created_at": column at of sales.lead_odd is of type timestamp without time zone')
  ) AS wrong (change, message);
SELECT throws_ok($$SELECT freshcrm.install_crm('cockpit', NULL)$$, '22023', 'the mapping must be a JSON object');
SELECT throws_ok($$SELECT freshcrm.install_crm('cockpit', '[]')$$, '22023', 'the mapping must be a JSON object');
SELECT throws_ok($$SELECT freshcrm.install_crm('nowhere')$$, '3F000', 'schema "nowhere" does not exist');
CREATE TRIGGER trg_activity_hot BEFORE UPDATE ON sales.touch FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT throws_ok($$SELECT freshcrm.install_crm('cockpit', m) FROM sales.mapping$$, '42710',
  'table sales.touch already has a trigger "trg_activity_hot"');
DROP TRIGGER trg_activity_hot ON sales.touch;
CREATE TABLE cockpit.cockpit_leads_hot (mine int);
SELECT throws_ok($$SELECT freshcrm.install_crm('cockpit', m) FROM sales.mapping$$, '42P07',
  'relation "cockpit_leads_hot" already exists');
SELECT is_empty($$SELECT FROM pg_class WHERE relnamespace = 'cockpit'::regnamespace AND relname <> 'cockpit_leads_hot'$$,
  'nothing is half made');
SELECT is_empty('SELECT * FROM freshcrm.projections');
SELECT is(pg_temp.triggers('sales'), NULL, 'no trigger is made');

SELECT * FROM finish();
ROLLBACK;
