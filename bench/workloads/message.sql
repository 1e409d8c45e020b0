-- A message of one of the user's leads, now. bench/stats puts a schema before the name of the table.
\set n random(1, :leads)
INSERT INTO message_events (user_id, lead_id, direction, channel, status, created_at)
VALUES (bench.owner(1), bench.lead(:n), 'inbound', 'email', 'delivered', now());
