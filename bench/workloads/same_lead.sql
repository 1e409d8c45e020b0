-- All clients add activities to one lead: one row of the hot table.
INSERT INTO crm.activities (lead_id, kind) VALUES (bench.lead(1000), 'call');
