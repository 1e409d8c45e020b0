-- What 8 clients do: 70 % activities, 20 % changes of status, 5 % renames, 5 % statements that update 1000 leads,
-- which these lock in order, so that without upkeep there are no deadlocks.
\set kind random(1, 100)
\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set value random(1, 1000000)
\if :kind <= 70
INSERT INTO crm.activities (lead_id, kind) VALUES (bench.lead(:lead), 'call');
\elif :kind <= 90
UPDATE crm.leads SET status = 'stage ' || :value, updated_at = now() WHERE id = bench.lead(:lead);
\elif :kind <= 95
\set customer random(2, :fours + 1)
UPDATE crm.customers SET name = 'Customer ' || :value, updated_at = now() WHERE id = bench.customer(:customer);
\else
\set first random(1, :leads - 999)
UPDATE crm.leads SET status = 'batch ' || :value, updated_at = now()
 WHERE id IN (SELECT id FROM crm.leads
               WHERE id = ANY (ARRAY(SELECT bench.lead(n) FROM generate_series(:first::int, :first::int + 999) AS n))
               ORDER BY id FOR NO KEY UPDATE);
\endif
