-- Read live: the view, and beside it the condition that lets it start from an index, since no index can serve its
-- column owner_user_id.
SELECT * FROM crm.cockpit_leads_live
 WHERE owner_user_id = bench.owner(1)
   AND lead_id IN (SELECT lead_id FROM crm.lead_ownership WHERE user_id = bench.owner(1)
                   UNION SELECT id FROM crm.leads WHERE owner_user_id = bench.owner(1))
 ORDER BY last_activity_at DESC NULLS LAST LIMIT 50;
