-- The same of the owner with the most leads.
SELECT * FROM crm.cockpit_leads_hot WHERE owner_user_id = bench.owner(1)
 ORDER BY last_activity_at DESC NULLS LAST LIMIT 50;
