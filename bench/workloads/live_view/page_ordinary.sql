-- Read live, from the view as it is.
\set owner random(:owners * 2 / 5, :owners * 3 / 5)
SELECT * FROM crm.cockpit_leads_live WHERE owner_user_id = bench.owner(:owner)
 ORDER BY last_activity_at DESC NULLS LAST LIMIT 50;
