-- Every shape of view that lineage traces: each statement of a workload that changes every base table in
-- every way must leave the table equal to the view.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
\set ECHO queries

CREATE SCHEMA crm;
SET search_path = crm, public;
CREATE TYPE stage AS ENUM ('new', 'open', 'won');
CREATE DOMAIN label AS text;
CREATE TABLE regions (code varchar(10) PRIMARY KEY, name text);
CREATE TABLE customers (id integer PRIMARY KEY, name text, region varchar(10), parent_id integer,
                        big bigint, notes text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner_id integer, stage stage,
                    label label, amount numeric, notes text);
CREATE TABLE activities (id integer PRIMARY KEY, lead_id integer, kind text, at timestamp,
                         deleted_at timestamp);
CREATE TABLE samples (id integer PRIMARY KEY, lead_id bigint, state text, latest boolean);
CREATE TABLE owners (id integer PRIMARY KEY, name text, team_id integer);
CREATE TABLE teams (id integer PRIMARY KEY, name text);

CREATE TABLE workload (n integer GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO workload (statement) VALUES
    ($$INSERT INTO regions VALUES ('n', 'North'), ('s', 'South')$$),
    ($$INSERT INTO teams VALUES (1, 'red'), (2, 'blue')$$),
    ($$INSERT INTO owners VALUES (1, 'ann', 1), (2, 'bob', 2), (3, 'cid', NULL)$$),
    ($$INSERT INTO customers SELECT g, 'c' || g, CASE g % 3 WHEN 0 THEN 'n' WHEN 1 THEN 's' END,
        nullif(g / 2, 0), g FROM generate_series(1, 6) g$$),
    ($$INSERT INTO leads SELECT g, 1 + g % 7, 1 + g % 4, (ARRAY['new','open','won'])[1 + g % 3]::stage,
        'l' || g, g * 1.10 FROM generate_series(1, 12) g$$),
    ($$INSERT INTO activities SELECT g, 1 + g % 14, (ARRAY['call','mail'])[1 + g % 2],
        timestamp '2026-01-01' + g * interval '1 day' FROM generate_series(1, 40) g$$),
    ($$INSERT INTO samples SELECT g, 1 + g % 9, 'sent', g % 2 = 0 FROM generate_series(1, 20) g$$),
    ($$UPDATE regions SET name = 'Nord' WHERE code = 'n'$$),
    ($$UPDATE regions SET code = 'x' WHERE code = 's'$$),
    ($$INSERT INTO regions VALUES ('s', 'Sud')$$),
    ($$UPDATE teams SET name = 'green' WHERE id = 2$$),
    ($$UPDATE teams SET id = 3 WHERE id = 1$$),
    ($$UPDATE owners SET team_id = 3 WHERE id = 3$$),
    ($$UPDATE owners SET name = 'dora' WHERE id = 1$$),
    ($$UPDATE owners SET id = 4 WHERE id = 2$$),
    ($$UPDATE customers SET name = 'renamed' WHERE id = 3$$),
    ($$UPDATE customers SET parent_id = 4 WHERE id IN (2, 3)$$),
    ($$UPDATE customers SET parent_id = NULL WHERE id = 5$$),
    ($$UPDATE customers SET region = 'x'$$),
    ($$UPDATE customers SET big = big + 1$$),
    ($$UPDATE customers SET id = 7 WHERE id = 6$$),
    ($$UPDATE customers SET notes = 'read by no view'$$),
    ($$UPDATE leads SET stage = 'won' WHERE id % 2 = 0$$),
    ($$UPDATE leads SET label = NULL, amount = NULL WHERE id = 5$$),
    ($$UPDATE leads SET customer_id = 1 WHERE id IN (3, 4)$$),
    ($$UPDATE leads SET owner_id = NULL WHERE id = 8$$),
    ($$UPDATE leads SET id = 100 + id WHERE id > 10$$),
    ($$INSERT INTO activities VALUES (100, 1, 'call', '2027-01-01'), (101, 111, 'mail', NULL)$$),
    ($$UPDATE activities SET lead_id = 2 WHERE lead_id = 1$$),
    ($$UPDATE activities SET deleted_at = at WHERE id % 5 = 0$$),
    ($$UPDATE activities SET kind = 'visit' WHERE id % 7 = 0$$),
    ($$DELETE FROM activities WHERE lead_id = 2 AND id > 20$$),
    ($$UPDATE samples SET latest = NOT latest$$),
    ($$UPDATE samples SET lead_id = lead_id + 1$$),
    ($$UPDATE samples SET state = 'back' WHERE id = 7$$),
    ($$DELETE FROM samples WHERE id % 4 = 0$$),
    ($$WITH moved AS (UPDATE leads SET customer_id = 2 WHERE customer_id = 1 RETURNING id),
            named AS (UPDATE customers SET name = 'both' WHERE id IN (1, 2) RETURNING id),
            acts AS (INSERT INTO activities SELECT 200 + id, id, 'call', '2027-02-02' FROM moved RETURNING 1)
       DELETE FROM samples WHERE lead_id IN (SELECT id FROM moved)$$),
    ($$MERGE INTO leads l USING (VALUES (1, 5), (2, 6), (300, 2)) v (id, customer) ON l.id = v.id
       WHEN MATCHED AND v.customer = 6 THEN DELETE
       WHEN MATCHED THEN UPDATE SET customer_id = v.customer
       WHEN NOT MATCHED THEN INSERT (id, customer_id) VALUES (v.id, v.customer)$$),
    ($$INSERT INTO leads (id, customer_id, label) VALUES (1, 3, 'again'), (301, 3, 'first')
       ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, label = excluded.label$$),
    ($$DELETE FROM regions WHERE code = 'x'$$),
    ($$DELETE FROM owners WHERE id = 4$$),
    ($$DELETE FROM teams$$),
    ($$DELETE FROM customers WHERE id = 2$$),
    ($$DELETE FROM leads WHERE id IN (4, 9)$$),
    ($$TRUNCATE samples$$),
    ($$TRUNCATE activities, owners$$),
    ($$TRUNCATE customers$$),
    ($$INSERT INTO customers SELECT g, 'late' || g, 's' FROM generate_series(1, 7) g$$),
    ($$TRUNCATE leads$$);

CREATE TABLE shapes (shape text, key name, query text);
INSERT INTO shapes VALUES
    ('one table', 'id', 'SELECT id, stage, label, amount FROM leads'),
    ('filter', 'id', $$SELECT id, label FROM leads WHERE stage = 'won' AND amount > 3$$),
    ('inner join', 'id', 'SELECT l.id, c.name FROM leads l JOIN customers c ON c.id = l.customer_id'),
    ('inner join, in WHERE', 'id', 'SELECT l.id, c.name FROM leads l, customers c WHERE l.customer_id = c.id'),
    ('inner join, USING', 'id',
        'SELECT l.id, c.name, customer_id FROM leads l JOIN (SELECT id AS customer_id, name FROM customers) c USING (customer_id)'),
    ('left join', 'id', 'SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id'),
    ('left join with more in ON', 'id',
        $$SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND c.region = 's' AND l.amount > 2$$),
    ('right join', 'id', 'SELECT l.id, c.name FROM customers c RIGHT JOIN leads l ON c.id = l.customer_id'),
    ('chain of left joins', 'id',
        'SELECT l.id, c.name, r.name AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region'),
    ('left join of a join', 'id',
        'SELECT l.id, o.name, t.name AS team FROM leads l LEFT JOIN (owners o JOIN teams t ON t.id = o.team_id) ON o.id = l.owner_id'),
    ('anti join', 'id',
        'SELECT l.id, l.label FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE c.id IS NULL'),
    ('self join', 'id',
        'SELECT c.id, c.name, p.name AS parent, g.name AS grandparent FROM customers c LEFT JOIN customers p ON p.id = c.parent_id LEFT JOIN customers g ON g.id = p.parent_id'),
    ('key of another table', 'owner',
        'SELECT o.id AS owner, o.name, t.name AS team FROM owners o JOIN teams t ON t.id = o.team_id'),
    ('key equal to another column', 'lead',
        'SELECT l.id AS lead, s.state FROM leads l JOIN samples s ON s.id = l.id WHERE s.lead_id > 2'),
    ('equality of other types', 'id',
        'SELECT l.id, s.state FROM leads l LEFT JOIN samples s ON s.lead_id = l.id AND s.id = l.id'),
    ('equality of other types, two hops', 'id',
        'SELECT l.id, d.name FROM leads l JOIN customers c ON c.id = l.customer_id LEFT JOIN customers d ON d.big = c.id AND d.id = c.big'),
    ('scalar subquery, max', 'id',
        'SELECT l.id, (SELECT max(a.at) FROM activities a WHERE a.lead_id = l.id AND a.deleted_at IS NULL) AS last FROM leads l'),
    ('scalar subquery, latest', 'id',
        'SELECT l.id, (SELECT s.state FROM samples s WHERE s.lead_id = l.id AND s.latest ORDER BY s.id DESC LIMIT 1) AS state FROM leads l'),
    ('scalar subquery, aggregates and HAVING', 'id',
        'SELECT l.id, (SELECT count(*) FILTER (WHERE a.kind = ''call'') FROM activities a WHERE l.id = a.lead_id HAVING count(*) > 1) AS calls FROM leads l'),
    ('scalar subquery with DISTINCT and GROUP BY', 'id',
        'SELECT l.id, (SELECT count(DISTINCT a.kind) FROM activities a WHERE a.lead_id = l.id) AS kinds, (SELECT a.kind FROM activities a WHERE a.lead_id = l.id GROUP BY a.kind ORDER BY count(*) DESC, a.kind LIMIT 1) AS usual FROM leads l'),
    ('scalar subquery over a join', 'id',
        'SELECT c.id, (SELECT max(a.at) FROM activities a JOIN leads l ON l.id = a.lead_id WHERE l.customer_id = c.id) AS last FROM customers c'),
    ('scalar subquery with a left join', 'id',
        'SELECT c.id, (SELECT count(a.id) + count(*) FROM leads l LEFT JOIN activities a ON a.lead_id = l.id AND a.kind = ''mail'' WHERE l.customer_id = c.id) AS n FROM customers c'),
    ('scalar subquery on the nullable side', 'id',
        'SELECT l.id, c.name, (SELECT r.name FROM regions r WHERE r.code = c.region) AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id'),
    ('scalar subquery in a subquery', 'id',
        'SELECT c.id, (SELECT sum(l.amount * (SELECT count(*) FROM activities a WHERE a.lead_id = l.id)) FROM leads l WHERE l.customer_id = c.id) AS weight FROM customers c'),
    ('subquery linked to the outermost query', 'id',
        'SELECT c.id, (SELECT count(*) FROM leads l WHERE l.customer_id = c.id AND EXISTS (SELECT FROM customers d WHERE d.parent_id = c.id)) AS n FROM customers c'),
    ('EXISTS and NOT EXISTS in WHERE', 'id',
        'SELECT l.id FROM leads l WHERE EXISTS (SELECT FROM activities a WHERE a.lead_id = l.id AND a.kind = ''call'') AND NOT EXISTS (SELECT FROM samples s WHERE s.lead_id = l.id AND s.latest)'),
    ('EXISTS in ON', 'id',
        'SELECT l.id, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id AND EXISTS (SELECT FROM regions r WHERE r.code = c.region)'),
    ('ARRAY subquery', 'id',
        'SELECT l.id, ARRAY(SELECT a.kind FROM activities a WHERE a.lead_id = l.id ORDER BY a.id) AS kinds FROM leads l'),
    ('whole-row reference', 'id', 'SELECT l.id, (SELECT c FROM customers c WHERE c.id = l.customer_id) AS c FROM leads l'),
    ('subqueries in FROM', 'id',
        'SELECT x.id, y.name FROM (SELECT l.id, l.customer_id AS c FROM leads l WHERE l.amount > 1) x LEFT JOIN (SELECT c.id AS i, c.name FROM customers c JOIN regions r ON r.code = c.region) y ON y.i = x.c'),
    ('enum and domain', 'id', 'SELECT a.id, b.label, b.stage FROM leads a LEFT JOIN leads b ON b.label = a.label AND b.stage = a.stage AND b.id = a.id');

-- A nested view, and a projection of a view over it.
CREATE VIEW lead_customers AS
    SELECT l.id AS lead_id, c.id AS customer_id, c.name, c.region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
CREATE VIEW lead_regions AS SELECT v.*, r.name AS region_name FROM lead_customers v LEFT JOIN regions r ON r.code = v.region;
INSERT INTO shapes VALUES
    ('nested views', 'lead', 'SELECT v.lead_id AS lead, v.name, v.region_name, (SELECT count(*) FROM samples s WHERE s.lead_id = v.lead_id) AS samples FROM lead_regions v');

-- Builds the view and the projection, runs the workload, compares after each statement, and takes all of it
-- back. "changing" counts the statements that changed the table.
CREATE FUNCTION exercise(shape text, key name, query text, sabotage text DEFAULT 'SELECT',
                         OUT result text, OUT statements integer, OUT changing integer)
LANGUAGE plpgsql AS
$$
DECLARE
    s record;
    before text;
    after text;
    diff text;
BEGIN
    statements := 0;
    changing := 0;
    result := 'equal';
    BEGIN
        EXECUTE 'CREATE VIEW shape AS ' || query;
        PERFORM freshcrm.create_projection('shape', ARRAY[key]);
        EXECUTE sabotage;
        FOR s IN SELECT * FROM workload ORDER BY n LOOP
            EXECUTE 'SELECT string_agg(version_etag, '','' ORDER BY version_etag) FROM shape_hot' INTO before;
            EXECUTE s.statement;
            EXECUTE 'SELECT string_agg(version_etag, '','' ORDER BY version_etag) FROM shape_hot' INTO after;
            diff := difference('shape_hot');
            IF diff IS NOT NULL THEN
                result := format('%s after %s', diff, s.statement);
                EXIT;
            END IF;
            statements := statements + 1;
            changing := changing + (before IS DISTINCT FROM after)::integer;
        END LOOP;
        IF result = 'equal' AND EXISTS (SELECT FROM freshcrm.verify_projection('shape_hot')) THEN
            result := 'verify_projection() finds differences';
        END IF;
        RAISE EXCEPTION 'take back' USING ERRCODE = 'RB000';
    EXCEPTION
        WHEN SQLSTATE 'RB000' THEN NULL;
        WHEN OTHERS THEN
            result := format('%s %s', SQLSTATE, SQLERRM);
    END;
END
$$;

SELECT s.shape, e.* FROM shapes s, LATERAL exercise(s.shape, s.key, s.query) e;

-- The comparison is able to fail: without the triggers of one table it does.
SELECT shape, result FROM shapes s, LATERAL exercise(s.shape, s.key, s.query, 'ALTER TABLE customers DISABLE TRIGGER USER') e
WHERE shape IN ('inner join', 'left join', 'self join');

DROP SCHEMA crm CASCADE;
DROP FUNCTION difference(regclass);
