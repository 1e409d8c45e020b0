-- A page of 50: the latest leads of an owner in the middle of the field.
\set owner random(:owners * 2 / 5, :owners * 3 / 5)
SELECT * FROM crm.cockpit_leads_hot WHERE owner_user_id = bench.owner(:owner)
 ORDER BY last_activity_at DESC NULLS LAST LIMIT 50;
