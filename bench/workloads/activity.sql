-- Insert one activity: the latest of its lead, so that the max moves.
\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
INSERT INTO crm.activities (lead_id, kind) VALUES (bench.lead(:lead), 'call');
