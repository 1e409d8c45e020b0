-- Before each run: no dead rows of the run before, and the pages in memory that single writes look for.
VACUUM crm.customers, crm.leads, crm.activities, freshcrm.queue, freshcrm.collection_slot;
SELECT 'VACUUM crm.cockpit_leads_hot' WHERE to_regclass('crm.cockpit_leads_hot') IS NOT NULL \gexec
SELECT pg_prewarm(oid) FROM pg_class
 WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'i', 'm') AND relname NOT IN ('activities', 'message_events')
 \g /dev/null
