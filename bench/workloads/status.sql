-- Update one lead's status.
\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set value random(1, 1000000)
UPDATE crm.leads SET status = 'stage ' || :value, updated_at = now() WHERE id = bench.lead(:lead);
