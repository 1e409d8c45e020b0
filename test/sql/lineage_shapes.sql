-- Aggregates, set operations, common table expressions and the rest: as lineage.sql.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set file :srcdir '/include/workload.sql'
\i :file
\set ECHO queries
SET client_min_messages = warning;

CREATE TABLE shapes (shape text, key name[], query text);
INSERT INTO shapes VALUES
    ('GROUP BY', '{customer_id}',
        'SELECT customer_id, count(*), sum(amount), max(stage) FROM leads WHERE customer_id IS NOT NULL GROUP BY customer_id'),
    ('GROUP BY over joins', '{id}',
        'SELECT c.id, count(a.id) AS n, count(*) FILTER (WHERE a.kind = ''call'') AS calls, array_agg(a.kind ORDER BY a.id) AS kinds
         FROM customers c LEFT JOIN leads l ON l.customer_id = c.id LEFT JOIN activities a ON a.lead_id = l.id GROUP BY c.id'),
    ('GROUP BY and HAVING', '{owner_id}',
        'SELECT owner_id, avg(amount) FROM leads WHERE owner_id > 0 GROUP BY owner_id HAVING count(*) > 2 AND EXISTS (SELECT FROM owners o WHERE o.id = owner_id)'),
    ('ordered-set and json aggregates', '{customer_id}',
        'SELECT customer_id, percentile_disc(0.5) WITHIN GROUP (ORDER BY id) AS middle, json_agg(id ORDER BY id)::text AS ids FROM leads WHERE customer_id > 0 GROUP BY customer_id'),
    ('json of rows and times', '{id}',
        'SELECT l.id, (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM activities a WHERE a.lead_id = l.id) AS activities, jsonb_build_object(''stage'', l.stage, ''label'', l.label) AS own, concat_ws('' '', l.id, l.label) AS title FROM leads l'),
    ('join of an aggregate', '{id}',
        'SELECT c.id, c.name, s.n FROM customers c LEFT JOIN (SELECT customer_id, count(*) AS n FROM leads GROUP BY customer_id) s ON s.customer_id = c.id'),
    ('aggregate of an aggregate', '{region}',
        'SELECT c.region, sum(s.n) AS n FROM customers c JOIN (SELECT customer_id, count(*) AS n FROM leads GROUP BY customer_id) s ON s.customer_id = c.id WHERE c.region IS NOT NULL GROUP BY c.region'),
    ('GROUP BY an expression', '{day}',
        'SELECT date_trunc(''month'', at) AS day, count(*), max(id) FROM activities WHERE at IS NOT NULL GROUP BY date_trunc(''month'', at)'),
    ('GROUP BY the key of a joined table', '{name}',
        'SELECT r.name, count(*) FROM regions r JOIN customers c ON c.region = r.code JOIN leads l ON l.customer_id = c.id WHERE r.name IS NOT NULL GROUP BY r.name'),
    ('DISTINCT', '{customer_id}', 'SELECT DISTINCT customer_id FROM leads WHERE customer_id IS NOT NULL'),
    ('DISTINCT ON', '{lead_id}',
        'SELECT DISTINCT ON (lead_id) lead_id, id, kind, at FROM activities WHERE lead_id IS NOT NULL ORDER BY lead_id, at DESC NULLS LAST, id'),
    ('LATERAL, the latest', '{id}',
        'SELECT l.id, s.state, s.latest FROM leads l LEFT JOIN LATERAL (SELECT * FROM samples s WHERE s.lead_id = l.id ORDER BY s.id DESC LIMIT 1) s ON true'),
    ('LATERAL aggregate', '{id}',
        'SELECT l.id, x.n, x.last FROM leads l CROSS JOIN LATERAL (SELECT count(*) AS n, max(at) AS last FROM activities a WHERE a.lead_id = l.id) x'),
    ('LATERAL in LATERAL', '{id}',
        'SELECT c.id, x.n FROM customers c, LATERAL (SELECT sum(y.n) AS n FROM leads l, LATERAL (SELECT count(*) AS n FROM activities a WHERE a.lead_id = l.id) y WHERE l.customer_id = c.id) x'),
    ('WITH, used once', '{id}',
        'WITH w AS (SELECT lead_id, count(*) AS n FROM activities GROUP BY lead_id) SELECT l.id, w.n FROM leads l LEFT JOIN w ON w.lead_id = l.id'),
    ('WITH, used twice and in a subquery', '{id}',
        'WITH w AS (SELECT customer_id, count(*) AS n FROM leads GROUP BY customer_id) SELECT c.id, w.n, (SELECT w2.n FROM w w2 WHERE w2.customer_id = c.parent_id) AS of_parent FROM customers c LEFT JOIN w ON w.customer_id = c.id'),
    ('WITH MATERIALIZED over WITH', '{id}',
        'WITH a AS (SELECT * FROM leads WHERE amount > 1), b AS MATERIALIZED (SELECT customer_id, max(amount) AS top FROM a GROUP BY customer_id) SELECT c.id, b.top FROM customers c JOIN b ON b.customer_id = c.id'),
    ('IN', '{id}', 'SELECT id, label FROM leads WHERE customer_id IN (SELECT c.id FROM customers c JOIN regions r ON r.code = c.region WHERE r.name <> ''Sud'')'),
    ('= ANY of a subquery, with OR', '{id}', 'SELECT id, stage FROM leads WHERE stage = ''won'' OR id = ANY (SELECT lead_id FROM samples WHERE latest)'),
    ('IN over an aggregate', '{id}', 'SELECT id FROM customers WHERE id IN (SELECT customer_id FROM leads GROUP BY customer_id HAVING count(*) > 1)'),
    ('IN of two columns', '{id}', 'SELECT id, name FROM customers WHERE (id, big) IN (SELECT customer_id, owner_id FROM leads)'),
    ('NOT IN, correlated', '{id}', 'SELECT l.id FROM leads l WHERE ''call'' NOT IN (SELECT a.kind FROM activities a WHERE a.lead_id = l.id AND a.kind IS NOT NULL)'),
    ('ALL, correlated', '{id}', 'SELECT l.id, l.amount > ALL (SELECT m.amount FROM leads m WHERE m.customer_id = l.customer_id AND m.id <> l.id) AS best FROM leads l'),
    ('UNION ALL', '{key}',
        'SELECT id AS key, name, NULL::text AS region FROM customers WHERE id < 4 UNION ALL SELECT c.id, c.name, r.name FROM customers c JOIN regions r ON r.code = c.region WHERE c.id >= 4'),
    ('UNION', '{person}', 'SELECT owner_id AS person FROM leads WHERE owner_id > 0 UNION SELECT id FROM owners UNION SELECT parent_id FROM customers WHERE parent_id > 0'),
    ('INTERSECT', '{id}', 'SELECT customer_id AS id FROM leads WHERE stage = ''won'' INTERSECT SELECT id FROM customers'),
    ('EXCEPT', '{id}', 'SELECT id FROM customers EXCEPT SELECT l.customer_id FROM leads l JOIN activities a ON a.lead_id = l.id EXCEPT ALL SELECT 2'),
    ('join with a UNION ALL', '{id}',
        'SELECT l.id, l.label, (SELECT count(*) FROM (SELECT lead_id, at FROM activities UNION ALL SELECT s.lead_id::integer, NULL FROM samples s) u WHERE u.lead_id = l.id) AS n FROM leads l'),
    ('UNION ALL of aggregates, joined', '{id}',
        'SELECT c.id, sum(u.n) AS n FROM customers c JOIN (SELECT customer_id AS c, count(*) AS n FROM leads GROUP BY customer_id UNION ALL SELECT parent_id, 1 FROM customers) u ON u.c = c.id GROUP BY c.id'),
    ('window functions', '{id}',
        'SELECT x.id, x.pos, x.total FROM (SELECT id, customer_id, row_number() OVER w AS pos, sum(amount) OVER (PARTITION BY customer_id, id) AS total FROM leads WINDOW w AS (PARTITION BY id ORDER BY amount)) x'),
    ('window, one row of each partition', '{customer_id}',
        'SELECT customer_id, id, amount FROM (SELECT customer_id, id, amount, row_number() OVER (PARTITION BY customer_id ORDER BY amount DESC NULLS LAST, id) AS n FROM leads WHERE customer_id > 0) x WHERE n = 1'),
    ('array, = ANY', '{id}', 'SELECT c.id, (SELECT string_agg(r.name, '','' ORDER BY r.code) FROM regions r WHERE r.name = ANY (c.tags)) AS named FROM customers c'),
    ('array, from its elements', '{code}', 'SELECT r.code, (SELECT count(*) FROM customers c WHERE r.name = ANY (c.tags)) AS n FROM regions r'),
    ('unnest', '{id}', 'SELECT c.id, (SELECT count(*) FROM unnest(c.tags) AS t(tag) JOIN regions r ON r.name = t.tag) AS n FROM customers c'),
    ('jsonb', '{id}', 'SELECT c.id, c.facts ->> ''region'' AS region, (SELECT count(*) FROM owners o WHERE o.id = (c.facts -> ''region'')::integer) AS n, c.facts @> ''{"list": [3]}'' AS three FROM customers c'),
    ('generated column', '{id}', 'SELECT l.id, l.doubled, (SELECT count(*) FROM leads m WHERE m.doubled = l.doubled) AS n FROM leads l'),
    ('composite key', '{owner_id,customer_id}',
        'SELECT owner_id, customer_id, count(*) AS n, max(stage) AS stage FROM leads WHERE owner_id > 0 AND customer_id > 0 GROUP BY owner_id, customer_id'),
    ('composite key over two tables', '{customer,kind}',
        'SELECT l.customer_id AS customer, a.kind, count(*), max(a.at) FROM leads l JOIN activities a ON a.lead_id = l.id WHERE l.customer_id > 0 GROUP BY l.customer_id, a.kind'),
    ('composite key of a join with itself', '{a,b}', 'SELECT x.id AS a, y.id AS b FROM leads x JOIN leads y ON y.customer_id = x.customer_id'),
    ('composite key of three tables', '{lead,customer,activity}', 'SELECT l.id AS lead, c.id AS customer, a.id AS activity, c.name FROM leads l JOIN customers c ON c.id = l.customer_id JOIN activities a ON a.lead_id = l.id'),
    ('composite join', '{id}', 'SELECT l.id, m.id AS other FROM leads l LEFT JOIN samples s ON s.lead_id = l.id AND s.id = l.customer_id LEFT JOIN leads m ON m.customer_id = l.customer_id AND m.owner_id = l.owner_id AND m.id = s.id'),
    ('expression key', '{name}', 'SELECT lower(name) || id AS name, region FROM customers WHERE name IS NOT NULL'),
    ('expression join', '{id}', 'SELECT r.code AS id, (SELECT count(*) FROM customers c WHERE lower(c.region) = lower(r.code)) AS n FROM regions r'),
    ('text key of another type', '{code}', 'SELECT r.code, (SELECT max(c.id) FROM customers c WHERE c.region = r.code) AS last FROM regions r'),
    ('key of enum type', '{stage}', 'SELECT stage, count(*) FROM leads WHERE stage IS NOT NULL GROUP BY stage'),
    ('key of numeric type', '{amount}', 'SELECT amount, count(*) FROM leads WHERE amount IS NOT NULL GROUP BY amount'),
    ('key of date type', '{day}', 'SELECT at::date AS day, count(*), max(kind) FROM activities WHERE at IS NOT NULL GROUP BY at::date'),
    ('VALUES and a function in FROM', '{id}', 'SELECT l.id, v.word, g FROM leads l JOIN (VALUES (''new''::stage, ''fresh''), (''won'', ''done'')) v(stage, word) ON v.stage = l.stage CROSS JOIN generate_series(1, 1) g');

SELECT s.shape, e.* FROM shapes s, LATERAL exercise(s.shape, s.key, s.query) e;

-- Both rows that a key comes from go in one statement, and the target's columns have other names.
CREATE TABLE pairs (id integer PRIMARY KEY, g integer);
CREATE VIEW paired AS SELECT a.id AS a, b.id AS b FROM pairs a JOIN pairs b ON b.g = a.g;
INSERT INTO pairs VALUES (1, 1), (2, 1), (3, 2);
SELECT freshcrm.create_projection('paired', '{a,b}');
ALTER TABLE paired_hot RENAME COLUMN a TO first;
ALTER VIEW paired RENAME COLUMN b TO second;
SELECT count(*) FROM paired_hot;
DELETE FROM pairs WHERE id < 3;
SELECT first, b FROM paired_hot;
SELECT * FROM freshcrm.verify_projection('paired_hot');

DROP SCHEMA crm CASCADE;
DROP FUNCTION difference(regclass);
