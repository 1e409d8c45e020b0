-- refresh_lints(): what makes refreshes of a materialized view slower, more frequent or more public than need be.
\set ECHO queries
\pset format unaligned
CREATE SCHEMA "a lint";
SET search_path = "a lint", public;
CREATE TABLE owners (id integer PRIMARY KEY, email text UNIQUE NOT NULL, name text);
CREATE TABLE leads (id bigint PRIMARY KEY, owner_id integer, customer text, "Label" text, at timestamptz);
CREATE TABLE acts (lead_id bigint, n integer, kind text, at timestamptz, PRIMARY KEY (lead_id, n));
CREATE TABLE kinds (kind text UNIQUE NOT NULL, title text);
CREATE TABLE loose (code text UNIQUE, a integer);
CREATE TABLE parts (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE VIEW led AS SELECT l.id AS lead, l."Label" AS "La bel", o.name FROM leads l JOIN owners o ON o.id = l.owner_id;

-- X19: REFRESH ... CONCURRENTLY fails on these, and the lint says what to do about it.
CREATE MATERIALIZED VIEW m AS SELECT * FROM led WITH NO DATA;
\set VERBOSITY sqlstate
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
\set VERBOSITY default
SELECT lint, message, hint FROM freshcrm.refresh_lints('m') WHERE lint IN ('no_unique_index', 'not_populated');
SELECT hint FROM freshcrm.refresh_lints('m') WHERE lint IN ('no_unique_index', 'not_populated') ORDER BY lint \gexec
SELECT lint FROM freshcrm.refresh_lints('m') WHERE lint <> 'not_watched';
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
-- An index that the server does not accept does not count.
CREATE FUNCTION serves(index text, OUT says_the_server boolean, OUT says_the_lint boolean) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE index;
    says_the_lint := NOT EXISTS (SELECT FROM freshcrm.refresh_lints('m') WHERE lint = 'no_unique_index');
    says_the_server := true;
    REFRESH MATERIALIZED VIEW CONCURRENTLY m;
    DROP INDEX i;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    says_the_server := false;
END
$$;
DROP INDEX m_lead_idx;
SELECT i AS index, s.* FROM unnest(ARRAY['CREATE UNIQUE INDEX i ON m (lead)', 'CREATE UNIQUE INDEX i ON m (lead) INCLUDE (name)', 'CREATE UNIQUE INDEX i ON m (lead, name)', 'CREATE INDEX i ON m (lead)',
    'CREATE UNIQUE INDEX i ON m (lead) WHERE name IS NOT NULL', 'CREATE UNIQUE INDEX i ON m ((lead + 1))', 'CREATE UNIQUE INDEX i ON m (lead, (lead + 1))',
    'CREATE UNIQUE INDEX i ON m (lead); UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''i''::regclass']) i, serves(i) s;
DROP MATERIALIZED VIEW m;

-- The columns that are proposed.
CREATE FUNCTION proposed(query text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    ddl text;
BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW m AS ' || query;
    SELECT hint INTO ddl FROM freshcrm.refresh_lints('m') WHERE lint = 'no_unique_index';
    IF ddl !~ '\.\.\.' THEN
        EXECUTE ddl;
        REFRESH MATERIALIZED VIEW CONCURRENTLY m;
    END IF;
    DROP MATERIALIZED VIEW m;
    RETURN substring(ddl FROM '\.m (\(.*\));');
END
$$;
-- With rows, so that a wrong proposal cannot be made.
INSERT INTO owners SELECT g, 'mail' || g, 'same' FROM generate_series(1, 3) g;
INSERT INTO leads SELECT g, g % 3, 'c' || g % 2, 'same', '2026-01-01' FROM generate_series(1, 9) g;
INSERT INTO kinds VALUES ('call', 'same'), ('mail', 'same');
INSERT INTO acts SELECT l, n, CASE WHEN n = 1 THEN 'call' ELSE 'mail' END, '2026-01-01' FROM generate_series(1, 9) l, generate_series(1, 3) n;
INSERT INTO loose VALUES (NULL, 1), (NULL, 1), ('x', 1);
SELECT q AS query, proposed(q) FROM unnest(ARRAY[
    'SELECT * FROM leads', 'SELECT "Label", id AS "the ""id" FROM leads', 'SELECT customer FROM leads', 'SELECT * FROM acts', 'SELECT n, lead_id FROM acts', 'SELECT * FROM kinds', 'SELECT * FROM loose', 'SELECT * FROM parts',
    'SELECT * FROM led', 'SELECT * FROM led JOIN acts a ON a.lead_id = led.lead', 'SELECT 1 AS one', 'SELECT count(*) AS n FROM leads', 'SELECT id FROM leads LIMIT 1', 'SELECT generate_series(1, 2) AS g FROM leads',
    'SELECT customer, count(*) FROM leads GROUP BY 1', 'SELECT count(*), at, customer FROM leads GROUP BY customer, at', 'SELECT count(*) FROM leads GROUP BY customer', 'SELECT customer, at, count(*) FROM leads GROUP BY ROLLUP (1, 2)',
    'SELECT date_trunc(''day'', at) AS day, count(*) FROM leads GROUP BY 1',
    'SELECT l.id, l.customer, o.name, count(a.n) FROM leads l LEFT JOIN owners o ON o.id = l.owner_id LEFT JOIN acts a ON a.lead_id = l.id GROUP BY l.id, l.customer, o.name',
    'SELECT l.customer, o.id, o.name, count(*) FROM leads l JOIN owners o ON o.id = l.owner_id GROUP BY 1, 2, 3',
    'SELECT DISTINCT customer, at FROM leads', 'SELECT DISTINCT ON (customer) customer, id FROM leads ORDER BY 1, 2', 'SELECT DISTINCT l.id, l.customer FROM leads l, acts a',
    'SELECT l.id, o.name FROM leads l LEFT JOIN owners o ON o.id = l.owner_id', 'SELECT l.id, o.name FROM leads l, owners o WHERE l.owner_id = o.id', 'SELECT l.id, o.id AS owner FROM leads l, owners o',
    'SELECT o.id, l.customer FROM leads l LEFT JOIN owners o ON o.id = l.owner_id', 'SELECT l.id, l.customer FROM owners o LEFT JOIN leads l ON l.owner_id = o.id AND l.id = 1', 'SELECT id, name FROM leads FULL JOIN owners USING (id)',
    'SELECT l.id, a.n FROM leads l LEFT JOIN acts a ON a.lead_id = l.id', 'SELECT a.lead_id, a.n, k.title FROM acts a JOIN kinds k USING (kind)', 'SELECT l.id, a.at FROM leads l JOIN acts a ON a.lead_id = l.id AND a.n = 1',
    'SELECT l.id, x.at FROM leads l LEFT JOIN LATERAL (SELECT at FROM acts a WHERE a.lead_id = l.id ORDER BY n DESC LIMIT 1) x ON true',
    'SELECT l.id, x.c FROM leads l CROSS JOIN LATERAL (SELECT count(*) AS c FROM acts a WHERE a.lead_id = l.id) x', 'SELECT l.id, x.c FROM leads l LEFT JOIN (SELECT lead_id, count(*) AS c FROM acts GROUP BY 1) x ON x.lead_id = l.id',
    'WITH c AS (SELECT customer, count(*) AS n FROM leads GROUP BY 1) SELECT l.id, c.n FROM leads l JOIN c USING (customer)', 'SELECT l.id, m.id AS other FROM leads l JOIN leads m ON m.id = l.id', 'SELECT id FROM leads UNION SELECT id FROM owners',
    'SELECT id FROM leads UNION ALL SELECT id + 100 FROM owners', 'SELECT l.id, f FROM leads l, generate_series(1, 2) f', 'SELECT l.id, o.email FROM leads l JOIN owners o ON o.email = l.customer', 'SELECT o.email FROM owners o']) q;
DROP FUNCTION proposed;

-- Each of the others.
CREATE ROLE freshcrm_clerk;
GRANT USAGE, CREATE ON SCHEMA "a lint" TO freshcrm_clerk;
GRANT SELECT ON owners, leads TO freshcrm_clerk;
ALTER TABLE leads ENABLE ROW LEVEL SECURITY;
CREATE MATERIALIZED VIEW m AS SELECT l.id, o.name, now() AS made FROM leads l JOIN owners o ON o.id = l.owner_id;
CREATE UNIQUE INDEX ON m (id);
SELECT * FROM freshcrm.refresh_lints('m');
GRANT TRIGGER ON leads TO freshcrm_clerk;
ALTER MATERIALIZED VIEW m OWNER TO freshcrm_clerk;
SELECT * FROM freshcrm.refresh_lints('m') WHERE lint <> 'row_security';
SELECT freshcrm.refresh_lints('leads');
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA "a lint" CASCADE;
DROP ROLE freshcrm_clerk;
