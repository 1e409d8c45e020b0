\set first random(1, :leads - 999)
\set value random(1, 1000000)
\set tag random(1, 1000000000000)
WITH written AS (
  UPDATE crm.leads SET status = 'batch ' || :value, updated_at = now()
   WHERE id = ANY (ARRAY(SELECT bench.lead(n) FROM generate_series(:first::int, :first::int + 999) AS n)))
UPDATE crm.cockpit_leads_hot
   SET status = 'batch ' || :value, updated_at = now(), version_etag = lpad(:tag::text, 64, '0')
 WHERE lead_id = ANY (ARRAY(SELECT bench.lead(n) FROM generate_series(:first::int, :first::int + 999) AS n));
