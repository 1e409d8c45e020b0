-- The same hot table, kept by nobody: each write comes with one direct UPDATE of the hot rows, with ready values
-- (workloads/floor).
SELECT freshcrm.drop_projection('crm.cockpit_leads_hot', keep_table => true);
