-- Read live, from the view as it is.
SELECT * FROM crm.cockpit_leads_live WHERE owner_user_id = bench.owner(1)
 ORDER BY last_activity_at DESC NULLS LAST LIMIT 50;
