-- The refreshes of the CRM pack: three functions, three jobs, and that uninstall_crm() takes all of them away (X21).
SELECT plan(38);
SET client_min_messages = error;
SET TimeZone = 'Europe/Vienna';
SELECT freshcrm.create_crm_tables('crm');
SET search_path = crm, public;
INSERT INTO customers (id, name) VALUES ('c0000000-0000-0000-0000-000000000001', 'Acme');
INSERT INTO leads (id, customer_id, owner_user_id, status)
SELECT ('10000000-0000-0000-0000-00000000000' || n)::uuid, 'c0000000-0000-0000-0000-000000000001',
       'a0000000-0000-0000-0000-000000000001', 'new' FROM generate_series(1, 5) AS n;
SELECT lives_ok($$SELECT freshcrm.install_crm('crm')$$, 'installs without pg_cron');

-- C13: names and times, daily at one o'clock where the one who installs it is.
SELECT results_eq($$SELECT job_name, cron, matview::text, timezone FROM freshcrm.matview ORDER BY job_name$$, $$VALUES
  ('refresh-hot-leads', '*/15 * * * *', 'mv_hot_leads', 'Europe/Vienna'),
  ('refresh-rlhf-dashboard', '*/10 * * * *', 'mv_rlhf_sessions_daily', 'Europe/Vienna'),
  ('refresh-template-performance', '0 1 * * *', 'mv_template_performance', 'Europe/Vienna')$$, 'the three jobs');
-- C12
SELECT has_function('crm', f, ARRAY[]::name[]) FROM unnest('{refresh_rlhf_daily_mv,refresh_hot_leads_mv,refresh_template_performance_mv}'::name[]) AS f;
SELECT is((refresh_rlhf_daily_mv()).status, 'refreshed');
SELECT is((refresh_hot_leads_mv()).status, 'refreshed');
SELECT is((refresh_template_performance_mv()).mode, 'concurrently');
INSERT INTO rlhf_feedback_sessions (user_id, lead_id) VALUES ('a0000000-0000-0000-0000-000000000001', '10000000-0000-0000-0000-000000000001');
SELECT is((refresh_rlhf_daily_mv()).rows_inserted, 1::bigint, 'a function returns what freshcrm.refresh() does');
SELECT is((refresh_rlhf_daily_mv()).status, 'unchanged', 'and refreshes nothing twice');
SELECT is((refresh_hot_leads_mv()).status, 'refreshed', 'but scores depend on the time');
-- Whatever the caller's search_path
SET search_path = public;
SELECT is((crm.refresh_hot_leads_mv()).status, 'refreshed');
-- Who may: EXECUTE on the function, and the refresh of the view.
CREATE ROLE freshcrm_test_worker;
GRANT USAGE ON SCHEMA crm TO freshcrm_test_worker;
SET ROLE freshcrm_test_worker;
SELECT throws_ok('SELECT crm.refresh_hot_leads_mv()', '42501', 'permission denied for function refresh_hot_leads_mv');
RESET ROLE;
GRANT EXECUTE ON FUNCTION crm.refresh_hot_leads_mv(), crm.refresh_rlhf_daily_mv() TO freshcrm_test_worker;
SELECT freshcrm.grant_refresh('crm.mv_hot_leads', 'freshcrm_test_worker');
SET ROLE freshcrm_test_worker;
SELECT is((crm.refresh_hot_leads_mv()).status, 'refreshed', 'granted');
SELECT throws_ok('SELECT crm.refresh_rlhf_daily_mv()', '42501', NULL, 'not granted for this one');
RESET ROLE;
DROP OWNED BY freshcrm_test_worker;
DROP ROLE freshcrm_test_worker;

-- The tick runs them.
UPDATE freshcrm.matview_state SET next_due = now();
CALL freshcrm.tick() \gset tick_
SELECT is(:tick_refreshed + :tick_unchanged, 3, 'all three');
SELECT is(:tick_failed + :tick_skipped, 0);

-- A second schema has jobs of its own, and the first one's stay.
SELECT freshcrm.create_crm_tables('Crm 2');
SELECT lives_ok($$SELECT freshcrm.install_crm('Crm 2', '{"rlhf_feedback_sessions": null}')$$);
SELECT set_eq('SELECT job_name FROM freshcrm.matview', ARRAY['refresh-hot-leads', 'refresh-rlhf-dashboard', 'refresh-template-performance',
  'refresh-hot-leads-Crm 2', 'refresh-template-performance-Crm 2'], 'each when its view was made');
SELECT hasnt_function('Crm 2', 'refresh_rlhf_daily_mv');
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('Crm 2')$$);
SELECT results_eq('SELECT count(*) FROM freshcrm.matview', 'VALUES (3::bigint)', 'only its own jobs go');

-- X21: a rollback that unscheduled two of three jobs, left the functions and dropped views that jobs still refreshed.
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('crm')$$);
SELECT is_empty('SELECT FROM freshcrm.matview', 'X21: no job is left');
SELECT is_empty('SELECT FROM freshcrm.matview_state');
SELECT functions_are('crm', ARRAY[]::name[], 'X21: no function');
SELECT materialized_views_are('crm', ARRAY[]::name[], 'X21: no view');
SELECT is_empty($$SELECT FROM pg_trigger WHERE tgname LIKE 'freshcrm_watch%'$$, 'no table is watched for them');
SELECT lives_ok($$SELECT freshcrm.install_crm('crm')$$, 'it can come back');
SELECT results_eq('SELECT count(*) FROM freshcrm.matview', 'VALUES (3::bigint)');
-- Parts that are gone are no obstacle.
SELECT freshcrm.unschedule('refresh-hot-leads');
DROP FUNCTION crm.refresh_rlhf_daily_mv();
DROP MATERIALIZED VIEW crm.mv_template_performance CASCADE;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('crm')$$);
SELECT is_empty('SELECT FROM freshcrm.matview');

-- X35: indexes are made and dropped CONCURRENTLY, which no transaction may: they are said, not done.
SELECT freshcrm.install_crm('crm');
CREATE INDEX leads_of_customer ON crm.leads (customer_id);
CREATE INDEX mine ON crm.leads (status, id);
SELECT set_has($$SELECT freshcrm.crm_advised_indexes('crm')$$, $$VALUES ('crm.leads_of_customer')$$, 'X35: what the cockpit wanted');
SELECT set_hasnt($$SELECT freshcrm.crm_advised_indexes('crm')$$, $$VALUES ('crm.mine')$$, 'not what it did not');
SELECT set_hasnt($$SELECT freshcrm.crm_advised_indexes('crm')$$, $$VALUES ('crm.leads_pkey')$$, 'and no key');
SELECT is_empty($$SELECT FROM freshcrm.projections AS p, freshcrm.explain_projection(p.projection) AS e
  WHERE e.wanted_index !~ '^CREATE INDEX ON '$$, 'X35: the advice is a statement by itself');
BEGIN;
SELECT lives_ok($$SELECT freshcrm.uninstall_crm('crm')$$, 'X35: nothing in it minds a transaction block');
SELECT has_index('crm', 'leads', 'leads_of_customer', 'the index stays');
COMMIT;
SELECT * FROM finish();
