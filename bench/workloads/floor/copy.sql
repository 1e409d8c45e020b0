\set tag random(1, 1000000000000)
BEGIN;
COPY crm.activities (lead_id, kind) FROM '@COPY_FILE@';
UPDATE crm.cockpit_leads_hot SET last_activity_at = now(), updated_at = now(), version_etag = lpad(:tag::text, 64, '0')
 WHERE lead_id IN (SELECT lead_id FROM bench.copied);
COMMIT;
