-- What SQL text means in upkeep does not depend on who writes: not on search_path, temporary objects, operators, casts,
-- functions or settings. Each attack is first seen to work where it can.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
\set ECHO all
CREATE SCHEMA names;
CREATE ROLE freshcrm_owner;
CREATE ROLE freshcrm_clerk;
-- The schema is shared, as public used to be: the clerk may create there, too.
GRANT USAGE, CREATE ON SCHEMA names TO freshcrm_owner, freshcrm_clerk;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO freshcrm_owner;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA names;
ALTER EXTENSION citext SET SCHEMA names;
SET search_path = names;
SET ROLE freshcrm_owner;
CREATE DOMAIN code AS citext;
CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)';
CREATE TABLE customers (id code PRIMARY KEY, name varchar(20), tags citext[], day date, since interval, note text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id code, name varchar(20), amount integer, day date, since interval, note text);
CREATE INDEX ON leads (customer_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, leads TO freshcrm_clerk;
CREATE VIEW live AS
    SELECT c.id, lower(c.name) AS name, (SELECT sum(l.amount) FROM leads l WHERE l.customer_id = c.id) AS amount,
           (SELECT count(*) FROM leads l WHERE norm(l.name) = norm(c.name)) AS namesakes,
           (SELECT count(*) FROM leads l WHERE l.customer_id = ANY (c.tags)) AS tagged
    FROM customers c;
CREATE VIEW pairs AS SELECT c.id, l.id AS lead, upper(l.name) AS name FROM customers c JOIN leads l ON l.customer_id = c.id;
SELECT freshcrm.create_projection('live', '{id}'), freshcrm.create_projection('pairs', '{id,lead}');
-- Functions that take more than their arguments say, for which somebody could make others that fit better.
CREATE FUNCTION any_norm(anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1::text)';
CREATE FUNCTION all_norm(VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1[1])';
CREATE FUNCTION more_norm(text, text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)';
RESET ROLE;

-- All that a writer can put in the way.
CREATE SCHEMA hostile;
GRANT USAGE, CREATE ON SCHEMA hostile TO freshcrm_clerk;
GRANT TEMPORARY ON DATABASE pg_regress TO freshcrm_clerk;
SET ROLE freshcrm_clerk;
CREATE FUNCTION hostile.gotcha() RETURNS void LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RAISE EXCEPTION 'gotcha: acts as %', current_user; END $$;
GRANT EXECUTE ON FUNCTION hostile.gotcha() TO PUBLIC;
DO $do$
DECLARE
    f text;
    t text;
BEGIN
    -- Functions of the names that upkeep's SQL or the views use, by argument types that fit better.
    FOREACH f IN ARRAY ARRAY['lower(text) RETURNS text', 'lower(varchar) RETURNS text', 'upper(varchar) RETURNS text', 'now() RETURNS timestamptz',
                             'clock_timestamp() RETURNS timestamptz', 'unnest(anyarray) RETURNS SETOF anyelement', 'norm(varchar) RETURNS text',
                             'count(integer) RETURNS bigint', 'convert_to(text, name) RETURNS bytea', 'format(text) RETURNS text'] LOOP
        EXECUTE format('CREATE FUNCTION hostile.%s LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.gotcha(); END $$', f);
    END LOOP;
    CREATE FUNCTION names.norm(varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hostile.gotcha(); RETURN ''; END $$;
    CREATE FUNCTION names.any_norm(varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hostile.gotcha(); RETURN ''; END $$;
    CREATE AGGREGATE hostile.sum(integer) (SFUNC = int4pl, STYPE = integer, FINALFUNC = abs);
    -- Operators, in the schema of the hostile and in that of the type's own.
    FOREACH t IN ARRAY ARRAY['integer, integer', 'text, text', 'varchar, varchar', 'bigint, bigint', 'date, date', 'names.code, names.code',
                             'names.citext, names.code', 'names.code, names.citext'] LOOP
        EXECUTE format('CREATE FUNCTION hostile.equals(%s) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
                        $$ BEGIN PERFORM hostile.gotcha(); RETURN true; END $$', t);
        EXECUTE format('CREATE OPERATOR hostile.= (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.equals, COMMUTATOR = OPERATOR(hostile.=), MERGES, HASHES)',
                       split_part(t, ', ', 1), split_part(t, ', ', 2));
        CONTINUE WHEN t !~ 'code';
        EXECUTE format('CREATE OPERATOR names.= (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.equals)',
                       split_part(t, ', ', 1), split_part(t, ', ', 2));
    END LOOP;
END
$do$;
-- A type with casts that call its owner's function.
CREATE TYPE hostile.mood AS ENUM ('good', 'bad');
CREATE FUNCTION hostile.to_text(hostile.mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hostile.gotcha(); RETURN ''; END $$;
CREATE FUNCTION hostile.to_json(hostile.mood) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hostile.gotcha(); RETURN '1'; END $$;
CREATE FUNCTION hostile.to_code(hostile.mood) RETURNS names.citext LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hostile.gotcha(); RETURN ''; END $$;
CREATE CAST (hostile.mood AS text) WITH FUNCTION hostile.to_text(hostile.mood) AS ASSIGNMENT;
CREATE CAST (hostile.mood AS names.citext) WITH FUNCTION hostile.to_code(hostile.mood) AS ASSIGNMENT;
CREATE CAST (hostile.mood AS json) WITH FUNCTION hostile.to_json(hostile.mood);
CREATE CAST (text AS text[]) WITH INOUT AS IMPLICIT;
CREATE CAST (names.citext AS integer) WITH INOUT AS IMPLICIT;
-- A type of another: its owner can have a check called.
SELECT has_type_privilege('freshcrm_clerk', 'names.code', 'USAGE') AS may_use_the_domain;
ALTER DOMAIN names.code ADD CHECK (hostile.gotcha() IS NOT NULL);
CREATE OPERATOR CLASS hostile.ops DEFAULT FOR TYPE hostile.mood USING btree AS OPERATOR 3 =;
-- They work on who uses them.
SET search_path = hostile, names, pg_catalog, pg_temp;
SELECT lower('A'::text);
SELECT sum(1) IS NOT NULL AS another_sum, 1::bigint = 1::bigint;
SELECT 'a'::names.code OPERATOR(names.=) 'A'::names.code;
SELECT names.norm('A'::varchar);
SELECT names.any_norm('A'::varchar);
SELECT 'good'::hostile.mood::text;
SELECT to_jsonb('good'::hostile.mood);

-- A table of the owner's with that type, and its projection.
RESET ROLE;
GRANT USAGE ON SCHEMA hostile TO freshcrm_owner;
SET ROLE freshcrm_owner;
CREATE TABLE names.moods (id hostile.mood PRIMARY KEY, label text);
CREATE VIEW names.by_mood AS SELECT id, label FROM names.moods;
SELECT freshcrm.create_projection('names.by_mood', '{id}');
GRANT INSERT, UPDATE ON names.moods TO freshcrm_clerk;

-- What somebody else's function could stand for is not traced.
SET search_path = names;
SET client_min_messages = warning;
CREATE FUNCTION refuses(condition text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('CREATE VIEW loose AS SELECT c.id, (SELECT count(*) FROM leads l WHERE %s) AS leads FROM customers c', condition);
    PERFORM freshcrm.create_projection('loose', '{id}');
    PERFORM freshcrm.drop_projection('loose_hot');
    DROP VIEW loose;
    RETURN 'traced';
EXCEPTION WHEN feature_not_supported THEN
    RETURN SQLERRM;
END
$$;
SELECT condition, refuses(condition) FROM unnest(ARRAY[
    'any_norm(l.amount) = any_norm(length(c.name))', 'all_norm(l.name) = all_norm(c.name)', 'more_norm(l.name) = more_norm(c.name)',
    'l.customer_id = nullif(c.id, ''x'')', '(l.customer_id IS DISTINCT FROM ''x'') = (c.id IS DISTINCT FROM ''x'')',
    'norm(l.name) = norm(c.name)', 'more_norm(l.name, ''x'') = more_norm(c.name, ''x'')', 'lower(l.name) = lower(c.name)']) AS condition;
DROP FUNCTION refuses(text);

-- And not on upkeep, whose plans are made while all this is in the way.
\c
SET ROLE freshcrm_clerk;
CREATE TEMP TABLE customers (id integer);
CREATE TEMP TABLE leads (id integer);
CREATE TEMP TABLE live_hot (id integer);
CREATE TEMP TABLE pg_class (oid oid);
CREATE TEMP TABLE projection (id integer);
CREATE TEMP VIEW live AS SELECT 1 AS id;
SET search_path = pg_temp, hostile, names, pg_catalog;
SELECT count(*) FROM customers, live, pg_class;
INSERT INTO names.customers VALUES ('Acme', 'ACME', '{x,BOLT}'), ('bolt', 'Bolt', '{acme}');
INSERT INTO names.leads VALUES (1, 'ACME', 'acme', 10), (2, 'acme', 'bolt', 20), (3, 'Bolt', 'ACME', 30);
INSERT INTO names.leads VALUES (4, 'ACME', 'bolt', 40);
UPDATE names.leads SET customer_id = 'BOLT' WHERE amount OPERATOR(pg_catalog.>) 25 AND amount OPERATOR(pg_catalog.<) 35;
UPDATE names.customers SET name = 'bolt' WHERE name OPERATOR(pg_catalog.~~) 'ACME';
UPDATE names.customers SET tags = '{acme}';
DELETE FROM names.leads WHERE id OPERATOR(pg_catalog.<) 2;
INSERT INTO names.moods VALUES ('good', 'x'), ('bad', 'y');
UPDATE names.moods SET label = 'z';
RESET ROLE;
SET session_replication_role = replica;
DELETE FROM names.by_mood_hot;
RESET session_replication_role;
SELECT * FROM freshcrm.verify_projection('names.by_mood_hot', true) ORDER BY key::text;
SELECT * FROM freshcrm.verify_projection('names.live_hot');
SELECT * FROM freshcrm.verify_projection('names.pairs_hot');
SELECT freshcrm.recompute('names.pairs_hot', ARRAY[ROW('ACME'::names.code, 2)]);
SELECT pg_catalog.count(*) FROM freshcrm.explain_projection('names.live_hot');
ALTER TABLE names.leads ADD extra integer;
SET ROLE freshcrm_owner;
SELECT freshcrm.create_projection('names.live', '{id}', 'live_too');
SELECT freshcrm.drop_projection('names.live_too');
RESET ROLE;
SET search_path = names, public;
SELECT id, name, amount, namesakes, tagged FROM names.live_hot ORDER BY id::text COLLATE "C";
SELECT public.difference('names.pairs_hot');

-- Settings change what text means. In the same session expressions of a view are written as SQL, and read again.
\c
SET client_min_messages = warning;
DROP OWNED BY freshcrm_clerk CASCADE;
GRANT USAGE ON SCHEMA names TO freshcrm_clerk;
SET search_path = names, public;
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, leads TO freshcrm_clerk;
SET ROLE freshcrm_owner;
CREATE VIEW days AS SELECT c.id, (SELECT count(*) FROM leads l WHERE l.day = greatest(c.day, '2026-02-03')) AS leads FROM customers c;
CREATE VIEW terms AS SELECT c.id, (SELECT count(*) FROM leads l WHERE l.since = greatest(c.since, '-1 year +2 mons -3 days')) AS leads FROM customers c;
CREATE VIEW notes AS SELECT c.id, (SELECT count(*) FROM leads l WHERE l.note = coalesce(c.note, E'a\\b''\\')) AS leads FROM customers c;
CREATE VIEW asked AS SELECT c.id, (SELECT count(*) FROM leads l WHERE l.day > c.day) AS leads FROM customers c;
SELECT freshcrm.create_projection(v::regclass, '{id}') FROM unnest('{days,terms,notes}'::text[]) v;
SELECT freshcrm.create_projection('asked', '{id}', options => '{"mapping": {"leads":
    "SELECT c.id FROM changed l, names.customers c WHERE c.id::text = ''Acme'' AND l.day > c.day AND l.day > ''02/01/2026'' AND l.note IS DISTINCT FROM ''a\\b''"}}');
RESET ROLE;
\c
SET ROLE freshcrm_clerk;
SET datestyle = 'SQL, DMY'; SET intervalstyle = sql_standard; SET extra_float_digits = -15;
SELECT '03/02/2026'::date;
UPDATE names.customers SET day = '01/01/2026' WHERE name = 'none';
UPDATE names.customers SET note = NULL;
SET datestyle = 'SQL, MDY'; SET intervalstyle = iso_8601; SET standard_conforming_strings = off; SET escape_string_warning = off;
SET transform_null_equals = on; SET array_nulls = off; SET quote_all_identifiers = on; SET bytea_output = escape; SET timezone = 'Asia/Tokyo';
SELECT '03/02/2026'::date, 'a\\b' AS one_backslash, '{NULL}'::text[] AS no_null, NULL = NULL AS is_null;
INSERT INTO names.leads VALUES (10, 'acme', 'x', 1, '02/03/2026', '-1 years +2 mons -3 days', E'a\\b\'\\');
UPDATE names.customers SET day = '01/15/2026';
RESET ROLE;
RESET ALL;
SELECT v AS differs, d.* FROM unnest('{days,terms,notes}'::text[]) v, freshcrm.verify_projection(('names.' || v || '_hot')::regclass) d;
-- This mapping query leaves a day before February out, and one of a note: what it says is what it said when it was given.
\c
SET ROLE freshcrm_clerk;
SET datestyle = 'German'; SET standard_conforming_strings = off; SET escape_string_warning = off;
INSERT INTO names.leads VALUES (11, 'acme', 'x', 1, '20.01.2026', NULL, NULL);
INSERT INTO names.leads VALUES (12, 'acme', 'x', 1, '20.02.2026', NULL, E'a\\b');
RESET ROLE;
SELECT id, leads FROM names.asked_hot ORDER BY id;
SET ROLE freshcrm_clerk;
INSERT INTO names.leads VALUES (13, 'bolt', 'x', 1, '20.02.2026', NULL, 'a');
RESET ROLE;
SELECT id, leads FROM names.asked_hot ORDER BY id;

-- Names that need all kinds of quoting, and are as long as they can be, of everything.
\c
SET client_min_messages = warning;
SELECT 'Schéma "q" ''s'' $$\; DROP--' || repeat('s', 34) AS s, 'tàble "t" ''x'' $1 --' || repeat('t', 42) AS t, repeat('é', 31) || 'x' AS u,
       'col "c" ''''' || E'\n' || '%s %I \x' || repeat('c', 44) AS c, 'vïew.with "dots" /* ' || repeat('v', 42) AS v,
       'rôle "r" ''; --' || repeat('r', 47) AS r, 'tàrget ''"' || repeat('h', 53) AS h, 'pölicy "p"' || repeat('p', 52) AS p \gset
SELECT length(convert_to(n, 'UTF8')) AS bytes FROM unnest(ARRAY[:'s', :'t', :'u', :'c', :'v', :'r', :'h', :'p']) n;
CREATE ROLE :"r";
CREATE SCHEMA :"s" AUTHORIZATION :"r";
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO :"r";
SET ROLE :"r";
SET search_path = :"s", public;
CREATE TABLE :"t" (:"c" integer PRIMARY KEY, :"u" text);
CREATE TABLE :"u" (:"u" integer PRIMARY KEY, :"c" integer, :"t" text);
CREATE VIEW :"v" AS SELECT x.:"c", x.:"u" AS :"v", (SELECT max(y.:"t") FROM :"u" y WHERE y.:"c" = x.:"c") AS :"r" FROM :"t" x;
SELECT freshcrm.create_projection(quote_ident(:'v')::regclass, ARRAY[:'c']) = quote_ident(left(:'v', 58) || '_hot')::regclass AS made;
SELECT freshcrm.create_projection(quote_ident(:'v')::regclass, ARRAY[:'c'], :'h',
    options => jsonb_build_object('trigger_names', jsonb_build_object(quote_ident(:'s') || '.' || quote_ident(:'u'), left(:'p', 50)),
                                  'full', jsonb_build_array(:'t'))) = quote_ident(:'h')::regclass AS made;
INSERT INTO :"t" VALUES (1, 'one'), (2, 'two');
INSERT INTO :"u" VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, NULL);
UPDATE :"t" SET :"c" = 3 WHERE :"c" = 2;
UPDATE :"u" SET :"c" = 3, :"t" = 'c' WHERE :"u" > 1;
SELECT :"c", :"v", :"r" FROM :"h" ORDER BY 1;
RESET ROLE;
SELECT difference(quote_ident(:'h')::regclass), difference(quote_ident(left(:'v', 58) || '_hot')::regclass);
SET ROLE :"r";
SELECT * FROM freshcrm.recompute(quote_ident(:'h')::regclass, ARRAY[1, 7]);
RESET ROLE;
SET session_replication_role = replica;
DELETE FROM :"h" WHERE :"c" = 1;
RESET session_replication_role;
SET ROLE :"r";
SELECT difference, key = jsonb_build_object(:'c', 1) AS names_key FROM freshcrm.verify_projection(quote_ident(:'h')::regclass, true);
\t on
SELECT wanted_index FROM freshcrm.explain_projection(quote_ident(:'h')::regclass) WHERE NOT index_exists \gexec
\t off
SELECT count(*) AS wanted FROM freshcrm.explain_projection(quote_ident(:'h')::regclass) WHERE NOT index_exists;
ALTER TABLE :"t" ENABLE ROW LEVEL SECURITY;
CREATE POLICY :"p" ON :"t" TO :"r" USING (:"u" = 'one');
CREATE POLICY :"c" ON :"t" AS RESTRICTIVE USING (:"u" = 'two' OR :"t".:"c" = 1);
\t on
SELECT template FROM freshcrm.explain_row_security(quote_ident(:'h')::regclass) \gexec
\t off
SELECT polname IN (:'p', :'c') AS named, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = quote_ident(:'h')::regclass ORDER BY polpermissive;
ALTER VIEW :"v" RENAME COLUMN :"v" TO :"h";
ALTER TABLE :"h" RENAME COLUMN :"v" TO :"p";
CREATE OR REPLACE VIEW :"v" AS SELECT x.:"c", x.:"u" || '!' AS :"h", (SELECT max(y.:"t") FROM :"u" y WHERE y.:"c" = x.:"c") AS :"r", 1 AS :"s" FROM :"t" x;
SELECT :"p", :"s" FROM :"h" ORDER BY :"c";
RESET ROLE;
SELECT difference(quote_ident(:'h')::regclass);
SET ROLE :"r";
\set VERBOSITY terse
SELECT freshcrm.create_projection(quote_ident(:'v')::regclass, ARRAY[:'c'], :'t');
TRUNCATE :"h";
SELECT freshcrm.drop_projection(quote_ident(:'h')::regclass);
SELECT freshcrm.drop_projection(projection, true) FROM freshcrm.projections WHERE owner = current_user;
SELECT count(*) AS left_behind FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = quote_ident(:'s')::regnamespace;
RESET ROLE;
RESET search_path;
DROP SCHEMA :"s" CASCADE;
DROP OWNED BY :"r";
DROP ROLE :"r";
DROP SCHEMA names CASCADE;
DROP SCHEMA hostile CASCADE;
DROP FUNCTION public.difference(regclass);
DROP OWNED BY freshcrm_owner, freshcrm_clerk;
DROP ROLE freshcrm_owner, freshcrm_clerk;
