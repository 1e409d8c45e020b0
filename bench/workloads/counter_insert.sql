-- Insert one lead, into the copy of the leads that a variant has.
\set customer random(1, :customers)
\set owner random(1, :owners)
INSERT INTO @VARIANT@.leads (customer_id, owner_user_id, email)
VALUES (bench.customer(:customer), bench.owner(:owner), 'new@example.org');
