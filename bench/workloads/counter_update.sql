-- Update one lead's status, in the copy of the leads that a variant has.
\set lead random(1, :leads)
\set value random(1, 1000000)
UPDATE @VARIANT@.leads SET status = 'stage ' || :value, updated_at = now() WHERE id = bench.lead(:lead);
