-- Row-level security: the policies of base tables do not protect the copy, and as templates they do.
CREATE SCHEMA rls;
SET search_path = rls, public;
SET client_min_messages = warning;
CREATE ROLE freshcrm_ann;
CREATE ROLE freshcrm_bob;
CREATE ROLE freshcrm_boss;
CREATE ROLE "freshcrm sales team";
GRANT "freshcrm sales team" TO freshcrm_ann, freshcrm_bob;
GRANT USAGE ON SCHEMA rls TO "freshcrm sales team", freshcrm_boss;
CREATE TABLE teams (member name, region text);
CREATE TABLE customers (id integer PRIMARY KEY, name text, region text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer REFERENCES customers, "Owner" name, stage text,
                    secret boolean, "is
open" boolean);
CREATE INDEX ON leads (customer_id);
INSERT INTO teams VALUES ('freshcrm_ann', 's'), ('freshcrm_bob', 'n'), ('freshcrm_bob', 's'), ('freshcrm_boss', 'n');
INSERT INTO customers SELECT g, 'c' || g, CASE g % 2 WHEN 0 THEN 'n' ELSE 's' END FROM generate_series(1, 4) g;
INSERT INTO leads SELECT g, 1 + g % 4, CASE g % 2 WHEN 0 THEN 'freshcrm_ann' ELSE 'freshcrm_bob' END,
    CASE g % 5 WHEN 0 THEN 'won' ELSE 'open' END, g % 3 = 0, true FROM generate_series(1, 12) g;
GRANT SELECT ON teams, customers, leads TO "freshcrm sales team", freshcrm_boss;

CREATE VIEW lead_list AS
    SELECT l.id, l.stage, l."Owner" AS rep, l.secret, c.name, c.region
    FROM leads l JOIN customers c ON c.id = l.customer_id;
-- PostgreSQL itself says what a role may see of it.
CREATE VIEW lead_list_of_caller WITH (security_invoker) AS
    SELECT l.id, l.stage, l."Owner" AS rep, l.secret, c.name, c.region
    FROM leads l JOIN customers c ON c.id = l.customer_id;
GRANT SELECT ON lead_list_of_caller TO "freshcrm sales team", freshcrm_boss;

CREATE FUNCTION seen_as(role name, relation text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    ids text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE format('SELECT coalesce(string_agg(id::text, '','' ORDER BY id), ''none'') FROM rls.%I', relation) INTO ids;
    RESET ROLE;
    RETURN ids;
END
$$;
CREATE FUNCTION seen(relation text, of_caller text) RETURNS TABLE (role name, projection text, is_right boolean) LANGUAGE sql AS
$$ SELECT role, seen_as(role, relation), seen_as(role, relation) = seen_as(role, of_caller)
   FROM unnest('{freshcrm_ann,freshcrm_bob,freshcrm_boss}'::name[]) AS role $$;

-- No policies, no templates.
SELECT freshcrm.create_projection('lead_list', '{id}');
GRANT SELECT ON lead_list_hot TO "freshcrm sales team", freshcrm_boss;
SELECT * FROM freshcrm.explain_row_security('lead_list_hot');
SELECT freshcrm.drop_projection('lead_list_hot');

-- One table with policies, permissive and restrictive, of roles and commands; those of other commands do not count.
ALTER TABLE leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leads FOR SELECT TO "freshcrm sales team" USING ("Owner" = current_user);
CREATE POLICY "won ones" ON leads USING (stage = 'won');
CREATE POLICY everything ON leads TO freshcrm_boss, "freshcrm sales team" USING (pg_has_role('freshcrm_boss', 'USAGE'));
CREATE POLICY secrets ON leads AS RESTRICTIVE FOR SELECT TO PUBLIC USING (NOT secret OR current_user = 'freshcrm_boss');
CREATE POLICY regions ON leads AS RESTRICTIVE FOR ALL TO freshcrm_bob USING (
    EXISTS (SELECT FROM teams lead_list_hot WHERE lead_list_hot.member = leads."Owner" AND length(leads.stage) > 2)
    AND id NOT IN (SELECT 12 FROM teams WHERE member = "Owner"));
CREATE POLICY written ON leads FOR UPDATE USING (id = 1);
CREATE POLICY added ON leads FOR INSERT WITH CHECK (id = 1);
CREATE POLICY none ON leads FOR ALL WITH CHECK (true);
SET client_min_messages = notice;
SELECT freshcrm.create_projection('lead_list', '{id}');
SET client_min_messages = warning;
GRANT SELECT ON lead_list_hot TO "freshcrm sales team", freshcrm_boss;
-- What it would show without them.
SELECT * FROM seen('lead_list_hot', 'lead_list_of_caller');
\x on
SELECT * FROM freshcrm.explain_row_security('lead_list_hot');
\x off
\t on
SELECT template FROM freshcrm.explain_row_security('lead_list_hot') \gexec
\t off
SELECT * FROM seen('lead_list_hot', 'lead_list_of_caller');
-- Upkeep is not bound by them, and they are the same when asked for again.
UPDATE leads SET stage = 'lost' WHERE stage = 'won' AND id < 9;
SELECT * FROM freshcrm.verify_projection('lead_list_hot');
SELECT * FROM seen('lead_list_hot', 'lead_list_of_caller');
SELECT count(*) FROM freshcrm.explain_row_security('lead_list_hot');
SELECT freshcrm.drop_projection('lead_list_hot');

SET client_min_messages = error;
-- Several tables: a row is shown where the rows of each are. Their policies have the same name.
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON customers TO "freshcrm sales team" USING (region IN (SELECT t.region FROM teams t WHERE t.member = current_user));
CREATE POLICY boss ON customers FOR SELECT TO freshcrm_boss USING (true);
CREATE POLICY secrets ON customers AS RESTRICTIVE FOR SELECT USING (name <> 'c4');
SELECT freshcrm.create_projection('lead_list', '{id}');
GRANT SELECT ON lead_list_hot TO "freshcrm sales team", freshcrm_boss;
\x on
SELECT * FROM freshcrm.explain_row_security('lead_list_hot') WHERE base_table = 'customers'::regclass;
\x off
\t on
SELECT template FROM freshcrm.explain_row_security('lead_list_hot') \gexec
\t off
SELECT * FROM seen('lead_list_hot', 'lead_list_of_caller');
SELECT freshcrm.drop_projection('lead_list_hot');

-- Renamed columns and tables, a nested view, a USING column; the columns of the table are those of the target.
CREATE VIEW nested AS SELECT id AS customer_id, name, region AS area FROM customers;
CREATE VIEW renamed AS SELECT l.id, l."Owner", l.stage, l.secret, n.name AS customer, n.area FROM leads l JOIN nested n USING (customer_id);
SELECT freshcrm.create_projection('renamed', '{id}');
ALTER TABLE renamed_hot RENAME COLUMN area TO "The ""Area""";
ALTER TABLE renamed_hot RENAME TO "Hot: leads";
GRANT SELECT ON "Hot: leads" TO "freshcrm sales team", freshcrm_boss;
SELECT template FROM freshcrm.explain_row_security('"Hot: leads"') WHERE base_table = 'customers'::regclass;
\t on
SELECT template FROM freshcrm.explain_row_security('"Hot: leads"') \gexec
\t off
SELECT * FROM seen('Hot: leads', 'lead_list_of_caller');
DROP VIEW renamed;
DROP TABLE "Hot: leads";

-- What is no plain copy: an expression, an aggregate, a cast, a column left out, the row as a whole, a system column,
-- a column of another branch. Names do not break out of the comment.
DROP POLICY regions ON leads; DROP POLICY everything ON leads; DROP POLICY own ON leads; DROP POLICY "won ones" ON leads;
DROP POLICY secrets ON leads;
CREATE POLICY by_expression ON leads USING (stage = 'won');
CREATE POLICY by_cast ON leads USING ("Owner" = current_user);
CREATE POLICY by_copy ON leads USING (id < 3);
CREATE POLICY by_row ON leads USING (leads IS NOT NULL);
CREATE POLICY by_system ON leads USING (ctid IS NOT NULL);
CREATE POLICY "line
break" ON leads AS RESTRICTIVE USING (secret OR "is
open");
CREATE VIEW computed AS
    SELECT l.id, upper(l.stage) AS stage, l."Owner"::text AS "Owner", l.secret, max(c.region) AS region, max(c.name) AS name
    FROM leads l JOIN customers c ON c.id = l.customer_id GROUP BY l.id;
SELECT freshcrm.create_projection('computed', '{id}');
SELECT policy, template FROM freshcrm.explain_row_security('computed_hot');
SELECT freshcrm.drop_projection('computed_hot');
CREATE VIEW branches AS SELECT id, name FROM customers UNION ALL SELECT id + 100, stage FROM leads;
SELECT freshcrm.create_projection('branches', '{id}');
SELECT template FROM freshcrm.explain_row_security('branches_hot');
SELECT freshcrm.drop_projection('branches_hot');

-- The same table twice; a table without a policy for SELECT; names that are long.
DROP POLICY by_expression ON leads; DROP POLICY by_cast ON leads; DROP POLICY by_row ON leads; DROP POLICY by_system ON leads;
DROP POLICY "line
break" ON leads; DROP POLICY by_copy ON leads;
DROP POLICY own ON customers; DROP POLICY boss ON customers; DROP POLICY secrets ON customers;
CREATE POLICY ééééééééééééééééééééééééééééééé ON customers USING (region = 'n');
CREATE VIEW pairs AS SELECT a.id, b.id AS other, a.region, b.region AS other_region, l.id AS lead
    FROM customers a JOIN customers b ON b.id = a.id + 2 JOIN leads l ON l.customer_id = a.id;
SELECT freshcrm.create_projection('pairs', '{id,lead}', options => '{"full": ["customers"]}');
SELECT * FROM freshcrm.explain_row_security('pairs_hot');
SELECT freshcrm.drop_projection('pairs_hot');

-- For the owner of the projection.
SELECT freshcrm.create_projection('lead_list', '{id}');
SELECT freshcrm.explain_row_security('leads');
SET ROLE freshcrm_ann;
SELECT freshcrm.explain_row_security('lead_list_hot');
RESET ROLE;
GRANT EXECUTE ON FUNCTION freshcrm.explain_row_security(regclass) TO freshcrm_ann;
SET ROLE freshcrm_ann;
SELECT freshcrm.explain_row_security('lead_list_hot');
RESET ROLE;
\set VERBOSITY terse
DROP SCHEMA rls CASCADE;
DROP OWNED BY freshcrm_ann, freshcrm_bob, freshcrm_boss, "freshcrm sales team";
DROP ROLE freshcrm_ann, freshcrm_bob, freshcrm_boss, "freshcrm sales team";
