-- A function that a function of the view calls is replaced: that is not followed (README), but a rebuild mends the
-- table, and what a session has kept of the old body must not spoil it again.
CREATE SCHEMA replaced_function;
SET search_path = replaced_function, public;
CREATE TABLE items (id int PRIMARY KEY, code int NOT NULL, label text NOT NULL);
CREATE TABLE notes (item_code int NOT NULL, body text NOT NULL);
CREATE INDEX ON notes (item_code);
INSERT INTO items SELECT n, n, 'item ' || n FROM generate_series(1, 4) AS n;
INSERT INTO notes SELECT n * 10, 'note ' || n FROM generate_series(1, 4) AS n;
CREATE FUNCTION inner_label(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'old ' || $1 $$;
CREATE FUNCTION outer_label(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT replaced_function.inner_label($1) $$;
CREATE FUNCTION inner_code(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 / 10 $$;
CREATE FUNCTION outer_code(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT replaced_function.inner_code($1) $$;
CREATE VIEW shown AS SELECT i.id, outer_label(i.label) AS label FROM items AS i;
CREATE VIEW counted AS SELECT outer_code(n.item_code) AS code, count(*) AS notes FROM notes AS n GROUP BY 1;
SELECT freshcrm.create_projection('shown', '{id}'), freshcrm.create_projection('counted', '{code}');
-- What evaluates the expressions is made.
UPDATE items SET label = 'changed' WHERE id = 1;
UPDATE notes SET body = 'changed', item_code = 20 WHERE item_code = 10;
SELECT id, label FROM shown_hot ORDER BY 1;
SELECT code, notes FROM counted_hot ORDER BY 1;
CREATE OR REPLACE FUNCTION inner_label(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'new ' || $1 $$;
CREATE OR REPLACE FUNCTION inner_code(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 / 5 $$;
CALL freshcrm.rebuild_projection('shown_hot');
CALL freshcrm.rebuild_projection('counted_hot');
UPDATE items SET label = 'changed again' WHERE id = 2;
INSERT INTO notes VALUES (30, 'note 5');
DELETE FROM notes WHERE item_code = 40;
SELECT id, label FROM shown_hot ORDER BY 1;
SELECT code, notes FROM counted_hot ORDER BY 1;
SELECT * FROM freshcrm.verify_projection('shown_hot');
SELECT * FROM freshcrm.verify_projection('counted_hot');
SET client_min_messages = warning;
DROP SCHEMA replaced_function CASCADE;
