-- A transaction of 20 small writes to one lead: ten activities, ten changes of its status.
\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set value random(1, 1000000)
BEGIN;
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '1 us');
UPDATE crm.leads SET status = 'stage 1/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '2 us');
UPDATE crm.leads SET status = 'stage 2/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '3 us');
UPDATE crm.leads SET status = 'stage 3/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '4 us');
UPDATE crm.leads SET status = 'stage 4/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '5 us');
UPDATE crm.leads SET status = 'stage 5/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '6 us');
UPDATE crm.leads SET status = 'stage 6/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '7 us');
UPDATE crm.leads SET status = 'stage 7/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '8 us');
UPDATE crm.leads SET status = 'stage 8/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '9 us');
UPDATE crm.leads SET status = 'stage 9/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (bench.lead(:lead), 'call', now() + '10 us');
UPDATE crm.leads SET status = 'stage 10/' || :value, updated_at = now() WHERE id = bench.lead(:lead);
COMMIT;
