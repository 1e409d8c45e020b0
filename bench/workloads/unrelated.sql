-- A write that changes nothing relevant: a lead saved as applications do it, all columns set, of which one differs that
-- the view does not read.
\set rank random_zipfian(1, :leads, 1.05)
\set lead :rank * 7919 % :leads + 1
\set value random(1, 1000000)
UPDATE crm.leads SET customer_id = customer_id, owner_user_id = owner_user_id, status = status,
       email = 'lead' || :value || '@example.org', roi_potential = roi_potential, updated_at = now()
 WHERE id = bench.lead(:lead);
