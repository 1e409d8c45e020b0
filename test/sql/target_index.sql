-- The unique index of a projection's table on its key stays, as one or another.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
\set ECHO all
CREATE SCHEMA ti;
SET search_path = ti, public;
CREATE TABLE base (a integer, b integer, x text);
INSERT INTO base SELECT g, g % 3, 'x' || g FROM generate_series(1, 9) g;
CREATE VIEW v AS SELECT a, b, x FROM base;
CREATE TABLE adopted (a integer NOT NULL, b integer NOT NULL, x text, updated_at timestamptz NOT NULL, version_etag text NOT NULL);
CREATE UNIQUE INDEX by_key ON adopted (b, a);
CREATE INDEX by_x ON adopted (x);
SELECT freshcrm.create_projection('v', '{a,b}', 'adopted');
DROP INDEX by_key;
DROP INDEX CONCURRENTLY by_key;
DROP INDEX IF EXISTS by_key, nothing;
SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_key'::regclass;
-- Other indexes, and another one on the key.
DROP INDEX by_x;
CREATE INDEX by_x ON adopted (x);
DROP INDEX CONCURRENTLY by_x;
DROP INDEX CONCURRENTLY IF EXISTS nothing;
REINDEX INDEX by_key;
REINDEX TABLE CONCURRENTLY adopted;
CREATE UNIQUE INDEX partly ON adopted (a, b) WHERE a > 1;
CREATE UNIQUE INDEX wider ON adopted (a, b, x);
CREATE UNIQUE INDEX including ON adopted (a) INCLUDE (b);
DROP INDEX by_key;
CREATE UNIQUE INDEX CONCURRENTLY another ON adopted (a, b) INCLUDE (x);
DROP INDEX by_key, another;
DROP INDEX CONCURRENTLY by_key;
DROP INDEX another;
CREATE UNIQUE INDEX by_key ON adopted (b, a);
DROP INDEX another;
-- The columns renamed; an index that goes with what it needs.
ALTER TABLE adopted RENAME COLUMN a TO "Key";
DROP INDEX by_key;
CREATE OPERATOR CLASS other_int FOR TYPE integer USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(integer, integer);
CREATE UNIQUE INDEX by_class ON adopted ("Key" other_int, b);
DROP INDEX by_key;
DROP OPERATOR FAMILY other_int USING btree CASCADE;
CREATE INDEX elsewhere ON base (a);
DROP INDEX elsewhere;
INSERT INTO base VALUES (10, 10, 'late');
UPDATE base SET x = 'new' WHERE a < 3;
DELETE FROM base WHERE a = 9;
SELECT state, difference(projection) FROM freshcrm.projections;
-- A table that was made; and any that is no projection any more.
SELECT freshcrm.create_projection('v', '{a}', 'made');
DROP INDEX made_pkey;
ALTER TABLE made DROP CONSTRAINT made_pkey;
ALTER TABLE made DROP CONSTRAINT made_pkey, ADD UNIQUE (a);
DROP TABLE made;
SELECT freshcrm.drop_projection('adopted');
DROP INDEX by_class;
DROP SCHEMA ti CASCADE;
DROP FUNCTION difference(regclass);
