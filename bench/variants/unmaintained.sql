-- The base tables and the view, and nothing that is kept.
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot');
DROP TABLE crm.cockpit_leads_hot CASCADE;
