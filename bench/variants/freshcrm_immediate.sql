-- As install_crm makes it.
SELECT freshcrm.alter_projection('crm.cockpit_leads_hot', mode => 'immediate');
