-- Joins and sublinks: the shapes of view that lineage traces, each with a workload that changes every base
-- table in every way; after each statement the table must equal the view.
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
    ('one table', '{id}', 'SELECT id, stage, label, amount FROM leads'),
    ('filter', '{id}', $$SELECT id, label FROM leads WHERE stage = 'won' AND amount > 3$$),
    ('inner join', '{id}', 'SELECT l.id, c.name FROM leads l JOIN customers c ON c.id = l.customer_id'),
    ('inner join, in WHERE', '{id}', 'SELECT l.id, c.name FROM leads l, customers c WHERE l.customer_id = c.id'),
    ('inner join, USING', '{id}',
        'SELECT l.id, c.name, customer_id FROM leads l JOIN (SELECT id AS customer_id, name FROM customers) c USING (customer_id)'),
    ('left join', '{id}', 'SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id'),
    ('left join with more in ON', '{id}',
        $$SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND c.region = 's' AND l.amount > 2$$),
    ('right join', '{id}', 'SELECT l.id, c.name FROM customers c RIGHT JOIN leads l ON c.id = l.customer_id'),
    ('chain of left joins', '{id}',
        'SELECT l.id, c.name, r.name AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region'),
    ('left join of a join', '{id}',
        'SELECT l.id, o.name, t.name AS team FROM leads l LEFT JOIN (owners o JOIN teams t ON t.id = o.team_id) ON o.id = l.owner_id'),
    ('anti join', '{id}',
        'SELECT l.id, l.label FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.id IS NULL'),
    ('self join', '{id}',
        'SELECT c.id, c.name, p.name AS parent, g.name AS grandparent FROM customers c LEFT JOIN customers p ON p.id = c.parent_id LEFT JOIN customers g ON g.id = p.parent_id'),
    ('key of another table', '{owner}',
        'SELECT o.id AS owner, o.name, t.name AS team FROM owners o JOIN teams t ON t.id = o.team_id'),
    ('key equal to another column', '{lead}',
        'SELECT l.id AS lead, s.state FROM leads l JOIN samples s ON s.id = l.id WHERE s.lead_id > 2'),
    ('equality of other types', '{id}',
        'SELECT l.id, s.state FROM leads l LEFT JOIN samples s ON s.lead_id = l.id AND s.id = l.id'),
    ('equality of other types, two hops', '{id}',
        'SELECT l.id, d.name FROM leads l JOIN customers c ON c.id = l.customer_id LEFT JOIN customers d ON d.big = c.id AND d.id = c.big'),
    ('scalar subquery, max', '{id}',
        'SELECT l.id, (SELECT max(a.at) FROM activities a WHERE a.lead_id = l.id AND a.deleted_at IS NULL) AS last FROM leads l'),
    ('scalar subquery, latest', '{id}',
        'SELECT l.id, (SELECT s.state FROM samples s WHERE s.lead_id = l.id AND s.latest ORDER BY s.id DESC LIMIT 1) AS state FROM leads l'),
    ('scalar subquery, aggregates and HAVING', '{id}',
        'SELECT l.id, (SELECT count(*) FILTER (WHERE a.kind = ''call'') FROM activities a WHERE l.id = a.lead_id HAVING count(*) > 1) AS calls FROM leads l'),
    ('scalar subquery with DISTINCT and GROUP BY', '{id}',
        'SELECT l.id, (SELECT count(DISTINCT a.kind) FROM activities a WHERE a.lead_id = l.id) AS kinds, (SELECT a.kind FROM activities a WHERE a.lead_id = l.id GROUP BY a.kind ORDER BY count(*) DESC, a.kind LIMIT 1) AS usual FROM leads l'),
    ('scalar subquery over a join', '{id}',
        'SELECT c.id, (SELECT max(a.at) FROM activities a JOIN leads l ON l.id = a.lead_id WHERE l.customer_id = c.id) AS last FROM customers c'),
    ('scalar subquery with a left join', '{id}',
        'SELECT c.id, (SELECT count(a.id) + count(*) FROM leads l LEFT JOIN activities a ON a.lead_id = l.id AND a.kind = ''mail'' WHERE l.customer_id = c.id) AS n FROM customers c'),
    ('scalar subquery on the nullable side', '{id}',
        'SELECT l.id, c.name, (SELECT r.name FROM regions r WHERE r.code = c.region) AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id'),
    ('scalar subquery in a subquery', '{id}',
        'SELECT c.id, (SELECT sum(l.amount * (SELECT count(*) FROM activities a WHERE a.lead_id = l.id)) FROM leads l WHERE l.customer_id = c.id) AS weight FROM customers c'),
    ('subqueries beside an aggregate over nothing', '{id}',
        'SELECT k.id, (SELECT count(*) + coalesce((SELECT max(m.id) FROM samples m WHERE m.lead_id = o.id), 0) FROM activities a WHERE a.lead_id = o.id AND a.id = k.id) AS n, (SELECT count(*) FROM activities a WHERE a.lead_id = o.id AND a.id = k.id HAVING EXISTS (SELECT FROM samples m WHERE m.lead_id = o.id)) AS h FROM leads k JOIN owners o ON o.id = k.owner_id'),
    ('subquery inside an aggregate', '{id}',
        'SELECT k.id, (SELECT sum((SELECT count(*) FROM samples m WHERE m.lead_id = a.id)) FROM activities a WHERE a.lead_id = k.id) AS n FROM leads k'),
    ('subquery linked to the outermost query', '{id}',
        'SELECT c.id, (SELECT count(*) FROM leads l WHERE l.customer_id = c.id AND EXISTS (SELECT FROM customers d WHERE d.parent_id = c.id)) AS n FROM customers c'),
    ('EXISTS and NOT EXISTS in WHERE', '{id}',
        'SELECT l.id FROM leads l WHERE EXISTS (SELECT FROM activities a WHERE a.lead_id = l.id AND a.kind = ''call'') AND NOT EXISTS (SELECT FROM samples s WHERE s.lead_id = l.id AND s.latest)'),
    ('EXISTS in ON', '{id}',
        'SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND EXISTS (SELECT FROM regions r WHERE r.code = c.region)'),
    ('ARRAY subquery', '{id}',
        'SELECT l.id, ARRAY(SELECT a.kind FROM activities a WHERE a.lead_id = l.id ORDER BY a.id) AS kinds FROM leads l'),
    ('whole-row reference', '{id}', 'SELECT l.id, (SELECT c FROM customers c WHERE c.id = l.customer_id) AS c FROM leads l'),
    ('subqueries in FROM', '{id}',
        'SELECT x.id, y.name FROM (SELECT l.id, l.customer_id AS c FROM leads l WHERE l.amount > 1) x LEFT JOIN (SELECT c.id AS i, c.name FROM customers c JOIN regions r ON r.code = c.region) y ON y.i = x.c'),
    ('enum and domain', '{id}', 'SELECT a.id, b.label, b.stage FROM leads a LEFT JOIN leads b ON b.label = a.label AND b.stage = a.stage AND b.id = a.id');

-- A nested view, and a projection of a view over it.
CREATE VIEW lead_customers AS
    SELECT l.id AS lead_id, c.id AS customer_id, c.name, c.region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
CREATE VIEW lead_regions AS SELECT v.*, r.name AS region_name FROM lead_customers v LEFT JOIN regions r ON r.code = v.region;
INSERT INTO shapes VALUES
    ('nested views', '{lead}', 'SELECT v.lead_id AS lead, v.name, v.region_name, (SELECT count(*) FROM samples s WHERE s.lead_id = v.lead_id) AS samples FROM lead_regions v');

SELECT s.shape, e.* FROM shapes s, LATERAL exercise(s.shape, s.key, s.query) e;

-- The comparison is able to fail: without the triggers of one table it does.
SELECT shape, result FROM shapes s, LATERAL exercise(s.shape, s.key, s.query, 'ALTER TABLE customers DISABLE TRIGGER USER') e
WHERE shape IN ('inner join', 'left join', 'self join');

DROP SCHEMA crm CASCADE;
DROP FUNCTION difference(regclass);
