-- Rename the customer with 900 leads.
\set value random(1, 1000000)
UPDATE crm.customers SET name = 'Customer ' || :value, updated_at = now() WHERE id = bench.customer(1);
