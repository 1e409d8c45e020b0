-- A small CRM, a workload that changes every table in every way, and a function that runs the workload
-- against a projection of a view. Needs compare.sql.
CREATE SCHEMA crm;
SET search_path = crm, public;
CREATE TYPE stage AS ENUM ('new', 'open', 'won');
CREATE DOMAIN label AS text;
CREATE TABLE regions (code varchar(10) PRIMARY KEY, name text);
CREATE TABLE customers (id integer PRIMARY KEY, name text, region varchar(10), parent_id integer,
                        big bigint, notes text, tags text[], facts jsonb);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner_id integer, stage stage,
                    label label, amount numeric, notes text,
                    doubled numeric GENERATED ALWAYS AS (amount * 2) STORED);
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
        nullif(g / 2, 0), g, NULL, ARRAY['t' || g % 2, 't' || g % 3], jsonb_build_object('region', g % 3, 'list', jsonb_build_array(g))
        FROM generate_series(1, 6) g$$),
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
    ($$UPDATE customers SET tags = tags || 't9'::text WHERE id < 4$$),
    ($$UPDATE customers SET tags = NULL, facts = facts || '{"region": 1}' WHERE id = 4$$),
    ($$UPDATE regions SET name = 't1' WHERE code = 'x'$$),
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
    ($$WITH c AS (DELETE FROM customers WHERE id = 3), a AS (DELETE FROM activities WHERE lead_id < 4), o AS (UPDATE owners SET id = 9 WHERE id = 3)
       UPDATE leads SET customer_id = 4, owner_id = 1 WHERE customer_id = 3 OR id < 4$$),
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

-- Builds the view and the projection, runs the workload, compares after each statement, and takes all of it
-- back. "changing" counts the statements that changed the table.
CREATE FUNCTION exercise(shape text, key name[], query text, sabotage text DEFAULT 'SELECT',
                         options jsonb DEFAULT '{}', OUT result text, OUT statements integer, OUT changing integer)
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
        PERFORM freshcrm.create_projection('shape', key, options => options);
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

