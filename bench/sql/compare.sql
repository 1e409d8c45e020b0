-- The rows in which the hot table differs from its view, counted in both directions.
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
 WHERE attrelid = 'crm.cockpit_leads_live'::regclass AND attnum > 0 \gset
SELECT (SELECT count(*) FROM (TABLE crm.cockpit_leads_live EXCEPT ALL SELECT :columns FROM crm.cockpit_leads_hot) AS m)
     + (SELECT count(*) FROM (SELECT :columns FROM crm.cockpit_leads_hot EXCEPT ALL TABLE crm.cockpit_leads_live) AS e);
