-- Projections of a query: the view <target>_source is made, and goes with the projection.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA query;
SET search_path = query, public;
CREATE TABLE a (id integer PRIMARY KEY, x integer, "Text" text);
INSERT INTO a SELECT g, g % 10, 'text ' || g FROM generate_series(1, 100) g;
-- Names in it are those of the caller's search_path; comments and a semicolon do no harm.
SELECT freshcrm.create_projection('SELECT x, count(*) FROM a GROUP BY x; -- by x', '{x}', 'by_x');
SELECT freshcrm.create_projection('WITH t AS (TABLE a) SELECT id AS "The id", "Text" FROM t', '{"The id"}', target => 'Quoted "name"');
SELECT p.projection, p.source FROM freshcrm.projections p ORDER BY p.projection::text;
INSERT INTO a VALUES (1000, 77, 'last');
DELETE FROM a WHERE x = 3;
SELECT difference('by_x'), difference('"Quoted ""name"""'), (SELECT count FROM by_x WHERE x = 77);
-- A text can be the name of a view, and the view that was made can have a second projection.
SELECT freshcrm.create_projection('by_x_source', '{x}', 'by_x_again');
SELECT freshcrm.create_projection('query."Quoted ""name""_source"', '{The id}', target => 'by_id');
SELECT freshcrm.create_projection('by_x_source'::text, '{x}', 'by_x_third', options => '{"fillfactor": 70}');
SELECT freshcrm.drop_projection('by_x', keep_table => true);
SELECT freshcrm.drop_projection('by_x_third');
UPDATE a SET x = 5 WHERE x = 77;
SELECT difference('by_x_again'), difference('by_id');
SELECT freshcrm.drop_projection('by_x_again');
SELECT freshcrm.drop_projection('by_id');
SELECT freshcrm.drop_projection('"Quoted ""name"""');
SELECT relname, relkind FROM pg_class WHERE relnamespace = 'query'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1;
-- What cannot be, leaves no view behind.
SELECT freshcrm.create_projection('SELECT 1; SELECT 2', '{x}', 'bad');
SELECT freshcrm.create_projection('', '{x}', 'bad');
SELECT freshcrm.create_projection('SELECT x FRO a', '{x}', 'bad');
SELECT freshcrm.create_projection('DELETE FROM a RETURNING x', '{x}', 'bad');
SELECT freshcrm.create_projection('SELECT x INTO b FROM a', '{x}', 'bad');
SELECT freshcrm.create_projection('SELECT id, x FROM a WHERE x = $1', '{id}', 'bad');
SELECT freshcrm.create_projection('SELECT id, nosuch FROM a', '{id}', 'bad');
SELECT freshcrm.create_projection('nosuch', '{x}', 'bad');
SELECT freshcrm.create_projection('SELECT x, x AS y FROM a', '{x}', 'bad');
SELECT freshcrm.create_projection('SELECT id FROM a', '{x}', 'bad');
SELECT freshcrm.create_projection('SELECT id FROM a', '{id}', NULL);
SELECT freshcrm.create_projection('SELECT id FROM a', '{id}', 'a');
SELECT freshcrm.create_projection(NULL::text, '{id}', 'bad');
\set VERBOSITY sqlstate
CREATE TEMP TABLE passing (id integer);
SELECT freshcrm.create_projection('SELECT id FROM passing', '{id}', 'bad');
SELECT relname FROM pg_class WHERE relname ~ '^bad|^a_source';
DROP SCHEMA query CASCADE;
DROP FUNCTION difference(regclass);
