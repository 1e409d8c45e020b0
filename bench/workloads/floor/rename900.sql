\set value random(1, 1000000)
\set tag random(1, 1000000000000)
WITH written AS (
  UPDATE crm.customers SET name = 'Customer ' || :value, updated_at = now() WHERE id = bench.customer(1))
UPDATE crm.cockpit_leads_hot AS h
   SET customer_name = 'Customer ' || :value, updated_at = now(), version_etag = lpad(:tag::text, 64, '0')
  FROM crm.leads AS l WHERE l.customer_id = bench.customer(1) AND h.lead_id = l.id;
