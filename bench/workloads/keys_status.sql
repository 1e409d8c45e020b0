-- Each client has leads of its own: a change of status.
\set lead :client_id * (:leads / 8) + random(1, :leads / 8)
\set value random(1, 1000000)
UPDATE crm.leads SET status = 'stage ' || :value, updated_at = now() WHERE id = bench.lead(:lead);
