SELECT freshcrm.alter_projection('crm.cockpit_leads_hot', mode => 'commit');
