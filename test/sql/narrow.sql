-- Narrow recompute: which columns of a view a change can affect, and that no others are computed.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
CREATE SCHEMA narrow;
SET search_path = narrow, public;
CREATE TABLE leads (id integer PRIMARY KEY, name text, customer_id integer, owner_id integer, created integer, gone boolean);
CREATE TABLE customers (id integer PRIMARY KEY, name text, region text, note text);
CREATE TABLE regions (code text PRIMARY KEY, name text);
CREATE TABLE owners (id integer PRIMARY KEY, name text, active boolean);
CREATE TABLE activities (id integer PRIMARY KEY, lead_id integer, at integer, kind text);
CREATE TABLE samples (id integer PRIMARY KEY, lead_id integer, state text, latest boolean);
CREATE FUNCTION shown(source regclass, key name[], options jsonb DEFAULT '{}') RETURNS TABLE (base_table regclass, change text, applied text)
LANGUAGE sql AS
$$
    SELECT e.base_table, string_agg(c.change, ', ' ORDER BY c.change <> 'INSERT', c.change <> 'DELETE', c.change), c.how
    FROM (SELECT DISTINCT x.base_table, x.applied FROM freshcrm.explain_projection(source, key, options) x) e,
        LATERAL (SELECT k AS change, v #>> '{}' AS how FROM jsonb_each(e.applied - 'UPDATE') p (k, v)
                 UNION ALL SELECT k, v #>> '{}' FROM jsonb_each(e.applied -> 'UPDATE') p (k, v)) c
    GROUP BY 1, 3 ORDER BY e.base_table::text, 2
$$;
CREATE FUNCTION flows(query text, key name[] DEFAULT '{id}', options jsonb DEFAULT '{}') RETURNS TABLE (base_table regclass, change text, applied text)
LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE 'CREATE VIEW v AS ' || query;
    RETURN QUERY SELECT * FROM shown('v', key, options);
    DROP VIEW v;
END
$$;
\set ECHO queries
\pset format unaligned

-- What explain_projection() says: joined tables, of either kind, and rows that are chosen.
CREATE VIEW leads_of AS SELECT l.id, l.name, c.name AS customer, r.name AS region
    FROM leads l LEFT JOIN (customers c JOIN regions r ON r.code = c.region) ON c.id = l.customer_id AND NOT l.gone;
SELECT DISTINCT base_table, jsonb_pretty(applied) FROM freshcrm.explain_projection('leads_of', '{id}') ORDER BY 1;
SELECT * FROM flows('SELECT l.id, l.name, c.name AS customer FROM leads l JOIN customers c ON c.id = l.customer_id WHERE NOT l.gone');
SELECT * FROM flows('SELECT l.id, l.name, c.name AS customer FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.region = ''n''');
SELECT * FROM flows('SELECT l.id, l.name, c.name AS customer FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE coalesce(c.region, ''n'') = ''n''');
SELECT * FROM flows('SELECT l.id, l.name, o.name AS owner, c.name AS customer FROM customers c RIGHT JOIN leads l ON c.id = l.customer_id LEFT JOIN owners o ON o.id = l.owner_id AND o.active');
SELECT * FROM flows('SELECT id, l.name, r.code, (r.name IS NULL) AS far FROM leads l LEFT JOIN customers c USING (id) LEFT JOIN regions r ON r.code = c.region');
-- A table that is joined for nothing.
SELECT * FROM flows('SELECT l.id, l.name, l.gone FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND c.region = ''n''');
-- One table in two places; a row as a whole; all but the key.
SELECT * FROM flows('SELECT l.id, l.name, p.name AS parent, (SELECT count(*) FROM leads x WHERE x.owner_id = l.id) AS below FROM leads l LEFT JOIN leads p ON p.id = l.customer_id');
SELECT * FROM flows('SELECT l.id, l.name, to_jsonb(c) AS customer FROM leads l LEFT JOIN customers c ON c.id = l.customer_id');
SELECT * FROM flows('SELECT l.id, c.name AS a, upper(c.name) AS b FROM leads l LEFT JOIN customers c ON c.id = l.customer_id');

-- Sublinks.
SELECT * FROM flows('SELECT l.id, l.name, coalesce((SELECT max(a.at) FROM activities a WHERE a.lead_id = l.id AND a.kind <> ''x''), l.created) AS last FROM leads l');
SELECT * FROM flows('SELECT l.id, l.name, EXISTS (SELECT a.at FROM activities a WHERE a.lead_id = l.id) AS any, ARRAY(SELECT s.state FROM samples s WHERE s.lead_id = l.id ORDER BY s.id) AS states FROM leads l');
SELECT * FROM flows('SELECT l.id, l.name FROM leads l WHERE EXISTS (SELECT FROM activities a WHERE a.lead_id = l.id) AND l.owner_id IN (SELECT o.id FROM owners o WHERE o.active)');
SELECT * FROM flows('SELECT l.id, l.name, (SELECT s.state FROM samples s WHERE s.lead_id = l.id AND s.latest ORDER BY s.id DESC LIMIT 1) AS sample, CASE WHEN EXISTS (SELECT FROM owners o WHERE o.id = l.owner_id) THEN l.gone END AS owned FROM leads l');
SELECT * FROM flows('SELECT l.id, l.name, c.name AS customer FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND EXISTS (SELECT FROM activities a WHERE a.lead_id = l.id)');

-- Levels that aggregate, choose or mix rows.
SELECT * FROM flows('SELECT a.lead_id AS id, count(*) AS n, max(a.at) AS last, min(a.kind) AS kind FROM activities a GROUP BY a.lead_id');
SELECT * FROM flows('SELECT a.lead_id AS id, avg(a.at) AS mean, max(a.at) AS last, min(a.kind) AS kind FROM activities a GROUP BY a.lead_id');
SELECT * FROM flows('SELECT a.lead_id AS id, count(*) AS n, max(a.at) AS last FROM activities a GROUP BY a.lead_id HAVING min(a.kind) > ''a''');
SELECT * FROM flows('SELECT l.id, l.name, g.n, g.last, o.name AS owner FROM leads l LEFT JOIN (SELECT lead_id, count(*) AS n, max(at) AS last FROM activities GROUP BY lead_id) g ON g.lead_id = l.id LEFT JOIN owners o ON o.id = l.owner_id');
SELECT * FROM flows('SELECT l.id, l.name, g.n, g.last FROM leads l JOIN (SELECT lead_id, count(*) AS n, max(at) AS last FROM activities GROUP BY lead_id) g ON g.lead_id = l.id');
SELECT * FROM flows('SELECT l.id, l.name, g.last FROM leads l, LATERAL (SELECT max(a.at) AS last FROM activities a WHERE a.lead_id = l.id) g');
SELECT * FROM flows('SELECT l.id, l.name, g.last FROM leads l, LATERAL (SELECT max(a.at) AS last FROM activities a WHERE a.lead_id = l.id HAVING count(*) > 1) g');
SELECT * FROM flows('SELECT l.id, l.name, g.at, g.kind FROM leads l LEFT JOIN LATERAL (SELECT a.at, a.kind FROM activities a WHERE a.lead_id = l.id ORDER BY a.at DESC, a.id LIMIT 1) g ON true');
SELECT * FROM flows('SELECT l.id, l.name, g.at FROM leads l LEFT JOIN (SELECT DISTINCT ON (lead_id) lead_id, at, kind FROM activities ORDER BY lead_id, id) g ON g.lead_id = l.id');
SELECT * FROM flows('SELECT l.id, l.name, w.kind FROM leads l LEFT JOIN (SELECT lead_id, kind, row_number() OVER (PARTITION BY lead_id ORDER BY at, id) AS n FROM activities) w ON w.lead_id = l.id AND w.n = 1');
SELECT * FROM flows('SELECT id, name, region FROM customers UNION ALL SELECT id, name, state FROM samples s JOIN owners USING (id)');
SELECT * FROM flows('SELECT l.id, l.name, l.gone, u.n FROM leads l LEFT JOIN (SELECT lead_id, count(*) AS n FROM (SELECT lead_id, kind FROM activities UNION SELECT lead_id, state FROM samples) e GROUP BY lead_id) u ON u.lead_id = l.id');
SELECT * FROM flows('WITH w AS (SELECT lead_id, max(at) AS at FROM activities GROUP BY lead_id) SELECT l.id, l.name, l.gone, (SELECT at FROM w WHERE w.lead_id = l.id) AS last FROM leads l');
-- How often a row of a subquery comes, and in which order, matters to who counts or gathers it.
SELECT * FROM flows('SELECT l.id, l.name, l.gone, (SELECT count(*) FROM (SELECT a.kind FROM activities a LEFT JOIN samples s ON s.id = a.at WHERE a.lead_id = l.id) x) AS n FROM leads l');
SELECT * FROM flows('SELECT l.id, l.name, g.list FROM leads l, LATERAL (SELECT string_agg(x.kind, '','' ORDER BY x.kind, x.id) AS list FROM (SELECT a.id, a.kind FROM activities a LEFT JOIN samples s ON s.id = a.at AND s.latest WHERE a.lead_id = l.id) x) g');
-- Functions, elements of arrays, and an aggregate of the level above.
SELECT * FROM flows('SELECT l.id, l.name, u.e FROM leads l LEFT JOIN LATERAL unnest(ARRAY[l.gone]) u (e) ON true');
SELECT * FROM flows('SELECT o.id, o.name, (SELECT s.state FROM samples s WHERE s.id = max(l.created)) AS state FROM owners o LEFT JOIN leads l ON l.owner_id = o.id GROUP BY o.id', '{id}', '{"full": ["narrow.samples"]}');

-- Nested views, of which not all is used; what options follow.
CREATE VIEW last_activity AS SELECT lead_id, max(at) AS at, count(*) AS n, min(kind) AS kind FROM activities GROUP BY lead_id;
SELECT * FROM flows('SELECT v.id, v.name, v.customer, v.region, a.at FROM leads_of v LEFT JOIN last_activity a ON a.lead_id = v.id');
SELECT * FROM flows('SELECT l.id, l.name, c.name AS customer, (SELECT count(*) FROM owners o WHERE o.id > l.owner_id) AS n FROM leads l LEFT JOIN customers c ON c.id = l.customer_id',
    '{id}', '{"full": ["narrow.owners"], "mapping": {"narrow.customers": "SELECT l.id FROM changed c JOIN narrow.leads l ON l.customer_id = c.id"}}');

-- What is done: a column that cannot be computed while the trap is set, so that a write fails where the view is asked
-- for whole rows. It is no copy of a row's columns, which are patched.
CREATE FUNCTION trap(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN IF current_setting('narrow.trap', true) = 'set' THEN RAISE division_by_zero; END IF; RETURN $1 + 1; END $$;
-- Runs a statement with the trap, and again without it where it is sprung; then the table must equal its view. Passed
-- is the trap also where no row is left to be read.
CREATE FUNCTION how(INOUT statement text, OUT trap text, OUT differences text) LANGUAGE plpgsql AS
$$
BEGIN
    BEGIN
        SET narrow.trap = 'set';
        EXECUTE $1;
        PERFORM freshcrm.flush();
        trap := 'passed';
    EXCEPTION WHEN division_by_zero THEN
        SET narrow.trap = '';
        EXECUTE $1;
        trap := 'sprung';
    END;
    SET narrow.trap = '';
    PERFORM freshcrm.flush();
    SELECT string_agg(projection || ': ' || difference(projection), ', ') INTO differences FROM freshcrm.projections
    WHERE difference(projection) IS NOT NULL;
END
$$;
CREATE TABLE statements (n integer GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO statements (statement) VALUES
    ('INSERT INTO regions VALUES (''n'', ''North''), (''s'', ''South'')'),
    ('INSERT INTO customers SELECT g, ''c'' || g, CASE g % 3 WHEN 0 THEN ''n'' WHEN 1 THEN ''s'' END FROM generate_series(1, 6) g'),
    ('INSERT INTO owners SELECT g, ''o'' || g, g < 3 FROM generate_series(1, 3) g'),
    ('INSERT INTO leads SELECT g, ''l'' || g, 1 + g % 7, 1 + g % 3, g, g = 5 FROM generate_series(1, 10) g'),
    ('INSERT INTO activities SELECT g, 1 + g % 12, g, ''call'' FROM generate_series(1, 30) g'),
    ('INSERT INTO activities VALUES (100, 1, 100, ''mail'')'),
    ('UPDATE activities SET at = 50 WHERE id = 30'),
    ('UPDATE activities SET lead_id = 2 WHERE lead_id = 3'),
    ('UPDATE activities SET kind = ''x'' WHERE id % 5 = 0'),
    ('DELETE FROM activities WHERE lead_id = 2'),
    ('INSERT INTO samples SELECT g, 1 + g % 10, ''sent'', g % 2 = 0 FROM generate_series(1, 20) g'),
    ('UPDATE samples SET state = ''back'' WHERE id = 20'),
    ('UPDATE samples SET latest = NOT latest'),
    ('UPDATE customers SET name = ''renamed'' WHERE id = 2'),
    ('UPDATE customers SET name = name || ''!'''),
    ('UPDATE customers SET note = ''not read'''),
    ('UPDATE customers SET region = ''s'' WHERE id IN (3, 4)'),
    ('UPDATE customers SET id = 7 WHERE id = 6'),
    ('UPDATE regions SET name = ''Sud'' WHERE code = ''s'''),
    ('DELETE FROM regions WHERE code = ''n'''),
    ('DELETE FROM customers WHERE id = 1'),
    ('UPDATE leads SET customer_id = 4 WHERE id = 1'),
    ('UPDATE leads SET name = ''other'' WHERE id < 4'),
    ('UPDATE leads SET gone = NOT gone WHERE id IN (5, 6)'),
    ('UPDATE leads SET created = 1000 WHERE id = 2'),
    ('UPDATE leads SET owner_id = 2 WHERE id = 1'),
    ('UPDATE leads SET id = 20 WHERE id = 10'),
    ('UPDATE owners SET active = true WHERE id = 3'),
    ('UPDATE owners SET name = ''o'' WHERE id = 3'),
    ('WITH a AS (INSERT INTO activities VALUES (200, 4, 200, ''call'')) UPDATE customers SET name = ''both'' WHERE id = 4'),
    ('WITH a AS (INSERT INTO activities VALUES (201, 4, 201, ''call'')) UPDATE leads SET gone = NOT gone WHERE id = 4'),
    ('WITH a AS (INSERT INTO activities VALUES (202, 21, 202, ''call'')) INSERT INTO leads VALUES (21, ''new'', 4, 1, 0, false)'),
    ('DELETE FROM leads WHERE id = 4'),
    ('TRUNCATE samples');
CREATE VIEW cockpit AS
    SELECT l.id, l.name, c.name AS customer, r.name AS region, o.name AS owner, (SELECT trap(x.id) FROM leads x WHERE x.id = l.id) AS trapped,
           coalesce((SELECT max(a.at) FROM activities a WHERE a.lead_id = l.id AND a.kind <> 'x'), l.created) AS last,
           (SELECT s.state FROM samples s WHERE s.lead_id = l.id AND s.latest ORDER BY s.id DESC LIMIT 1) AS sample
    FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region
    LEFT JOIN owners o ON o.id = l.owner_id WHERE NOT l.gone AND EXISTS (SELECT FROM owners x WHERE x.id = l.owner_id AND x.active);
SELECT * FROM shown('cockpit', '{id}');
SELECT freshcrm.create_projection('cockpit', '{id}');
BEGIN;
SELECT h.* FROM statements s, how(s.statement) h ORDER BY n;
ROLLBACK;
-- In mode commit, and off.
SELECT freshcrm.alter_projection('cockpit_hot', mode => 'commit');
BEGIN;
SELECT h.* FROM statements s, how(s.statement) h WHERE n <= 12 ORDER BY n;
SELECT * FROM how($$UPDATE customers SET name = 'one'; UPDATE activities SET at = at + 1; DELETE FROM samples WHERE id = 20$$);
SELECT * FROM how($$UPDATE customers SET name = 'two'; UPDATE leads SET owner_id = 1 WHERE id = 1$$);
ROLLBACK;
SELECT freshcrm.alter_projection('cockpit_hot', mode => 'immediate');
BEGIN;
SET LOCAL freshcrm.patch = off;
SELECT h.trap, h.differences, count(*) FROM statements s, how(s.statement) h GROUP BY 1, 2 ORDER BY 1, 2;
ROLLBACK;
-- In mode async it is said what would be done.
SELECT freshcrm.alter_projection('cockpit_hot', mode => 'async');
SELECT DISTINCT applied -> 'INSERT' FROM freshcrm.explain_projection('cockpit_hot') WHERE base_table = 'activities'::regclass;
SELECT freshcrm.drop_projection('cockpit_hot');

-- A lateral, grouped and nested variety, with a composite key whose columns are not the first.
CREATE VIEW various AS
    SELECT trap(v.id) AS trapped, v.name, v.customer, v.region, v.id, g.n, a.at, a.kind, t.last, o.id AS owner, o.name AS owner_name
    FROM leads_of v JOIN leads l ON l.id = v.id JOIN owners o ON o.id = l.owner_id
    LEFT JOIN (SELECT lead_id, count(*) AS n FROM samples WHERE latest GROUP BY lead_id) g ON g.lead_id = v.id
    LEFT JOIN LATERAL (SELECT at, kind FROM activities x WHERE x.lead_id = v.id ORDER BY at DESC, x.id LIMIT 1) a ON true
    CROSS JOIN LATERAL (SELECT max(at) AS last FROM activities x WHERE x.lead_id = v.id) t;
SELECT freshcrm.create_projection('various', '{owner,id}');
BEGIN;
SELECT h.* FROM statements s, how(s.statement) h ORDER BY n;
ROLLBACK;

-- The whole row where only that is right: the table lacks it, or was written to by others.
INSERT INTO owners VALUES (1, 'o', true);
INSERT INTO leads VALUES (1, 'l', NULL, 1), (2, 'm', NULL, 1);
SELECT freshcrm.drop_projection('various_hot'), freshcrm.create_projection('various', '{owner,id}', options => '{"direct_writes": true}');
BEGIN;
DELETE FROM various_hot WHERE id = 1;
SELECT * FROM how('INSERT INTO activities VALUES (1, 1, 1, ''call''), (2, 2, 2, ''call'')');
UPDATE various_hot SET name = 'wrong' WHERE id = 1;
SELECT * FROM how('INSERT INTO activities VALUES (3, 1, 3, ''call'')');
-- Asked for, it is always the whole row.
SELECT * FROM how('SELECT freshcrm.recompute(''various_hot'', ARRAY[ROW(1, 1)])');
ROLLBACK;
SELECT freshcrm.drop_projection('various_hot');

-- A key that comes twice is found also where nothing is read of what makes it so.
CREATE TABLE notes (id integer PRIMARY KEY, lead_id integer, note text);
CREATE VIEW with_note AS SELECT l.id, l.name, n.note FROM leads l LEFT JOIN notes n ON n.lead_id = l.id;
CREATE VIEW without_note AS SELECT l.id, l.name, l.gone FROM leads l LEFT JOIN notes n ON n.lead_id = l.id;
SELECT freshcrm.create_projection('with_note', '{id}');
INSERT INTO notes VALUES (1, 1, 'one'), (2, 2, 'one');
UPDATE notes SET lead_id = 1 WHERE id = 2;
SELECT freshcrm.drop_projection('with_note_hot'), freshcrm.create_projection('without_note', '{id}');
INSERT INTO notes VALUES (3, 1, 'two');
TABLE notes;
SELECT freshcrm.drop_projection('without_note_hot');

-- More sets of columns than have statements of their own.
CREATE TABLE parts (id integer PRIMARY KEY, a integer, b integer, c integer, d integer, e integer);
CREATE VIEW whole AS SELECT id, a, b, c, d, e, (SELECT trap(x.id) FROM parts x WHERE x.id = p.id) AS trapped FROM parts p;
SELECT freshcrm.create_projection('whole', '{id}');
INSERT INTO parts SELECT g, 0, 0, 0, 0, 0 FROM generate_series(1, 3) g;
SELECT trap, differences, count(*)
FROM generate_series(1, 31) g,
    how(format('UPDATE parts SET a = a + %s, b = b + %s, c = c + %s, d = d + %s, e = e + %s', g & 1, g & 2, g & 4, g & 8, g & 16))
GROUP BY 1, 2 ORDER BY 1;
DROP SCHEMA narrow CASCADE;
DROP FUNCTION difference(regclass);
