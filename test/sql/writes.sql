-- Foreign keys of every action, and every kind of statement: after each one the tables equal their views. Once over
-- plain tables, once over tables in partitions.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO queries
SET client_min_messages = warning;
CREATE SCHEMA writes;
SET search_path = writes, public;

CREATE TABLE statements (n integer GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO statements (statement) VALUES
    ($$INSERT INTO teams SELECT g, 'team ' || g FROM generate_series(1, 4) g$$),
    ($$INSERT INTO people SELECT g, 1 + g % 4, 1 + g % 3, 'p' || g FROM generate_series(1, 12) g$$),
    ($$INSERT INTO tasks SELECT g, nullif(1 + g % 13, 13), 1 + g % 3, g FROM generate_series(1, 40) g$$),
    -- foreign keys: cascades two levels down, SET NULL, SET DEFAULT, new keys
    ($$DELETE FROM teams WHERE id = 4$$),
    ($$UPDATE teams SET id = 10 WHERE id = 1$$),
    ($$UPDATE people SET id = id + 100 WHERE id IN (2, 3)$$),
    ($$DELETE FROM people WHERE id = 102$$),
    ($$DELETE FROM teams WHERE id = 2$$),
    ($$UPDATE people SET team_id = 3, backup_id = 10 WHERE id = 5$$),
    -- rows that change keys, swap them, and come again
    ($$UPDATE tasks SET id = -id WHERE id < 10$$),
    ($$UPDATE tasks SET person_id = CASE person_id WHEN 1 THEN 5 WHEN 5 THEN 1 END WHERE person_id IN (1, 5)$$),
    ($$INSERT INTO tasks VALUES (11, 4, 1, 111), (50, 4, 1, 50), (12, 5, 2, 112) ON CONFLICT (id) DO UPDATE SET person_id = excluded.person_id, points = excluded.points WHERE tasks.id <> 12$$),
    ($$INSERT INTO tasks VALUES (11, 1, 1, 0), (51, 1, 1, 51) ON CONFLICT DO NOTHING$$),
    ($$MERGE INTO tasks t USING (SELECT g AS id FROM generate_series(10, 60, 10) g) s ON t.id = s.id
       WHEN MATCHED AND s.id = 20 THEN DELETE WHEN MATCHED THEN UPDATE SET points = t.points + 1000, id = t.id + 1000
       WHEN NOT MATCHED AND s.id = 40 THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (s.id, 8, 1, s.id)$$),
    ($$UPDATE tasks t SET points = p.id FROM people p WHERE p.id = t.person_id AND p.team_id = 3$$),
    ($$DELETE FROM tasks t USING people p WHERE p.id = t.person_id AND p.name = 'p8'$$),
    -- several tables in one statement
    ($$WITH gone AS (DELETE FROM people WHERE id = 9 RETURNING id), new AS (INSERT INTO people VALUES (60, 3, 3, 'new') RETURNING id),
            named AS (UPDATE teams SET name = name || '!' RETURNING id)
       INSERT INTO tasks SELECT 600 + id, 1, 1, id FROM new$$),
    ($$WITH moved AS (UPDATE people SET id = 61 WHERE id = 60 RETURNING id) UPDATE teams SET id = 30 WHERE id = 3$$),
    ($$WITH t AS (DELETE FROM tasks WHERE person_id = 1), p AS (UPDATE people SET name = 'last' WHERE id = 1) UPDATE teams SET name = 'renamed'$$),
    ($s$DO $do$ DECLARE c CURSOR FOR SELECT * FROM people WHERE id > 6 FOR UPDATE; BEGIN
       FOR r IN c LOOP UPDATE people SET name = 'by cursor' WHERE id = r.id; BEGIN DELETE FROM people WHERE id = r.id; RAISE division_by_zero;
       EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $do$$s$),
    ($$PREPARE p AS UPDATE people SET name = name || $1$$), ($$EXECUTE p('x')$$), ($$EXECUTE p('y')$$), ($$DEALLOCATE p$$),
    ($$SET CONSTRAINTS ALL IMMEDIATE$$),
    ($$TRUNCATE tasks$$),
    ($$INSERT INTO tasks SELECT id, id, 1, id FROM people$$),
    ($$TRUNCATE people CASCADE$$),
    ($$INSERT INTO people VALUES (1, 30, 30, 'first')$$), ($$INSERT INTO tasks VALUES (1, 1, 1, 1)$$),
    ($$TRUNCATE teams, people, tasks$$);

CREATE FUNCTION run_all(kind text) RETURNS TABLE (after text, difference text, rows bigint) LANGUAGE plpgsql AS
$$
DECLARE
    s record;
    p regclass;
    before text; now text; unchanged integer := 0;
BEGIN
    FOR s IN SELECT * FROM statements ORDER BY n LOOP
        SELECT string_agg(version_etag, ',' ORDER BY id) INTO before FROM people_list_hot;
        EXECUTE s.statement;
        SELECT string_agg(version_etag, ',' ORDER BY id) INTO now FROM people_list_hot;
        unchanged := unchanged + (before IS NOT DISTINCT FROM now)::integer;
        FOR p IN SELECT projection FROM freshcrm.projections LOOP
            difference := difference(p);
            IF difference IS NOT NULL THEN
                after := p || ' after ' || s.statement;
                RETURN NEXT;
            END IF;
        END LOOP;
        rows := greatest(rows, (SELECT count(*) FROM people_list_hot));
    END LOOP;
    after := format('%s: %s statements, %s of which changed no person', kind, (SELECT count(*) FROM statements), unchanged);
    difference := NULL;
    RETURN NEXT;
END
$$;
CREATE VIEW shapes (name, key, query) AS VALUES
    ('people_list', 'id', 'SELECT p.id, p.name, t.name AS team, b.name AS backup, (SELECT sum(points) FROM tasks k WHERE k.person_id = p.id) AS points
        FROM people p LEFT JOIN teams t ON t.id = p.team_id LEFT JOIN teams b ON b.id = p.backup_id'),
    ('team_list', 'id', 'SELECT t.id, t.name, count(DISTINCT p.id) AS people, count(k.id) AS tasks FROM teams t LEFT JOIN people p ON p.team_id = t.id
        LEFT JOIN tasks k ON k.person_id = p.id GROUP BY t.id'),
    ('task_list', 'id', 'SELECT k.id, k.points, p.name, t.name AS team FROM tasks k JOIN people p ON p.id = k.person_id JOIN teams t ON t.id = p.team_id');

-- Plain tables.
CREATE TABLE teams (id integer PRIMARY KEY, name text);
CREATE TABLE people (id integer PRIMARY KEY, team_id integer REFERENCES teams ON DELETE SET NULL ON UPDATE CASCADE,
    backup_id integer DEFAULT 3 REFERENCES teams ON DELETE SET DEFAULT ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, name text);
CREATE TABLE tasks (id integer PRIMARY KEY, person_id integer REFERENCES people ON DELETE CASCADE ON UPDATE CASCADE, kind integer, points integer);
SELECT format('CREATE VIEW %I AS %s', name, query) FROM shapes \gexec
SELECT freshcrm.create_projection(name::regclass, ARRAY[key]::name[]) FROM shapes;
SELECT * FROM run_all('plain tables');
SELECT freshcrm.drop_projection((name || '_hot')::regclass) FROM shapes;
DROP VIEW people_list, team_list, task_list;
DROP TABLE teams, people, tasks;

-- The same in partitions, some of which have their columns in another order.
CREATE TABLE teams (id integer PRIMARY KEY, name text) PARTITION BY HASH (id);
CREATE TABLE teams_0 (name text, id integer NOT NULL);
CREATE TABLE teams_1 PARTITION OF teams FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE teams ATTACH PARTITION teams_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE people (id integer PRIMARY KEY, team_id integer REFERENCES teams ON DELETE SET NULL ON UPDATE CASCADE,
    backup_id integer DEFAULT 3 REFERENCES teams ON DELETE SET DEFAULT ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, name text) PARTITION BY RANGE (id);
CREATE TABLE people_low PARTITION OF people FOR VALUES FROM (MINVALUE) TO (50) PARTITION BY HASH (id);
CREATE TABLE people_low_0 PARTITION OF people_low FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE people_low_1 PARTITION OF people_low FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE people_high PARTITION OF people DEFAULT;
CREATE TABLE tasks (id integer PRIMARY KEY, person_id integer REFERENCES people ON DELETE CASCADE ON UPDATE CASCADE, kind integer, points integer) PARTITION BY RANGE (id);
CREATE TABLE tasks_low (junk text, points integer, kind integer, person_id integer, id integer NOT NULL);
ALTER TABLE tasks_low DROP COLUMN junk;
ALTER TABLE tasks ATTACH PARTITION tasks_low FOR VALUES FROM (MINVALUE) TO (15);
CREATE TABLE tasks_high PARTITION OF tasks FOR VALUES FROM (15) TO (MAXVALUE);
SELECT format('CREATE VIEW %I AS %s', name, query) FROM shapes \gexec
SELECT freshcrm.create_projection(name::regclass, ARRAY[key]::name[]) FROM shapes;
SELECT * FROM run_all('partitions');

-- COPY, and what foreign keys do to it at the end of the transaction.
INSERT INTO teams VALUES (1, 'one'), (2, 'two'), (3, 'three');
BEGIN;
COPY people (id, team_id, backup_id, name) FROM stdin;
1	1	2	ann
70	2	9	bob
\.
COPY tasks FROM stdin;
1	1	1	10
20	70	1	20
\.
SELECT difference(projection) FROM freshcrm.projections;
INSERT INTO teams VALUES (9, 'nine');
COMMIT;
SELECT difference(projection) FROM freshcrm.projections;
SELECT id, name, team, backup, points FROM people_list_hot ORDER BY id;
\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA writes CASCADE;
DROP FUNCTION difference(regclass);
