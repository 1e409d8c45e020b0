-- Rename a customer with 4 leads.
\set customer random(2, :fours + 1)
\set value random(1, 1000000)
UPDATE crm.customers SET name = 'Customer ' || :value, updated_at = now() WHERE id = bench.customer(:customer);
