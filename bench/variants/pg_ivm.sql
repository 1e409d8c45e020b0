-- pg_ivm, when it is installed. It has no subqueries in the SELECT list, and no aggregates over outer joins: its view is
-- the nearest that it can do, without sample_state and lead_ownership, and without leads that have no activity.
SELECT string_agg(indexdef, ';') AS indexes FROM pg_indexes
 WHERE schemaname = 'crm' AND tablename = 'cockpit_leads_hot' AND indexdef NOT LIKE '% UNIQUE %' \gset
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot');
DROP TABLE crm.cockpit_leads_hot CASCADE;
DROP VIEW crm.cockpit_leads_live;
CREATE EXTENSION pg_ivm;
SELECT $view$
    SELECT l.id AS lead_id, c.name AS customer_name, l.owner_user_id, l.status, max(a.created_at) AS last_activity_at,
           l.roi_potential
      FROM crm.leads AS l JOIN crm.customers AS c ON c.id = l.customer_id JOIN crm.activities AS a ON a.lead_id = l.id
     WHERE a.deleted_at IS NULL GROUP BY l.id, c.name, l.owner_user_id, l.status, l.roi_potential
$view$ AS query \gset
CREATE VIEW crm.cockpit_leads_live AS :query;
-- Version 1.11 has moved its functions from pg_catalog to a schema of their own.
SET search_path = pgivm, pg_catalog, public;
SELECT create_immv('crm.cockpit_leads_hot', :'query');
RESET search_path;
:indexes;
CREATE UNIQUE INDEX IF NOT EXISTS cockpit_leads_hot_pkey ON crm.cockpit_leads_hot (lead_id);
VACUUM ANALYZE crm.cockpit_leads_hot;
