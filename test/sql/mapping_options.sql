-- The two ways out for tables that lineage cannot trace, options full and mapping: the workload changes every
-- base table in every way, and after each statement the table must equal the view.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set file :srcdir '/include/workload.sql'
\i :file
\set ECHO queries
SET client_min_messages = warning;

CREATE TABLE shapes (shape text, key name[], options jsonb, query text);
INSERT INTO shapes VALUES
    ('NOT IN, full', '{id}', '{"full": ["crm.activities"]}',
        'SELECT id, label FROM leads WHERE id NOT IN (SELECT lead_id FROM activities WHERE deleted_at IS NULL)'),
    ('NOT IN, mapping', '{id}', '{"mapping": {"crm.activities": "SELECT lead_id FROM changed"}}',
        'SELECT id, label FROM leads WHERE id NOT IN (SELECT lead_id FROM activities WHERE deleted_at IS NULL)'),
    ('other than equality, full', '{id}', '{"full": ["activities"]}',
        'SELECT l.id, (SELECT count(*) FROM activities a WHERE a.id > l.amount) AS later FROM leads l'),
    ('other than equality, mapping', '{id}',
        '{"mapping": {"activities": "SELECT l.id FROM changed a JOIN crm.leads l ON a.id > l.amount"}}',
        'SELECT l.id, (SELECT count(*) FROM activities a WHERE a.id > l.amount) AS later FROM leads l'),
    ('no link at all, full', '{id}', '{"full": ["activities"]}',
        'SELECT l.id, (SELECT max(at) FROM activities) AS last FROM leads l'),
    ('cross join, full', '{lead,team}', '{"full": ["leads", "teams"]}',
        'SELECT l.id AS lead, t.id AS team, t.name FROM leads l CROSS JOIN teams t'),
    ('cross join, mapping', '{lead,team}',
        '{"mapping": {"leads": "SELECT c.id, t.id FROM changed c CROSS JOIN crm.teams t", "teams": "SELECT l.id, c.id FROM changed c CROSS JOIN crm.leads l;"}}',
        'SELECT l.id AS lead, t.id AS team, t.name FROM leads l CROSS JOIN teams t'),
    ('recursive, full', '{id}', '{"full": ["customers"]}',
        'WITH RECURSIVE up (id, ancestor, depth) AS (SELECT id, parent_id, 1 FROM customers UNION ALL SELECT u.id, c.parent_id, depth + 1 FROM up u JOIN customers c ON c.id = u.ancestor WHERE depth < 5) SELECT id, max(depth) AS depth, array_agg(ancestor ORDER BY depth) AS line FROM up GROUP BY id'),
    ('recursive, mapping', '{id}',
        '{"mapping": {"customers": "WITH RECURSIVE down (id, depth) AS (SELECT id, 1 FROM changed UNION SELECT c.id, depth + 1 FROM down d JOIN crm.customers c ON c.parent_id = d.id WHERE depth < 6) SELECT id FROM down"}}',
        'WITH RECURSIVE up (id, ancestor, depth) AS (SELECT id, parent_id, 1 FROM customers UNION ALL SELECT u.id, c.parent_id, depth + 1 FROM up u JOIN customers c ON c.id = u.ancestor WHERE depth < 5) SELECT id, max(depth) AS depth, array_agg(ancestor ORDER BY depth) AS line FROM up GROUP BY id'),
    ('recursive beside what is traced', '{id}', '{"full": ["customers"]}',
        'SELECT l.id, o.name, (WITH RECURSIVE up (id) AS (SELECT l.customer_id UNION SELECT c.parent_id FROM up u JOIN customers c ON c.id = u.id) SELECT count(*) FROM up) AS depth FROM leads l LEFT JOIN owners o ON o.id = l.owner_id'),
    ('recursive, joined to what is traced', '{id}', '{"full": ["customers"]}',
        'WITH RECURSIVE down (id, depth) AS (SELECT id, 1 FROM customers WHERE parent_id IS NULL UNION SELECT c.id, depth + 1 FROM customers c JOIN down d ON c.parent_id = d.id WHERE depth < 6) SELECT d.id, d.depth, o.name, (SELECT count(*) FROM leads l WHERE l.customer_id = d.id) AS leads FROM (SELECT id, min(depth) AS depth FROM down GROUP BY id) d LEFT JOIN owners o ON o.id = d.id'),
    ('LIMIT at the top', '{id}', '{"full": ["leads", "customers"]}',
        'SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id ORDER BY l.amount DESC NULLS LAST, l.id LIMIT 3'),
    ('LIMIT in FROM', '{id}', '{"full": ["crm.leads"]}',
        'SELECT c.id, c.name, l.label FROM customers c LEFT JOIN (SELECT * FROM leads ORDER BY id OFFSET 1 LIMIT 4) l ON l.id = c.id'),
    ('window over all rows', '{id}', '{"full": ["leads"]}',
        'SELECT id, rank() OVER (ORDER BY amount, id) AS place, sum(amount) OVER (ORDER BY id) AS running FROM leads'),
    ('GROUPING SETS', '{code,stage}', '{"full": ["leads", "customers"]}',
        'SELECT coalesce(c.region, ''*'') || grouping(c.region) AS code, coalesce(l.stage::text, ''*'') || grouping(l.stage) AS stage, count(*), sum(l.amount) FROM leads l JOIN customers c ON c.id = l.customer_id GROUP BY ROLLUP (c.region, l.stage)'),
    ('DISTINCT ON another column', '{id}', '{"full": ["leads"]}',
        'SELECT DISTINCT ON (customer_id) id, customer_id, label FROM leads ORDER BY customer_id, id'),
    ('full join', '{id}', '{"full": ["customers", "samples"]}',
        'SELECT coalesce(c.id, s.lead_id) AS id, c.name, s.states FROM customers c FULL JOIN (SELECT lead_id, string_agg(state, '','' ORDER BY id) AS states FROM samples WHERE lead_id IS NOT NULL GROUP BY lead_id) s ON s.lead_id = c.id'),
    ('union with a key that is computed', '{id}', '{"full": ["leads"], "mapping": {"samples": "SELECT -id FROM changed"}}',
        'SELECT id, label FROM leads UNION ALL SELECT -id, state FROM samples'),
    ('set-returning key', '{id}', '{"mapping": {"customers": "SELECT t FROM changed, unnest(tags) t"}}',
        'SELECT t AS id, count(*) FROM (SELECT unnest(tags) AS t FROM customers) c WHERE t IS NOT NULL GROUP BY t'),
    ('a mapping in place of a path', '{id}',
        '{"mapping": {"customers": "SELECT l.id FROM changed JOIN crm.leads l ON l.customer_id = changed.id"}}',
        'SELECT l.id, c.name, r.name AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region'),
    ('full in place of a path', '{id}', '{"full": ["regions"]}',
        'SELECT l.id, c.name, r.name AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region'),
    ('a table used twice', '{id}', '{"full": ["customers"]}',
        'SELECT l.id, c.name, (SELECT count(*) FROM customers d WHERE d.id <> c.id) AS others FROM leads l JOIN customers c ON c.id = l.customer_id');
SELECT shape, e.* FROM shapes, exercise(shape, key, query, 'SELECT', options) e;

-- What explain_projection() shows as a mapping query is one, also for the option: each table of the shape is mapped
-- by its own derived query.
CREATE FUNCTION shown(query text, key name[]) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
    result jsonb;
BEGIN
    EXECUTE 'CREATE VIEW shape AS ' || query;
    SELECT jsonb_build_object('mapping', jsonb_object_agg(t.name, t.query)) INTO result
    FROM (SELECT base_table::text AS name, string_agg(DISTINCT mapping_query, ' UNION ALL ') AS query
          FROM freshcrm.explain_projection('shape', key) WHERE mapping_query IS NOT NULL GROUP BY base_table) t
    WHERE NOT EXISTS (SELECT FROM freshcrm.explain_projection('shape', key) e WHERE e.base_table::text = t.name AND traced = 'direct');
    DROP VIEW shape;
    RETURN result;
END
$$;
CREATE TABLE derived (shape text, key name[], query text);
INSERT INTO derived VALUES
    ('joins', '{id}',
        'SELECT l.id, c.name, r.name AS region, t.name AS team FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region LEFT JOIN (owners o JOIN teams t ON t.id = o.team_id) ON o.id = l.owner_id'),
    ('expressions and arrays', '{id}',
        'SELECT c.id, (SELECT count(*) FROM regions r WHERE lower(r.name) = ANY (c.tags)) AS n, (SELECT max(o.name) FROM owners o WHERE o.id = (c.facts ->> ''region'')::integer) AS owner FROM customers c'),
    ('elements of the changed row', '{id}',
        'SELECT r.code AS id, (SELECT count(*) FROM customers c WHERE r.name = ANY (c.tags)) AS n FROM regions r'),
    ('two paths', '{id}',
        'SELECT c.id, p.name AS parent, (SELECT count(*) FROM activities a JOIN leads l ON l.id = a.lead_id WHERE l.customer_id = c.id) AS n FROM customers c LEFT JOIN owners p ON p.id = c.parent_id');
SELECT shape, jsonb_object_keys(shown(query, key) -> 'mapping') AS mapped FROM derived;
SELECT shape, e.* FROM derived, exercise(shape, key, query, 'SELECT', shown(query, key)) e;

-- A mapping that misses keys: verify_projection() names them, and mends them.
CREATE VIEW stale AS SELECT l.id, (SELECT count(*) FROM activities a WHERE a.id > l.id) AS later FROM leads l;
INSERT INTO leads (id) VALUES (1), (2);
SELECT freshcrm.create_projection('stale', '{id}', options => '{"mapping": {"activities": "SELECT id FROM changed WHERE id = 2"}}');
INSERT INTO activities VALUES (2), (3);
SELECT difference('stale_hot');
SELECT * FROM freshcrm.verify_projection('stale_hot');
SELECT * FROM freshcrm.verify_projection('stale_hot', repair => true);
SELECT * FROM freshcrm.verify_projection('stale_hot');
-- Renamed, the table is still the one that was named. A change of what the view does not read runs no query.
ALTER TABLE activities RENAME TO happenings;
UPDATE leads SET id = 3 WHERE id = 2;
INSERT INTO happenings VALUES (4);
UPDATE happenings SET kind = 'read by no view';
SELECT base_table, traced FROM freshcrm.explain_projection('stale_hot');
ALTER TABLE happenings RENAME TO activities;
DROP VIEW stale CASCADE;
DROP TABLE stale_hot;

-- Partitions: the changed rows have the columns of the table that the view reads.
CREATE TABLE calls (id integer, lead_id integer) PARTITION BY RANGE (id);
CREATE TABLE calls_1 PARTITION OF calls FOR VALUES FROM (0) TO (10);
CREATE TABLE calls_2 (junk text, lead_id integer, id integer NOT NULL);
ALTER TABLE calls_2 DROP junk;
ALTER TABLE calls ATTACH PARTITION calls_2 FOR VALUES FROM (10) TO (20);
CREATE VIEW called AS SELECT l.id, (SELECT count(*) FROM calls c WHERE c.lead_id >= l.id) AS n FROM leads l;
SELECT freshcrm.create_projection('called', '{id}', options =>
    '{"mapping": {"crm.calls": "SELECT l.id FROM changed c JOIN crm.leads l ON c.lead_id >= l.id"}}');
INSERT INTO calls VALUES (1, 1), (11, 3);
INSERT INTO calls_2 (id, lead_id) VALUES (12, 1);
UPDATE calls SET id = id + 10 WHERE id = 1;
UPDATE calls_2 SET lead_id = 5 WHERE id = 11;
SELECT difference('called_hot');
SET session_replication_role = replica;
DELETE FROM calls WHERE id = 11;
SELECT difference('called_hot');
RESET session_replication_role;
SELECT id, n FROM called_hot ORDER BY id;
DROP VIEW called CASCADE;
DROP TABLE called_hot;

-- A key of several tables: rows of both can go in one statement, and then only the target still has the key.
CREATE VIEW pairs AS SELECT l.id AS lead, t.id AS team FROM leads l CROSS JOIN teams t;
INSERT INTO teams VALUES (71), (72);
SELECT freshcrm.create_projection('pairs', '{lead,team}', options => '{"mapping": {
    "leads": "SELECT c.id, t.id FROM changed c, crm.teams t UNION SELECT h.lead, h.team FROM changed c, crm.pairs_hot h WHERE h.lead = c.id",
    "teams": "SELECT l.id, c.id FROM changed c, crm.leads l UNION SELECT h.lead, h.team FROM changed c, crm.pairs_hot h WHERE h.team = c.id"}}');
WITH gone AS (DELETE FROM leads WHERE id = 1) DELETE FROM teams WHERE id = 71;
SELECT difference('pairs_hot');
DROP VIEW pairs CASCADE;
DROP TABLE pairs_hot;
DELETE FROM teams;

-- What a NULL or a repeated key is to a traced table it is here, too.
CREATE VIEW nulls AS SELECT c.id, s.state FROM customers c FULL JOIN samples s ON s.lead_id = c.id;
SELECT freshcrm.create_projection('nulls', '{id}', options => '{"full": ["samples", "customers"]}');
INSERT INTO samples VALUES (900, 900);
DROP VIEW nulls CASCADE;
DROP TABLE nulls_hot;
CREATE VIEW nulls AS SELECT s.lead_id AS id FROM samples s CROSS JOIN teams;
SELECT freshcrm.create_projection('nulls', '{id}', options => '{"mapping": {"samples": "SELECT lead_id::integer FROM changed", "teams": "SELECT lead_id::bigint FROM changed, crm.samples"}}');
SELECT freshcrm.create_projection('nulls', '{id}', options => '{"mapping": {"samples": "SELECT lead_id FROM changed", "teams": "SELECT lead_id FROM changed, crm.samples"}}');
INSERT INTO teams VALUES (1);
INSERT INTO samples VALUES (901, NULL);
INSERT INTO samples VALUES (902, 5);
INSERT INTO teams VALUES (2);
DROP VIEW nulls CASCADE;
DROP TABLE nulls_hot;

-- Options that are wrong.
CREATE VIEW v AS SELECT l.id, (SELECT max(at) FROM activities) AS last FROM leads l;
CREATE FUNCTION refused(options jsonb) RETURNS TABLE (said text) LANGUAGE plpgsql AS
$$
DECLARE
    detail text; hint text; context text;
BEGIN
    PERFORM freshcrm.create_projection('v', '{id}', options => options);
    RAISE EXCEPTION 'NO ERROR';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN QUERY SELECT SQLSTATE || ': ' || SQLERRM;
    IF detail <> '' THEN RETURN QUERY SELECT 'detail: ' || detail; END IF;
    IF hint <> '' THEN RETURN QUERY SELECT 'hint: ' || hint; END IF;
    RETURN QUERY SELECT 'context: ' || line FROM regexp_split_to_table(context, E'\n') line WHERE line LIKE 'option%';
END
$$;
\t on
SELECT refused('{}');
SELECT refused('{"full": "activities"}');
SELECT refused('{"full": {"activities": true}}');
SELECT refused('{"full": [1]}');
SELECT refused('{"full": null}');
SELECT refused('{"full": ["teams"]}');
SELECT refused('{"full": ["public.activities"]}');
SELECT refused('{"full": ["activities", "crm.activities"]}');
SELECT refused('{"full": ["activities"], "mapping": {"activities": "SELECT id FROM changed"}}');
SELECT refused('{"mapping": ["activities"]}');
SELECT refused('{"mapping": "activities"}');
SELECT refused('{"mapping": {"activities": 1}}');
SELECT refused('{"mapping": {"activities": null}}');
SELECT refused('{"mapping": {"v": "SELECT id FROM changed"}}');
SELECT refused('{"mapping": {"activities": ""}}');
SELECT refused('{"mapping": {"activities": "SELECT id FROM changed; DROP TABLE crm.leads"}}');
SELECT refused('{"mapping": {"activities": "DELETE FROM crm.leads RETURNING id"}}');
SELECT refused('{"mapping": {"activities": "SELECT id INTO crm.stolen FROM changed"}}');
SELECT refused('{"mapping": {"activities": "WITH gone AS (DELETE FROM crm.leads RETURNING id) SELECT id FROM gone"}}');
SELECT refused('{"mapping": {"activities": "SELECT id FROM changed) AS keys; SELECT (1"}}');
SELECT refused('{"mapping": {"activities": "SELECT id FROM changed FOR"}}');
SELECT refused('{"mapping": {"activities": "SELECT id, lead_id FROM changed"}}');
SELECT refused('{"mapping": {"activities": "SELECT kind FROM changed"}}');
SELECT refused('{"mapping": {"activities": "SELECT nothing FROM changed"}}');
SELECT refused('{"mapping": {"activities": "SELECT id FROM leads"}}');
CREATE TEMP TABLE mine (id integer);
SELECT refused('{"mapping": {"activities": "SELECT id FROM mine"}}');
DROP TABLE mine;
-- The view must still be one whose rows its tables decide.
CREATE OR REPLACE VIEW v AS SELECT id, NULL::timestamp AS last FROM leads WHERE now() > '2020-01-01';
SELECT refused('{"full": ["leads"]}');
CREATE OR REPLACE VIEW v AS SELECT id, NULL::timestamp AS last FROM leads LIMIT 2;
SELECT refused('{"full": ["leads"]}');
-- Each table below a clause that mixes rows needs one of the two.
CREATE OR REPLACE VIEW v AS SELECT l.id, NULL::timestamp AS last FROM leads l LEFT JOIN customers c ON c.id = l.customer_id ORDER BY c.name, l.id LIMIT 2;
SELECT refused('{"full": ["leads"]}');
-- What comes out of the recursion itself is no link to other tables.
CREATE OR REPLACE VIEW v AS WITH RECURSIVE up (id, ancestor) AS (SELECT id, parent_id FROM customers UNION SELECT u.id, c.parent_id FROM up u JOIN customers c ON c.id = u.ancestor) SELECT u.id, NULL::timestamp AS last, max(o.name) AS owner FROM up u JOIN owners o ON o.id = u.ancestor GROUP BY u.id;
SELECT refused('{"full": ["customers"]}');
-- A transaction that gives the table other columns after it has written to it, the first that its session writes.
CREATE TABLE folders (id integer PRIMARY KEY, label text);
CREATE TABLE files (id integer PRIMARY KEY, size bigint, label text, name text);
ALTER TABLE files ALTER name SET STORAGE EXTERNAL;
CREATE VIEW contents AS SELECT f.id, (SELECT string_agg(name, ' ' ORDER BY id) FROM files WHERE lower(label) = lower(f.label)) AS names FROM folders f;
INSERT INTO folders VALUES (1, 'a'), (2, 'b');
INSERT INTO files VALUES (1, 1073741820, 'a', 'one'), (2, 1073741820, 'b', repeat('two', 1000));
SELECT freshcrm.create_projection('contents', '{id}', mode => 'async',
  options => '{"mapping": {"crm.files": "SELECT f.id FROM crm.folders f, changed WHERE lower(changed.label) = lower(f.label)"}}');
\connect -
SET search_path = crm, public;
SET client_min_messages = warning;
BEGIN;
UPDATE files SET name = 'three' WHERE id = 2;
ALTER TABLE files ALTER size TYPE integer USING 1;
COMMIT;
CALL freshcrm.drain();
SELECT id, names FROM contents_hot ORDER BY id;
SELECT * FROM freshcrm.verify_projection('contents_hot');
-- One that rewrites it as it was: old rows are still known whole.
UPDATE files SET name = repeat('four', 1000) WHERE id = 2;
BEGIN;
UPDATE files SET name = 'five' WHERE id = 2;
ALTER TABLE files ALTER size TYPE integer USING 2;
COMMIT;
CALL freshcrm.drain();
SELECT id, names FROM contents_hot ORDER BY id;
SELECT * FROM freshcrm.verify_projection('contents_hot');
\t off
\set VERBOSITY terse
DROP FUNCTION difference;
DROP SCHEMA crm CASCADE;
