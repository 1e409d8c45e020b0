-- As install_crm makes it, and the tags of the lists of each owner are kept.
SELECT freshcrm.alter_projection('crm.cockpit_leads_hot', mode => 'immediate');
SELECT freshcrm.create_collection_etag('crm.cockpit_leads_hot', '{owner_user_id}');
