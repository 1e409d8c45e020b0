-- The views of `make bench-refresh`, over the data of data.sql: what materialized views hold, beside them, so that they
-- can be compared. psql script.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
-- Writes are followed by nothing but the triggers that are measured.
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot') \g /dev/null
DROP TABLE crm.cockpit_leads_hot CASCADE;
SELECT freshcrm.unschedule(m.matview) FROM freshcrm.matview AS m \g /dev/null

CREATE VIEW bench.large_source AS TABLE crm.cockpit_leads_live;
CREATE VIEW bench.small_source AS
SELECT status, count(*) AS leads, (SELECT max(created_at) FROM crm.activities) AS last_activity_at FROM crm.leads GROUP BY status;
VACUUM ANALYZE;
