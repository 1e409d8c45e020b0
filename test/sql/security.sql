-- Who acts, and what it takes: upkeep runs as the projection's owner, whoever writes and whatever code it meets.
-- Each attack is first seen to work where it can.
CREATE SCHEMA sec;
SET search_path = sec, public;
SET client_min_messages = warning;
CREATE ROLE freshcrm_mallory;  -- owns tables, views and projections
CREATE ROLE freshcrm_clerk;    -- writes to base tables
CREATE ROLE freshcrm_reader;   -- reads the projection
GRANT USAGE, CREATE ON SCHEMA sec TO freshcrm_mallory;
GRANT USAGE ON SCHEMA sec TO freshcrm_clerk, freshcrm_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO freshcrm_mallory;

-- What a statement comes to, run as a role.
CREATE FUNCTION try(role name, statement text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RESET ROLE;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END
$$;

SET ROLE freshcrm_mallory;
-- The attacks are functions that call themselves what they must be, and do harm when a superuser calls them.
CREATE FUNCTION evil(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$
BEGIN
    IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'evil() acts as a superuser';
    END IF;
    RETURN $1;
END
$$;
CREATE FUNCTION evil_trigger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM sec.evil(1); RETURN new; END $$;
CREATE TABLE customers (id integer PRIMARY KEY, name text, secret integer);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, amount integer);
CREATE INDEX ON leads (customer_id);

-- 1. Functions: in the view (its key, whose expression upkeep evaluates by itself, too), and all that can hang on an
-- adopted table: defaults, checks, indexes, triggers, policies.
CREATE VIEW hostile AS
    SELECT evil(1) + l.id - 1 AS id, evil(l.amount) AS amount, c.name
    FROM leads l LEFT JOIN customers c ON c.id = evil(l.customer_id) WHERE evil(2) = 2;
CREATE TABLE hostile_hot (id integer PRIMARY KEY DEFAULT evil(1), amount integer DEFAULT evil(2) CHECK (evil(amount) > 0), name text,
                          updated_at timestamptz NOT NULL DEFAULT now(), version_etag text NOT NULL DEFAULT evil(4));
CREATE INDEX ON hostile_hot (evil(amount)) WHERE evil(5) = 5;
CREATE TRIGGER evil_row BEFORE INSERT OR UPDATE ON hostile_hot FOR EACH ROW WHEN (evil(6) = 6) EXECUTE FUNCTION evil_trigger();
CREATE TRIGGER evil_statement AFTER INSERT OR UPDATE OR DELETE ON hostile_hot FOR EACH STATEMENT EXECUTE FUNCTION evil_trigger();
ALTER TABLE hostile_hot ENABLE ROW LEVEL SECURITY;
CREATE POLICY evil ON hostile_hot USING (evil(7) = 7) WITH CHECK (evil(8) = 8);
RESET ROLE;
-- It works on a superuser who reads the view or writes to the table.
SELECT count(*) FROM hostile;
INSERT INTO hostile_hot DEFAULT VALUES;
-- Not when the superuser makes the projection, explains it, or writes to a base table, in any session.
SELECT freshcrm.create_projection('hostile', '{id}', options => '{"direct_writes": true}');
SELECT count(*) > 0 AS explained FROM freshcrm.explain_projection('hostile', '{id}');
INSERT INTO customers VALUES (1, 'Acme', 1), (2, 'Bolt', 1);
INSERT INTO leads VALUES (1, 1, 10), (2, 2, 20), (3, NULL, 30);
\c
SET search_path = sec, public;
SET client_min_messages = warning;
INSERT INTO leads VALUES (4, 1, 40);
UPDATE customers SET name = upper(name);
UPDATE leads SET id = 5, amount = 50 WHERE id = 4;
DELETE FROM leads WHERE id = 3;
\c
SET search_path = sec, public;
SET client_min_messages = warning;
SELECT count(*) > 0 AS explained FROM freshcrm.explain_projection('hostile_hot');
SELECT * FROM freshcrm.verify_projection('hostile_hot', repair => true);
SELECT * FROM freshcrm.recompute('hostile_hot', ARRAY[1, 2]);
TRUNCATE hostile_hot;
CALL freshcrm.rebuild_projection('hostile_hot');
ALTER TABLE leads ADD added integer DEFAULT 0;
ALTER TABLE customers RENAME secret TO secrets;
SET ROLE freshcrm_mallory;
SELECT id, amount, name FROM hostile_hot ORDER BY id;
RESET ROLE;
-- An index on a base table of somebody else: it works on a superuser who reads the table.
SET ROLE freshcrm_mallory;
CREATE INDEX ON customers (id) WHERE evil(9) = 9;
RESET ROLE;
SELECT count(*) FROM customers WHERE id = 1;
-- Upkeep reads the table, too.
UPDATE leads SET amount = 60 WHERE id = 5;
SELECT * FROM freshcrm.verify_projection('hostile_hot');
-- Rules of the table: as the owner, if they leave the row to be written at all.
SET ROLE freshcrm_mallory;
CREATE TABLE told (id integer DEFAULT evil(1));
CREATE RULE evil AS ON UPDATE TO hostile_hot DO ALSO INSERT INTO told VALUES (evil(new.amount));
RESET ROLE;
UPDATE hostile_hot SET amount = 61 WHERE id = 5;
UPDATE leads SET amount = 62 WHERE id = 5;
SELECT id FROM told;
SET ROLE freshcrm_mallory;
DROP RULE evil ON hostile_hot;
CREATE RULE evil AS ON UPDATE TO hostile_hot DO INSTEAD NOTHING;
RESET ROLE;
UPDATE leads SET amount = 63 WHERE id = 5;
DROP RULE evil ON hostile_hot;
CREATE RULE evil AS ON DELETE TO hostile_hot DO INSTEAD SELECT evil(1);
DELETE FROM leads WHERE id = 5;
DROP RULE evil ON hostile_hot;
SELECT * FROM freshcrm.verify_projection('hostile_hot');
SELECT freshcrm.drop_projection('hostile_hot');
DROP TABLE hostile_hot, told;
-- An event trigger would run as who issues the DDL: PostgreSQL leaves it to superusers.
SELECT try('freshcrm_mallory', 'CREATE EVENT TRIGGER evil ON ddl_command_end EXECUTE FUNCTION freshcrm.follow_ddl()');

-- 2. Functions that leave their role, or something for later. The trigger runs what the table says.
SET ROLE freshcrm_mallory;
DROP VIEW hostile CASCADE;
DROP INDEX customers_id_idx;
CREATE TABLE attack (statement text);
INSERT INTO attack VALUES ('SELECT');
CREATE VIEW plain AS SELECT id, amount FROM leads;
SELECT freshcrm.create_projection('plain', '{id}', options => '{"direct_writes": true}');
CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN EXECUTE (SELECT statement FROM sec.attack); RETURN NULL; END $$;
CREATE TRIGGER attack AFTER UPDATE ON plain_hot FOR EACH STATEMENT EXECUTE FUNCTION attack();
-- In a session of a superuser who acts as that role for once it works.
UPDATE attack SET statement = 'RESET ROLE';
UPDATE plain_hot SET amount = amount;
SELECT rolsuper AS is_superuser_again FROM pg_roles WHERE rolname = current_user;
-- In upkeep nothing of the kind does.
GRANT INSERT, UPDATE, DELETE, SELECT ON customers, leads TO freshcrm_clerk;
CREATE FUNCTION attacked(what text) RETURNS TABLE (directly text, in_upkeep text) LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE sec.attack SET statement = what;
    directly := sec.try('freshcrm_mallory', 'UPDATE sec.plain_hot SET amount = amount');
    in_upkeep := sec.try('freshcrm_clerk', 'UPDATE sec.leads SET amount = amount + 1');
    RETURN NEXT;
END
$$;
SELECT what, a.* FROM unnest(ARRAY[
    'SET ROLE freshcrm_mallory', 'RESET ROLE', 'SET LOCAL ROLE freshcrm_mallory', $$SELECT set_config('role', 'none', false)$$,
    'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT', 'CREATE TEMP TABLE left_behind ()',
    'DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1', 'LISTEN left_behind', 'PREPARE left_behind AS SELECT 1']) AS what,
    attacked(what) AS a;
-- A trigger that fires when the transaction commits would run as who commits.
UPDATE attack SET statement = 'SELECT sec.evil(1)';
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON plain_hot DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack();
SELECT try('freshcrm_mallory', 'UPDATE sec.plain_hot SET amount = amount');
SELECT try('freshcrm_clerk', 'UPDATE sec.leads SET amount = amount + 1');
DROP TRIGGER later ON plain_hot;
-- Settings are those of before, whatever upkeep's functions set.
UPDATE attack SET statement = $$SELECT set_config('search_path', 'sec', false), set_config('sec.remembered', 'yes', false)$$;
BEGIN;
UPDATE leads SET amount = amount + 1;
SHOW search_path;
SELECT current_setting('sec.remembered', true) AS remembered;
COMMIT;
DROP TABLE attack CASCADE;
DROP VIEW plain;
DROP TABLE plain_hot;

-- 3. Rights. A writer needs those on the base tables, and gets no more; a reader needs one on the table.
SET ROLE freshcrm_mallory;
CREATE VIEW list AS SELECT l.id, l.amount, c.name FROM leads l JOIN customers c ON c.id = l.customer_id;
SELECT freshcrm.create_projection('list', '{id}');
GRANT SELECT ON list_hot TO freshcrm_reader;
GRANT INSERT, UPDATE, DELETE, SELECT, TRUNCATE, TRIGGER, REFERENCES ON leads TO freshcrm_clerk;
REVOKE ALL ON customers FROM freshcrm_clerk;
RESET ROLE;
SELECT statement, try('freshcrm_clerk', statement) FROM unnest(ARRAY[
    'INSERT INTO sec.leads VALUES (10, 1, 100)', 'UPDATE sec.leads SET amount = 1', 'DELETE FROM sec.leads WHERE id = 10',
    'SELECT * FROM sec.list_hot', 'SELECT * FROM sec.list', 'SELECT * FROM sec.customers', 'UPDATE sec.list_hot SET amount = 1',
    'SELECT * FROM freshcrm.projection', 'UPDATE freshcrm.projection SET source = target', 'SELECT * FROM freshcrm.projections',
    $$SELECT freshcrm.recompute('sec.list_hot', ARRAY[1])$$, $$SELECT freshcrm.verify_projection('sec.list_hot')$$,
    $$SELECT freshcrm.drop_projection('sec.list_hot')$$, $$SELECT freshcrm.create_projection('sec.list', '{id}', 'other')$$,
    $$SELECT freshcrm.explain_projection('sec.list_hot')$$, $$SELECT freshcrm.explain_projection('sec.list', '{id}')$$,
    $$SELECT freshcrm.explain_row_security('sec.list_hot')$$, 'SELECT freshcrm.follow_ddl()', 'SELECT freshcrm.capture()',
    $$CALL freshcrm.rebuild_projection('sec.list_hot')$$, $$SELECT freshcrm.create_projection('SELECT 1 AS id', '{id}', 'one')$$,
    'TRUNCATE sec.leads']) AS statement;
SELECT * FROM freshcrm.verify_projection('list_hot');
INSERT INTO leads VALUES (1, 1, 10), (2, 2, 20);
SELECT statement, try('freshcrm_reader', statement) FROM unnest(ARRAY[
    'SELECT * FROM sec.list_hot', 'SELECT * FROM sec.list', 'SELECT * FROM sec.leads', 'UPDATE sec.leads SET amount = 1',
    'DELETE FROM sec.list_hot']) AS statement;
-- EXECUTE alone makes no projection, not of one's own view over another's tables either; nor does the right to TRIGGER.
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA freshcrm TO freshcrm_clerk;
GRANT CREATE ON SCHEMA sec TO freshcrm_clerk;
SELECT statement, try('freshcrm_clerk', statement) FROM unnest(ARRAY[
    $$SELECT freshcrm.create_projection('sec.list', '{id}', 'other')$$,
    'CREATE VIEW sec.peek AS SELECT id, name FROM sec.customers',
    $$SELECT freshcrm.create_projection('sec.peek', '{id}')$$, $$SELECT freshcrm.explain_projection('sec.list', '{id}')$$,
    $$SELECT freshcrm.explain_projection('sec.list_hot')$$, $$SELECT freshcrm.recompute('sec.list_hot', ARRAY[1])$$,
    $$SELECT freshcrm.drop_projection('sec.list_hot')$$, $$CALL freshcrm.rebuild_projection('sec.list_hot')$$,
    $$SELECT freshcrm.create_projection('SELECT id, name FROM sec.customers', '{id}', 'peeked')$$,
    $$CREATE VIEW sec.mine AS SELECT id FROM sec.leads; SELECT freshcrm.create_projection('sec.mine', '{id}', 'list_hot')$$]) AS statement;
-- The trigger functions on tables of one's own: there is nothing to be had.
SET ROLE freshcrm_clerk;
CREATE TABLE bait (LIKE leads);
DO $$ BEGIN
    EXECUTE format('CREATE TRIGGER bait AFTER INSERT ON sec.bait FOR EACH ROW EXECUTE FUNCTION freshcrm.capture(%L)',
                   (SELECT substring(pg_get_triggerdef(oid) FROM $x$capture\('(\d+)$x$) FROM pg_trigger
                    WHERE tgrelid = 'sec.leads'::regclass AND tgname ~ 'insert'));
END $$;
INSERT INTO bait VALUES (1, 1, 1);
DROP TABLE bait;
RESET ROLE;
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA freshcrm FROM freshcrm_clerk;
DROP VIEW peek;
-- An error of the view's expressions is told to who writes, with the values of rows that this role may not read.
SET ROLE freshcrm_mallory;
CREATE VIEW tells AS SELECT l.id, c.name::integer + l.amount AS value FROM leads l JOIN customers c ON c.id = l.customer_id WHERE l.id > 100;
SELECT freshcrm.create_projection('tells', '{id}');
RESET ROLE;
SELECT try('freshcrm_clerk', 'SELECT name FROM sec.customers');
SELECT try('freshcrm_clerk', 'INSERT INTO sec.leads VALUES (101, 1, 1)');
DROP VIEW tells;
DROP TABLE tells_hot;

-- 4. Views and functions that bear rights of their own. What a view shows its owner is what the projection has.
SET ROLE freshcrm_mallory;
CREATE FUNCTION name_of(integer) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT $1::text || current_user';
REVOKE ALL ON FUNCTION name_of(integer) FROM PUBLIC;
CREATE VIEW barrier WITH (security_barrier) AS SELECT l.id, l.amount, name_of(l.id) AS by FROM leads l WHERE l.amount > 5;
CREATE VIEW over_barrier AS SELECT b.id, b.by, c.name FROM barrier b JOIN leads l ON l.id = b.id JOIN customers c ON c.id = l.customer_id;
CREATE VIEW invoked WITH (security_invoker) AS SELECT l.id, l.amount, c.name FROM leads l JOIN customers c ON c.id = l.customer_id;
CREATE VIEW over_invoked AS SELECT id, name FROM invoked;
SELECT freshcrm.create_projection(v::regclass, '{id}') FROM unnest('{barrier,over_barrier,invoked,over_invoked}'::text[]) v;
GRANT SELECT ON invoked, invoked_hot TO freshcrm_reader;
RESET ROLE;
SELECT try('freshcrm_clerk', 'UPDATE sec.leads SET amount = 40 WHERE id = 1');
SELECT try('freshcrm_clerk', 'INSERT INTO sec.leads VALUES (3, 2, 30)');
SELECT v AS differs FROM unnest('{barrier,over_barrier,invoked,over_invoked}'::text[]) v, freshcrm.verify_projection((v || '_hot')::regclass);
SELECT id, by, name FROM over_barrier_hot ORDER BY id;
-- The view asks for the caller's rights, its copy for one on the copy: that is what it is for.
SELECT try('freshcrm_reader', 'SELECT * FROM sec.invoked'), try('freshcrm_reader', 'SELECT * FROM sec.invoked_hot');
ALTER VIEW list SET (security_invoker);
SELECT try('freshcrm_clerk', 'UPDATE sec.leads SET amount = 41 WHERE id = 1');
SELECT * FROM freshcrm.verify_projection('list_hot');
-- Of tables with policies that bind the view's owner nothing is copied, through whichever view they are read.
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE ROLE freshcrm_other;
GRANT USAGE, CREATE ON SCHEMA sec TO freshcrm_other;
GRANT SELECT, TRIGGER ON leads, customers, invoked, over_barrier TO freshcrm_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO freshcrm_other;
SET ROLE freshcrm_other;
CREATE VIEW of_other AS SELECT id, name FROM customers;
CREATE VIEW of_invoked AS SELECT id, name FROM invoked;
CREATE VIEW of_invoked_too WITH (security_invoker) AS SELECT id, name FROM invoked;
SELECT freshcrm.create_projection('of_other', '{id}');
SELECT freshcrm.create_projection('of_invoked', '{id}');
SELECT freshcrm.create_projection('of_invoked_too', '{id}');
RESET ROLE;
ALTER TABLE customers DISABLE ROW LEVEL SECURITY;
SET ROLE freshcrm_other;
SELECT freshcrm.create_projection('of_invoked', '{id}');
RESET ROLE;
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE customers DISABLE ROW LEVEL SECURITY;

-- What is computed is computed as the projection's owner, also in a view that another role owns and can replace. So it
-- is when the owner reads the view; but a projection is computed when that role likes.
SET ROLE freshcrm_other;
CREATE FUNCTION of_other(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN current_user; END $$;
CREATE VIEW by_other AS SELECT id, of_other(id) AS computed_as FROM leads;
GRANT SELECT ON by_other TO freshcrm_mallory;
SET ROLE freshcrm_mallory;
CREATE VIEW by_both AS SELECT * FROM by_other;
SELECT freshcrm.create_projection('by_both', '{id}');
RESET ROLE;
SELECT try('freshcrm_clerk', 'UPDATE sec.leads SET amount = 42 WHERE id = 1');
SELECT DISTINCT computed_as FROM by_both_hot;

-- 5. Policies of the projection's table that bind its owner would hide rows from upkeep, which would then neither see
-- nor take them away: so they would from the owner.
SET ROLE freshcrm_mallory;
CREATE TABLE forced (id integer PRIMARY KEY);
INSERT INTO forced VALUES (1), (2);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY hides ON forced USING (id > 1);
DELETE FROM forced;
ALTER TABLE forced NO FORCE ROW LEVEL SECURITY;
SELECT * FROM forced;
ALTER TABLE list_hot ENABLE ROW LEVEL SECURITY;
ALTER TABLE list_hot FORCE ROW LEVEL SECURITY;
ALTER TABLE list_hot DISABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE list_hot ENABLE ROW LEVEL SECURITY;
ALTER TABLE list_hot NO FORCE ROW LEVEL SECURITY;
CREATE TABLE hidden (LIKE list_hot INCLUDING ALL);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT freshcrm.create_projection('list', '{id}', 'hidden');
RESET ROLE;

-- 6. What PUBLIC may do: an addition to this list wants a reason.
SELECT p.oid::regprocedure AS function, p.prosecdef AS definer
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'freshcrm'
WHERE has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass AS relation, privilege
FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'freshcrm',
unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege
WHERE CASE WHEN c.relkind = 'S' THEN privilege IN ('SELECT', 'UPDATE') AND has_sequence_privilege('public', c.oid, privilege)
           ELSE has_table_privilege('public', c.oid, privilege) END
ORDER BY c.oid::regclass::text COLLATE "C", 2;
SELECT has_schema_privilege('public', 'freshcrm', 'USAGE') AS uses, has_schema_privilege('public', 'freshcrm', 'CREATE') AS creates;
-- No function bears its owner's rights under somebody else's search_path: of the extension, or made by it.
CREATE SCHEMA crm_of_sec;
SELECT freshcrm.create_crm_tables('crm_of_sec'), freshcrm.install_crm('crm_of_sec');
SELECT p.oid::regprocedure AS definer, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE') AS public
FROM pg_proc p WHERE p.prosecdef AND p.pronamespace IN ('freshcrm'::regnamespace, 'crm_of_sec'::regnamespace)
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure AS not_pinned FROM pg_proc p
WHERE p.pronamespace IN ('freshcrm'::regnamespace, 'crm_of_sec'::regnamespace)
  AND (p.prosecdef OR p.prolang IN (SELECT oid FROM pg_language WHERE lanname = 'plpgsql'))
  AND p.proname <> 'tick'  -- commits, and sets it in each transaction
  AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
  AND p.oid <> 'freshcrm.conditional_get(text, jsonb, text)'::regprocedure;  -- runs the caller's query with the caller's rights and path

\set VERBOSITY terse
DROP SCHEMA sec, crm_of_sec CASCADE;
DROP OWNED BY freshcrm_mallory, freshcrm_clerk, freshcrm_reader, freshcrm_other;
DROP ROLE freshcrm_mallory, freshcrm_clerk, freshcrm_reader, freshcrm_other;
