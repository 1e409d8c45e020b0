-- Tags of collections: what is refused, who may ask, and what DDL does.
SET client_min_messages = warning;
CREATE SCHEMA collection_rights;
SET search_path = collection_rights, public;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE stage AS ENUM ('new', 'won', 'lost');
CREATE DOMAIN code AS text CHECK (value <> '' AND value IS NOT NULL);
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner uuid, stage stage, code code, letters char(4), any_letters bpchar, name varchar(3),
    amount numeric, ratio float8, email citext, blind text COLLATE blind, tags text[], doc json, docb jsonb, at timestamptz, net inet, bits varbit,
    relation regclass, flag boolean, big bigint, day date);
INSERT INTO leads VALUES (1, 1, '00000000-0000-0000-0000-000000000001', 'new', 'a', 'ab', 'ab', 'x', 1.50, 1.5, 'A@b.c', 'A', '{a}', '{}', '{"a": 1}',
    '2026-01-02 03:04:05+00', '10.0.0.1', '101', 'customers', true, 7, '2026-01-02'),
    (2, 1, NULL, 'won', 'b', 'a', 'a ', NULL, 2, 'NaN', 'a@B.c', 'a', '{b}', '[]', '{"a": 1.0}', NULL, NULL, '', 'leads', NULL, -7, NULL);
CREATE VIEW live AS SELECT l.*, c.name AS customer FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
SELECT freshcrm.create_projection('live', '{id}');

-- What a scope can be kept by: not where equal values can differ in their bytes.
SELECT column_name, data_type, freshcrm.create_collection_etag('live_hot', ARRAY[column_name::name])
FROM information_schema.columns WHERE table_schema = 'collection_rights' AND table_name = 'leads'
  AND column_name NOT IN ('amount', 'ratio', 'email', 'blind', 'tags', 'doc', 'docb') ORDER BY ordinal_position;
SELECT freshcrm.create_collection_etag('live_hot', '{amount}');
SELECT freshcrm.create_collection_etag('live_hot', '{ratio}');
SELECT freshcrm.create_collection_etag('live_hot', '{email}');
SELECT freshcrm.create_collection_etag('live_hot', '{blind}');
SELECT freshcrm.create_collection_etag('live_hot', '{tags}');
SELECT freshcrm.create_collection_etag('live_hot', '{doc}');
SELECT freshcrm.create_collection_etag('live_hot', '{docb}');
SELECT freshcrm.create_collection_etag('live_hot', '{version_etag}');
SELECT freshcrm.create_collection_etag('live_hot', '{updated_at}');
SELECT freshcrm.create_collection_etag('live_hot', '{nothing}');
SELECT freshcrm.create_collection_etag('live_hot', '{owner,owner}');
SELECT freshcrm.create_collection_etag('live_hot', '{owner,NULL}');
SELECT freshcrm.create_collection_etag('live_hot', '{owner}');
SELECT freshcrm.create_collection_etag('live_hot', NULL);
SELECT freshcrm.create_collection_etag('leads', '{owner}');
SELECT freshcrm.drop_collection_etag('live_hot', '{owner,stage}');
SELECT freshcrm.drop_collection_etag('live_hot', '{amount}');

-- Scopes: kept and computed are the same for each value.
CREATE ROLE collection_reader;
GRANT USAGE ON SCHEMA collection_rights TO collection_reader;
GRANT SELECT ON live_hot TO collection_reader;
ALTER TABLE live_hot ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON live_hot USING (true);
CREATE FUNCTION tag(scope jsonb) RETURNS text LANGUAGE sql AS $$ SELECT freshcrm.collection_etag('live_hot', scope) $$;
CREATE FUNCTION same(scope jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE kept text := tag(scope); computed text;
BEGIN
    SET LOCAL ROLE collection_reader;
    computed := tag(scope);
    RESET ROLE;
    RETURN CASE WHEN kept = computed THEN 'same' ELSE 'DIFFERENT' END;
END $$;
SELECT scope, same(scope) FROM unnest('{
    "{}", "{\"id\": 1}", "{\"id\": \"1\"}", "{\"id\": 3}", "{\"owner\": \"00000000-0000-0000-0000-000000000001\"}", "{\"owner\": null}",
    "{\"stage\": \"new\"}", "{\"stage\": \"lost\"}", "{\"code\": \"a\"}", "{\"letters\": \"ab\"}", "{\"letters\": \"ab  \"}",
    "{\"any_letters\": \"a\"}", "{\"any_letters\": \"a  \"}", "{\"name\": \"x\"}", "{\"name\": \"x \"}", "{\"name\": null}",
    "{\"at\": \"2026-01-02 04:04:05+01\"}", "{\"net\": \"10.0.0.1\"}", "{\"net\": \"10.0.0.1/32\"}", "{\"bits\": \"101\"}", "{\"bits\": \"\"}",
    "{\"relation\": \"leads\"}", "{\"flag\": true}", "{\"flag\": \"yes\"}", "{\"flag\": null}", "{\"big\": -7}", "{\"big\": 7}",
    "{\"day\": \"2026-01-02\"}", "{\"customer\": null}"}'::jsonb[]) AS scope;
-- Computed ones: equality is that of the type, the form of the value is part of the tag.
SELECT tag('{"amount": 1.5}') <> tag('{"amount": 1.50}') AS other_form;
SELECT tag('{"email": "a@b.C"}') IS NOT NULL, tag('{"tags": ["a"]}');
SELECT tag('{"tags": "{a}"}') IS NOT NULL, tag('{"docb": {"a": 1}}') IS NOT NULL, tag('{"blind": "A"}') IS NOT NULL, tag('{"ratio": "NaN"}') IS NOT NULL;
SELECT tag('{"doc": {}}');
-- Bad ones.
SELECT tag('[]');
SELECT tag('"owner"');
SELECT tag('{"nothing": 1}');
SELECT tag('{"version_etag": "x"}');
SELECT tag('{"owner": "x"}');
SELECT tag('{"owner": {"a": 1}}');
SELECT tag('{"id": 1.5}');
SELECT tag('{"id": 1e20}');
SELECT tag('{"stage": "other"}');
SELECT tag('{"code": ""}');
SELECT tag('{"code": null}');
SELECT tag('{"name": "long"}');
SELECT tag('{"day": "2026-02-30"}');
SELECT tag('{"relation": "nowhere"}');
SELECT tag(NULL) IS NULL AS null;
SELECT freshcrm.collection_etag('leads', '{}');
SELECT freshcrm.collection_etag(0, '{}');

-- Who may ask: who may read the rows, as far as policies let him.
SELECT tag('{}') = tag('{}') AS whole \gset
SELECT tag('{}') AS everything, tag('{"id": 1}') AS one \gset
DROP POLICY everything ON live_hot;
CREATE POLICY one ON live_hot USING (id = 1);
SET ROLE collection_reader;
SELECT tag('{}') <> :'everything' AS fewer, tag('{"id": 1}') = :'one' AS same_one, tag('{"id": 2}') = tag('{"id": 2}') AS none;
SET row_security = off;
SELECT tag('{}');
RESET row_security;
SELECT freshcrm.create_collection_etag('live_hot', '{day,flag}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION freshcrm.create_collection_etag, freshcrm.drop_collection_etag TO collection_reader;
SET ROLE collection_reader;
SELECT freshcrm.create_collection_etag('live_hot', '{day,flag}');
SELECT freshcrm.drop_collection_etag('live_hot', '{day}');
SELECT secret FROM freshcrm.projection;
SELECT sum FROM freshcrm.collection_slot;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION freshcrm.create_collection_etag, freshcrm.drop_collection_etag FROM collection_reader;
ALTER TABLE live_hot DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON live_hot FROM collection_reader;
SET ROLE collection_reader;
SELECT tag('{}');
RESET ROLE;
GRANT SELECT (id) ON live_hot TO collection_reader;
SET ROLE collection_reader;
SELECT tag('{"id": 1}');
RESET ROLE;
GRANT SELECT (version_etag) ON live_hot TO collection_reader;
SET ROLE collection_reader;
SELECT tag('{"id": 1}') = :'one' AS same_one, tag('{}') = :'everything' AS same_whole;
SELECT tag('{"owner": null}');
RESET ROLE;
-- In a read-only transaction.
BEGIN READ ONLY;
SELECT tag('{"id": 1}') = :'one' AS same_one, tag('{"amount": 0}') IS NOT NULL;
COMMIT;

-- Who could write past them.
SELECT freshcrm.alter_projection('live_hot', options => '{"direct_writes": true}');
CREATE VIEW direct AS SELECT * FROM customers;
SELECT freshcrm.create_projection('direct', '{id}', options => '{"direct_writes": true}');
SELECT freshcrm.create_collection_etag('direct_hot', '{}');
SELECT freshcrm.alter_projection('direct_hot', options => '{}');
SELECT freshcrm.create_collection_etag('direct_hot', '{}');

-- DDL that changes what values look like, or their columns' names.
SELECT tag('{"stage": "new"}') AS stage \gset
ALTER TYPE stage RENAME VALUE 'new' TO 'fresh';
SELECT * FROM freshcrm.verify_projection('live_hot');
SELECT tag('{"stage": "fresh"}') <> :'stage' AS other, tag('{"stage": "fresh"}') <> tag('{"stage": "lost"}') AS some;
ALTER TYPE stage RENAME TO phase;
UPDATE leads SET stage = 'won' WHERE id = 1;
SELECT * FROM freshcrm.verify_projection('live_hot');
ALTER TABLE customers RENAME TO clients;
UPDATE leads SET relation = 'clients' WHERE id = 2;
-- The name of what a regclass points to is part of its row's tag.
SELECT * FROM freshcrm.verify_projection('live_hot', repair => true);
ALTER TABLE live_hot RENAME COLUMN owner TO owner_user_id;
SELECT tag('{"owner_user_id": null}') IS NOT NULL, scope_columns FROM freshcrm.collections WHERE 'owner_user_id' = ANY (scope_columns);
UPDATE leads SET owner = '00000000-0000-0000-0000-000000000002' WHERE id = 2;
SELECT * FROM freshcrm.verify_projection('live_hot');
SELECT tag('{"owner": null}');
ALTER TABLE live_hot DROP COLUMN owner_user_id;
ALTER TABLE live_hot ALTER COLUMN owner_user_id TYPE text;
-- The view shows more, and other rows.
CREATE OR REPLACE VIEW live AS SELECT l.*, c.name AS customer, c.id AS client_id FROM leads l LEFT JOIN clients c ON c.id = l.customer_id;
SELECT freshcrm.create_collection_etag('live_hot', '{client_id,flag}');
INSERT INTO clients VALUES (1, 'Acme');
SELECT * FROM freshcrm.verify_projection('live_hot');
CREATE OR REPLACE VIEW live AS SELECT l.*, c.name AS customer, c.id AS client_id FROM leads l LEFT JOIN clients c ON c.id = l.customer_id WHERE l.flag;
SELECT * FROM freshcrm.verify_projection('live_hot');
SELECT rows FROM freshcrm.collection_slot s JOIN freshcrm.collection c ON c.id = s.collection WHERE c.columns = '{20}';
-- A trigger of the user in the middle of a write.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM freshcrm.create_collection_etag('collection_rights.live_hot', '{day,flag}'); RETURN NULL; END $$;
CREATE TRIGGER meddle AFTER UPDATE ON live_hot EXECUTE FUNCTION meddle();
UPDATE leads SET amount = 9;
DROP TRIGGER meddle ON live_hot;
-- Created and written to in one transaction, also above READ COMMITTED.
BEGIN ISOLATION LEVEL REPEATABLE READ;
UPDATE leads SET amount = 10;
SELECT freshcrm.create_collection_etag('live_hot', '{day,flag}');
SELECT tag('{"day": "2026-01-02", "flag": true}') AS first \gset
UPDATE leads SET amount = 11;
SELECT tag('{"day": "2026-01-02", "flag": true}') <> :'first' AS other;
COMMIT;
SELECT tag('{"day": "2026-01-02", "flag": true}') <> :'first' AS other;
SELECT * FROM freshcrm.verify_projection('live_hot');

DROP VIEW live;
SELECT * FROM freshcrm.collections;
SELECT freshcrm.drop_projection('direct_hot');
SELECT count(*) FROM freshcrm.collection_slot;
DROP SCHEMA collection_rights CASCADE;
DROP ROLE collection_reader;
