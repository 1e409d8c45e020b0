-- A key that is NULL is an error, whichever table its columns come from and whichever row made it so.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO queries
CREATE SCHEMA nk;
SET search_path = nk, public;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE n1 (id integer PRIMARY KEY, c integer);
CREATE TABLE n2 (id integer PRIMARY KEY, n1_id integer, d integer);
CREATE TABLE n3 (id integer PRIMARY KEY, n2_id integer, e integer);

-- Runs a statement against a projection of the query, beside some rows. Says what came of it, whether the table
-- still equals the view, and takes it back.
CREATE FUNCTION attempt(query text, key name[], statement text, OUT said text, OUT differs text)
LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO n1 VALUES (1, 1), (2, 2), (3, NULL);
    INSERT INTO n2 VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 3);
    INSERT INTO n3 VALUES (1, 1, 1), (2, 2, 2);
    EXECUTE 'CREATE VIEW v AS ' || query;
    PERFORM freshcrm.create_projection('v', key);
    BEGIN
        EXECUTE statement;
        said := 'done';
    EXCEPTION WHEN OTHERS THEN
        said := format('%s %s', SQLSTATE, SQLERRM);
    END;
    differs := difference('v_hot');
    RAISE EXCEPTION 'take back' USING ERRCODE = 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN NULL;
END
$$;
CREATE TABLE attempts (n integer GENERATED ALWAYS AS IDENTITY, query text, key name[], statement text);

-- Of two tables, and of three.
\set two 'SELECT n1.id, n2.d FROM n1 JOIN n2 ON n2.n1_id = n1.id'
\set three 'SELECT n1.id, n3.e, n1.c FROM n1 JOIN n2 ON n2.n1_id = n1.id JOIN n3 ON n3.n2_id = n2.id'
INSERT INTO attempts (query, key, statement) SELECT :'two', '{id,d}', * FROM unnest(ARRAY[
    'UPDATE n2 SET d = NULL WHERE id = 1',
    'INSERT INTO n2 VALUES (4, 1, NULL), (5, 1, 5)',
    'INSERT INTO n2 VALUES (4, NULL, NULL), (5, 9, NULL)',
    'WITH gone AS (DELETE FROM n2 WHERE id = 1) UPDATE n2 SET d = NULL WHERE id = 2',
    'UPDATE n2 SET n1_id = NULL',
    'UPDATE n2 SET n1_id = NULL, d = NULL']) AS statement;
INSERT INTO attempts (query, key, statement) SELECT :'two' || ' GROUP BY 1, 2', '{id,d}', * FROM unnest(ARRAY[
    'UPDATE n2 SET d = NULL WHERE id = 1',
    'INSERT INTO n2 VALUES (4, 1, NULL)']) AS statement;
INSERT INTO attempts (query, key, statement) SELECT :'three', '{id,e}', * FROM unnest(ARRAY[
    'UPDATE n3 SET e = NULL WHERE id = 1',
    'INSERT INTO n3 VALUES (4, 2, NULL)',
    'INSERT INTO n3 VALUES (4, 7, NULL)',
    'WITH lost AS (INSERT INTO n3 VALUES (4, 3, NULL)) UPDATE n2 SET n1_id = 3 WHERE id = 3',
    'UPDATE n3 SET n2_id = NULL',
    'UPDATE n2 SET n1_id = NULL, d = NULL']) AS statement;
INSERT INTO attempts (query, key, statement) VALUES
    ('SELECT n2.id, n1.c FROM n2 JOIN n1 ON n1.id = n2.n1_id', '{id,c}', 'UPDATE n1 SET c = NULL WHERE id = 2'),
    ('SELECT n2.id, n1.c FROM n2 JOIN n1 ON n1.id = n2.n1_id', '{id,c}', 'UPDATE n2 SET n1_id = 3 WHERE id = 2'),
    ('SELECT n2.id, n1.c + n2.d AS k FROM n2 JOIN n1 ON n1.id = n2.n1_id', '{id}', 'UPDATE n2 SET d = NULL'),
    ('SELECT n1.id, n2.d + 1 AS k FROM n1 JOIN n2 ON n2.n1_id = n1.id', '{id,k}', 'UPDATE n2 SET d = NULL WHERE id = 2'),
-- A column of the key that also links is not NULL in any row of the view.
    ('SELECT n2.d, n3.e FROM n2 JOIN n3 ON n3.n2_id = n2.d', '{d,e}', 'UPDATE n2 SET d = NULL'),
    ('SELECT n2.d, n3.e FROM n2 JOIN n3 ON n3.n2_id = n2.d', '{d,e}', 'UPDATE n3 SET n2_id = NULL'),
-- A row that goes can make one with a NULL key come.
    ('SELECT d, count(*) FROM n2 GROUP BY d HAVING count(*) < 2', '{d}', 'INSERT INTO n2 VALUES (5, 1, NULL)'),
    ('SELECT d, count(*) FROM n2 GROUP BY d HAVING count(*) <> 2', '{d}',
        'INSERT INTO n2 VALUES (5, 1, NULL), (6, 1, NULL)'),
    ('SELECT n1_id FROM n2 EXCEPT SELECT c FROM n1', '{n1_id}', 'INSERT INTO n2 VALUES (6, 1, 1)'),
    ('SELECT n1_id FROM n2 EXCEPT SELECT c FROM n1', '{n1_id}', 'DELETE FROM n1 WHERE id = 3'),
    ('SELECT n1_id FROM n2 EXCEPT SELECT c FROM n1', '{n1_id}', 'UPDATE n1 SET c = 0 WHERE id = 3');
\pset format unaligned
SELECT query, key, statement, said, differs FROM attempts, attempt(query, key, statement) ORDER BY n;
\pset format aligned

-- A group whose NULL key comes to light when a row of it goes.
CREATE VIEW rare AS SELECT d, count(*) FROM n2 GROUP BY d HAVING count(*) <> 2;
SELECT freshcrm.create_projection('rare', '{d}');
INSERT INTO n2 VALUES (5, 1, NULL), (6, 1, NULL);
DELETE FROM n2 WHERE id = 6;
UPDATE n2 SET d = 1 WHERE id = 5;
SELECT d, count, difference('rare_hot') FROM rare_hot;
DELETE FROM n2;
DROP SCHEMA nk CASCADE;
DROP FUNCTION difference(regclass);
