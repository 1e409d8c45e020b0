-- All clients change the status of leads of one customer, each of leads of its own: other rows of the hot table, with one
-- row that they depend on.
\set lead :client_id * 112 + random(1, 112)
\set value random(1, 1000000)
UPDATE crm.leads SET status = 'stage ' || :value, updated_at = now() WHERE id = bench.lead(:lead);
