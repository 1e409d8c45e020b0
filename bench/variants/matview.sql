-- A materialized view with the same indexes; every write is followed by REFRESH MATERIALIZED VIEW CONCURRENTLY.
SELECT string_agg(indexdef, ';') AS indexes FROM pg_indexes
 WHERE schemaname = 'crm' AND tablename = 'cockpit_leads_hot' \gset
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot');
DROP TABLE crm.cockpit_leads_hot CASCADE;
CREATE MATERIALIZED VIEW crm.cockpit_leads_hot AS TABLE crm.cockpit_leads_live;
:indexes;
VACUUM ANALYZE crm.cockpit_leads_hot;
