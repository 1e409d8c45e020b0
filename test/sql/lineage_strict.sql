-- Outer joins that a strict condition makes inner, so that a key may stand on their nullable side and rows be
-- followed through it: as lineage.sql.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set file :srcdir '/include/workload.sql'
\i :file
\set ECHO queries
SET client_min_messages = warning;

-- Some rows are matched by ids only where these are the same numbers.
INSERT INTO workload (statement) VALUES
    ($$INSERT INTO leads SELECT g, g % 5, g % 4, (ARRAY['new','open','won'])[1 + g % 3]::stage, 'l' || g, g FROM generate_series(1, 9) g$$),
    ($$INSERT INTO owners SELECT g, 'o' || g, g % 3 FROM generate_series(0, 5) g$$),
    ($$INSERT INTO activities SELECT g, g % 9, 'call', timestamp '2026-01-01' + g * interval '1 day' FROM generate_series(1, 20) g$$),
    ($$INSERT INTO samples SELECT g, g % 6, 'sent', g % 2 = 0 FROM generate_series(1, 12) g$$),
    ($$UPDATE samples SET lead_id = NULL WHERE id = 3$$),
    ($$UPDATE samples SET state = NULL WHERE id IN (2, 4)$$),
    ($$UPDATE customers SET parent_id = id - 1 WHERE id > 2$$),
    ($$DELETE FROM customers WHERE id = 4$$),
    ($$UPDATE leads SET customer_id = NULL WHERE id = 6$$),
    ($$UPDATE leads SET owner_id = 2 WHERE id IN (6, 7)$$),
    ($$UPDATE owners SET id = 30 WHERE id = 2$$),
    ($$UPDATE customers SET id = 40 WHERE id = 3$$),
    ($$DELETE FROM activities WHERE id % 4 = 0$$),
    ($$DELETE FROM samples WHERE id % 4 = 1$$),
    ($$DELETE FROM leads WHERE id IN (1, 2)$$),
    ($$TRUNCATE leads, owners, activities, samples$$);

CREATE TABLE shapes (n integer GENERATED ALWAYS AS IDENTITY, shape text, key name[], query text);
INSERT INTO shapes (shape, key, query) VALUES
    ('an inner join above', '{id}',
        'SELECT c.id, c.name, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id JOIN samples s ON s.lead_id = c.id GROUP BY c.id'),
    ('an inner join above, one row', '{id,lead}',
        'SELECT c.id, l.id AS lead, o.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id JOIN owners o ON o.id = c.parent_id'),
    ('IS NOT NULL', '{id}',
        'SELECT c.id, count(*), max(l.amount) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.id IS NOT NULL GROUP BY c.id'),
    ('a comparison', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.name > ''c2'' GROUP BY c.id'),
    ('either of two', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.name = ''renamed'' OR c.region = ''n'' OR c.id IN (1, 2) GROUP BY c.id'),
    ('a function', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE lower(c.name) LIKE ''c%'' AND l.amount > 1 GROUP BY c.id'),
    ('IS TRUE', '{id}',
        'SELECT s.id, l.label FROM leads l LEFT JOIN samples s ON s.lead_id = l.id WHERE s.latest IS TRUE'),
    ('a boolean column', '{id}',
        'SELECT s.id, l.label FROM leads l LEFT JOIN samples s ON s.lead_id = l.id WHERE NOT s.latest'),
    ('a right join', '{id}',
        'SELECT c.id, count(*) FROM customers c RIGHT JOIN leads l ON c.id = l.customer_id WHERE c.id > 0 GROUP BY c.id'),
    ('outer joins in each other', '{id}',
        'SELECT o.id, count(*) FROM leads l LEFT JOIN (customers c LEFT JOIN owners o ON o.id = c.parent_id) ON c.id = l.customer_id WHERE o.name >= ''a'' GROUP BY o.id'),
    ('outer joins one after the other', '{id}',
        'SELECT o.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN owners o ON o.id = c.parent_id WHERE o.id IS NOT NULL GROUP BY o.id'),
    ('by an ON clause', '{id}',
        'SELECT l.id, x.n FROM leads l LEFT JOIN (SELECT c.id, count(*) AS n FROM samples s LEFT JOIN customers c ON c.id = s.lead_id GROUP BY c.id) x ON x.id = l.customer_id'),
    ('by an ON clause, of a join', '{id}',
        'SELECT l.id, o.name FROM leads l LEFT JOIN (samples s LEFT JOIN owners o ON o.id = s.lead_id) ON o.id = l.owner_id AND s.id = l.id'),
    ('a full join made left', '{id}',
        'SELECT c.id, c.name, o.name AS owner FROM customers c FULL JOIN owners o ON o.id = c.id WHERE c.name IS NOT NULL'),
    ('a full join made right', '{id}',
        'SELECT o.id, c.name, o.name AS owner FROM customers c FULL JOIN owners o ON o.id = c.id WHERE o.id >= 0'),
    ('a full join made inner', '{id,owner}',
        'SELECT c.id, o.id AS owner FROM customers c FULL JOIN owners o ON o.id = c.id WHERE o.name > '''' AND c.name > '''''),
    ('USING', '{id}',
        'SELECT id, c.name, s.lead_id FROM customers c LEFT JOIN samples s USING (id) WHERE s.lead_id > 0'),
    ('the column of a join', '{n}',
        'SELECT j.n, count(*) FROM (leads l LEFT JOIN customers c ON c.id = l.customer_id) AS j (a, b, d, e, f, g, h, i, n) WHERE j.n IS NOT NULL GROUP BY j.n'),
    ('out of a subquery', '{id}',
        'SELECT x.id, x.n FROM (SELECT c.id, count(*) AS n FROM leads l LEFT JOIN customers c ON c.id = l.customer_id GROUP BY c.id) x WHERE x.id IS NOT NULL'),
    ('out of subqueries in each other', '{id}',
        'SELECT y.id, y.t FROM (SELECT x.i AS id, x.m AS t FROM (SELECT c.id + 1 AS i, max(l.label) AS m FROM leads l LEFT JOIN customers c ON c.id = l.customer_id GROUP BY c.id + 1) x) y WHERE y.id < 5'),
    ('out of WITH, which another place reads, too', '{id}',
        'WITH x AS (SELECT c.id, l.id AS lead FROM leads l LEFT JOIN customers c ON c.id = l.customer_id) SELECT x.id, count(*), (SELECT count(*) FROM x y WHERE y.lead = x.id) AS unfiltered FROM x WHERE x.id > 0 GROUP BY x.id'),
    ('out of a set operation', '{id}',
        'SELECT x.id, count(*) FROM (SELECT c.id, l.label::text FROM leads l LEFT JOIN customers c ON c.id = l.customer_id UNION ALL SELECT o.id, o.name FROM samples s LEFT JOIN owners o ON o.id = s.lead_id) x WHERE x.id IS NOT NULL GROUP BY x.id'),
    ('out of EXCEPT', '{id}',
        'SELECT x.id FROM (SELECT c.id FROM leads l LEFT JOIN customers c ON c.id = l.customer_id EXCEPT SELECT o.id FROM samples s LEFT JOIN owners o ON o.id = s.lead_id) x WHERE x.id IS NOT NULL'),
    ('out of a window', '{id}',
        'SELECT x.id, x.label FROM (SELECT c.id, l.label, row_number() OVER (PARTITION BY c.id ORDER BY l.id) AS n FROM leads l LEFT JOIN customers c ON c.id = l.customer_id) x WHERE x.id IS NOT NULL AND x.n = 1'),
    ('out of DISTINCT ON', '{id}',
        'SELECT x.id, x.label FROM (SELECT DISTINCT ON (c.id) c.id, l.label FROM leads l LEFT JOIN customers c ON c.id = l.customer_id ORDER BY c.id, l.id) x WHERE x.id IS NOT NULL'),
    ('grouped, with conditions on both sides', '{region}',
        'SELECT x.region, x.n FROM (SELECT c.region, count(*) AS n FROM samples s LEFT JOIN leads l ON l.id = s.lead_id LEFT JOIN customers c ON c.id = l.customer_id GROUP BY c.region) x JOIN regions r ON r.code = x.region');
SELECT shape, e.* FROM shapes, LATERAL exercise(shape, key, query) e ORDER BY n;

-- Nested views.
CREATE VIEW nested AS SELECT c.id, l.id AS lead, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
CREATE VIEW united AS SELECT id, name FROM nested UNION ALL SELECT o.id, o.name FROM samples s LEFT JOIN owners o ON o.id = s.lead_id;
SELECT e.* FROM exercise('a nested view', '{id}', 'SELECT id, count(*), max(name) FROM nested WHERE id > 0 GROUP BY id') e;
SELECT e.* FROM exercise('one of a set operation', '{id}', 'SELECT id, count(*), max(name) FROM united WHERE id > 0 GROUP BY id') e;

-- What lets a null-extended row through.
CREATE TABLE refused (n integer GENERATED ALWAYS AS IDENTITY, shape text, key name[], query text);
INSERT INTO refused (shape, key, query) VALUES
    ('a condition that holds for NULL', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE coalesce(c.id, 1) > 0 GROUP BY c.id'),
    ('one of two conditions', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.id > 0 OR l.id > 0 GROUP BY c.id'),
    ('a condition on the other side', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE l.customer_id > 0 GROUP BY c.id'),
    ('IS NOT TRUE', '{id}',
        'SELECT s.id, l.label FROM leads l LEFT JOIN samples s ON s.lead_id = l.id WHERE s.latest IS NOT TRUE'),
    ('IS NOT DISTINCT FROM', '{id}',
        'SELECT s.id, l.label FROM leads l LEFT JOIN samples s ON s.lead_id = l.id WHERE s.id IS NOT DISTINCT FROM l.id'),
    ('an outer join above', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN owners o ON o.id = c.id GROUP BY c.id'),
    ('its own ON clause', '{id}',
        'SELECT c.id, count(*) FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND c.id > 0 GROUP BY c.id'),
    ('one side of a full join', '{id}',
        'SELECT o.id, c.name FROM customers c FULL JOIN owners o ON o.id = c.id WHERE c.name > '''''),
    ('not the column that is grouped by', '{id}',
        'SELECT x.id, x.n FROM (SELECT c.id, max(c.name) AS n FROM leads l LEFT JOIN customers c ON c.id = l.customer_id GROUP BY c.id) x WHERE x.n > '''''),
    ('not the column that is partitioned by', '{lead}',
        'SELECT x.lead, x.n FROM (SELECT l.id AS lead, c.id, count(*) OVER (PARTITION BY l.customer_id) AS n FROM leads l LEFT JOIN customers c ON c.id = l.customer_id) x WHERE x.id > 0'),
    ('through LIMIT', '{id}',
        'SELECT x.id, x.label FROM (SELECT c.id, l.label FROM leads l LEFT JOIN customers c ON c.id = l.customer_id ORDER BY l.id LIMIT 3) x WHERE x.id > 0'),
    ('a row that LIMIT left out for another', '{id}',
        'SELECT o.id, x.k FROM owners o CROSS JOIN LATERAL (SELECT s.id AS k FROM activities a LEFT JOIN samples s ON s.id = a.id AND s.lead_id = o.id ORDER BY a.id LIMIT 1) x WHERE x.k IS NOT NULL'),
    ('through a set operation that converts', '{id}',
        'SELECT x.id, count(*) FROM (SELECT c.id FROM leads l LEFT JOIN customers c ON c.id = l.customer_id UNION ALL SELECT big FROM customers) x WHERE x.id > 0 GROUP BY x.id');
CREATE FUNCTION reason(query text, key name[]) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    detail text;
BEGIN
    EXECUTE 'CREATE VIEW shape AS ' || query;
    PERFORM freshcrm.create_projection('shape', key);
    RAISE EXCEPTION 'NOT REFUSED';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s: %s', SQLSTATE, SQLERRM, detail);
END
$$;
SELECT shape, reason(query, key) FROM refused ORDER BY n;

DROP SCHEMA crm CASCADE;
DROP FUNCTION difference(regclass);
