-- Three more of these in a transaction: a customer described anew, an activity's kind corrected, a message logged.
\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set customer random(1, :customers)
\set value random(1, 1000000)
BEGIN;
UPDATE crm.customers SET description = 'Known as ' || :value, updated_at = now() WHERE id = bench.customer(:customer);
UPDATE crm.activities SET kind = 'kind ' || :value
 WHERE id = (SELECT id FROM crm.activities WHERE lead_id = bench.lead(:lead) LIMIT 1);
INSERT INTO crm.message_events (user_id, lead_id, direction, channel, status)
VALUES (bench.owner(1), bench.lead(:lead), 'inbound', 'email', 'read');
COMMIT;
