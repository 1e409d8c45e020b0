-- Each client has leads of its own: an activity.
\set lead :client_id * (:leads / 8) + random(1, :leads / 8)
INSERT INTO crm.activities (lead_id, kind) VALUES (bench.lead(:lead), 'call');
