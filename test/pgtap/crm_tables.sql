-- The reference tables of the CRM pack.
BEGIN;
SELECT plan(33);

SELECT lives_ok($$SELECT freshcrm.create_crm_tables('crm')$$, 'makes the schema and the tables');
SELECT tables_are('crm', ARRAY['customers', 'leads', 'lead_ownership', 'activities', 'sample_request']);

-- Requirements, section 2: these names are what applications were written against.
SELECT columns_are('crm', 'customers', ARRAY['id', 'name', 'description', 'status', 'created_at', 'updated_at']);
SELECT columns_are('crm', 'leads', ARRAY['id', 'customer_id', 'owner_user_id', 'status', 'email', 'p_score',
                                         'roi_potential', 'created_at', 'updated_at']);
SELECT columns_are('crm', 'lead_ownership', ARRAY['lead_id', 'user_id', 'created_at']);
SELECT columns_are('crm', 'activities', ARRAY['id', 'lead_id', 'kind', 'created_at', 'deleted_at']);
SELECT columns_are('crm', 'sample_request', ARRAY['id', 'lead_id', 'status', 'latest', 'created_at']);
SELECT is_empty($$
  SELECT table_name, column_name FROM information_schema.columns
   WHERE table_schema = 'crm' AND column_default IS NULL AND is_nullable = 'NO'
     AND (table_name, column_name) NOT IN (('customers', 'name'))
     AND column_name NOT IN ('lead_id', 'user_id')
$$, 'only keys and the name of a customer must be given');
SELECT is(count(*), 5::bigint, 'every table has a comment')
  FROM pg_class AS c WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' AND obj_description(c.oid) IS NOT NULL;

SELECT fk_ok('crm', 'leads', 'customer_id', 'crm', 'customers', 'id');
SELECT fk_ok('crm', 'lead_ownership', 'lead_id', 'crm', 'leads', 'id');
SELECT fk_ok('crm', 'activities', 'lead_id', 'crm', 'leads', 'id');
SELECT fk_ok('crm', 'sample_request', 'lead_id', 'crm', 'leads', 'id');
SELECT col_is_pk('crm', 'lead_ownership', ARRAY['lead_id', 'user_id']::name[], 'a user owns a lead once');
SELECT is(pg_get_indexdef('crm.idx_activities_timeline'::regclass),
  'CREATE INDEX idx_activities_timeline ON crm.activities USING btree (lead_id, created_at DESC) WHERE (deleted_at IS NULL)',
  'the timeline has the index of the source');
SELECT is_empty($$
  SELECT conrelid::regclass, conname FROM pg_constraint AS c
   WHERE contype = 'f' AND connamespace = 'crm'::regnamespace
     AND NOT EXISTS (SELECT FROM pg_index AS i
                      WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL)
$$, 'every foreign key has an index that it can use');

-- The shortest rows that may be written.
INSERT INTO crm.customers (name) VALUES ('Acme');
INSERT INTO crm.leads (customer_id) SELECT id FROM crm.customers;
INSERT INTO crm.leads DEFAULT VALUES;
INSERT INTO crm.lead_ownership (lead_id, user_id) SELECT id, gen_random_uuid() FROM crm.leads;
INSERT INTO crm.activities (lead_id) SELECT id FROM crm.leads;
INSERT INTO crm.sample_request (lead_id) SELECT id FROM crm.leads;
SELECT results_eq($$SELECT DISTINCT c.status, l.status, s.status, s.latest, a.deleted_at, a.created_at
                      FROM crm.customers AS c, crm.leads AS l, crm.sample_request AS s, crm.activities AS a$$,
  $$VALUES ('active', 'new', 'requested', true, NULL::timestamptz, now())$$, 'the defaults');
SELECT lives_ok($$INSERT INTO crm.lead_ownership (lead_id, user_id) SELECT id, gen_random_uuid() FROM crm.leads$$,
  'a lead may have two owners');
SELECT lives_ok($$INSERT INTO crm.sample_request (lead_id) SELECT id FROM crm.leads$$,
  'a lead may have two samples marked latest');

SELECT throws_ok($$INSERT INTO crm.customers (name) VALUES (NULL)$$, '23502');
SELECT throws_ok($$INSERT INTO crm.leads (customer_id) VALUES (gen_random_uuid())$$, '23503');
SELECT throws_ok($$INSERT INTO crm.activities (lead_id) VALUES (gen_random_uuid())$$, '23503');
SELECT throws_ok($$INSERT INTO crm.leads (roi_potential) VALUES (1e12)$$, '22003');
SELECT throws_ok($$INSERT INTO crm.lead_ownership SELECT * FROM crm.lead_ownership$$, '23505');

DELETE FROM crm.customers;
SELECT is(count(*), 2::bigint, 'leads outlive their customer') FROM crm.leads WHERE customer_id IS NULL;
DELETE FROM crm.leads;
SELECT is((SELECT count(*) FROM crm.lead_ownership) + (SELECT count(*) FROM crm.activities)
          + (SELECT count(*) FROM crm.sample_request), 0::bigint, 'what belongs to a lead goes with it');

-- Where one of the names is taken nothing is made.
SELECT throws_ok($$SELECT freshcrm.create_crm_tables('crm')$$, '42P07');
CREATE SCHEMA taken;
CREATE TABLE taken.sample_request (x int);
SELECT throws_ok($$SELECT freshcrm.create_crm_tables('taken')$$, '42P07');
SELECT tables_are('taken', ARRAY['sample_request']);
SELECT throws_ok($$SELECT freshcrm.create_crm_tables(NULL)$$, '22004');

SELECT lives_ok($$SELECT freshcrm.create_crm_tables('Weird "Schema" of O''Brien')$$, 'a schema of any name');
SELECT tables_are('Weird "Schema" of O''Brien',
  ARRAY['customers', 'leads', 'lead_ownership', 'activities', 'sample_request']);
CREATE ROLE freshcrm_test_nobody;
SELECT ok(NOT has_function_privilege('freshcrm_test_nobody', 'freshcrm.create_crm_tables(name)', 'EXECUTE'),
  'PUBLIC may not call it');

SELECT * FROM finish();
ROLLBACK;
