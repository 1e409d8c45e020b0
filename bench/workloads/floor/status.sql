\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set value random(1, 1000000)
\set tag random(1, 1000000000000)
WITH written AS (UPDATE crm.leads SET status = 'stage ' || :value, updated_at = now() WHERE id = bench.lead(:lead))
UPDATE crm.cockpit_leads_hot SET status = 'stage ' || :value, updated_at = now(), version_etag = lpad(:tag::text, 64, '0')
 WHERE lead_id = bench.lead(:lead);
