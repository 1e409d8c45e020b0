\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set tag random(1, 1000000000000)
WITH written AS (INSERT INTO crm.activities (lead_id, kind) VALUES (bench.lead(:lead), 'call'))
UPDATE crm.cockpit_leads_hot SET last_activity_at = now(), updated_at = now(), version_etag = lpad(:tag::text, 64, '0')
 WHERE lead_id = bench.lead(:lead);
