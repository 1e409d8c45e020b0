-- One statement that updates 1000 leads.
\set first random(1, :leads - 999)
\set value random(1, 1000000)
UPDATE crm.leads SET status = 'batch ' || :value, updated_at = now()
 WHERE id = ANY (ARRAY(SELECT bench.lead(n) FROM generate_series(:first::int, :first::int + 999) AS n));
