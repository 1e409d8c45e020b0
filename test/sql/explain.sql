-- explain_projection(): how each base table is traced, and the indexes that this wants.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set file :srcdir '/include/workload.sql'
\i :file
\set ECHO queries
\pset format unaligned
CREATE VIEW cockpit AS
    SELECT l.id, c.name, r.name AS region, o.name AS owner, t.name AS team,
           (SELECT max(a.at) FROM activities a WHERE a.lead_id = l.id AND a.deleted_at IS NULL) AS last,
           (SELECT s.state FROM samples s WHERE s.lead_id = l.id AND s.latest ORDER BY s.id DESC LIMIT 1) AS sample
    FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region
    LEFT JOIN (owners o JOIN teams t ON t.id = o.team_id) ON o.id = l.owner_id;

-- Before there is a projection; then with it, which names what is missing.
SELECT * FROM freshcrm.explain_projection('cockpit', '{id}');
SELECT freshcrm.create_projection('cockpit', '{id}');
SELECT count(*) AS rows, count(*) FILTER (WHERE NOT index_exists) AS missing FROM freshcrm.explain_projection('cockpit_hot');
-- The DDL is ready to run, and then nothing is missing.
SELECT DISTINCT wanted_index FROM freshcrm.explain_projection('cockpit_hot') WHERE NOT index_exists ORDER BY 1 \gexec
SELECT count(*) AS rows, count(*) FILTER (WHERE NOT index_exists) AS missing FROM freshcrm.explain_projection('cockpit_hot');
SELECT freshcrm.drop_projection('cockpit_hot');
SELECT freshcrm.create_projection('cockpit', '{id}');
DROP VIEW cockpit CASCADE;
DROP TABLE cockpit_hot;

-- What counts as existing.
CREATE TABLE o (id integer PRIMARY KEY, code text, name text COLLATE "C", k1 integer, k2 bigint);
CREATE TABLE n (id integer, o_id integer, k1 integer, k2 bigint, code text, name text COLLATE "C", at timestamp, gone boolean, kind text);
CREATE FUNCTION counts(condition text, VARIADIC ddl text[]) RETURNS TABLE (index text, counts boolean, wanted text)
LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE 'CREATE VIEW v AS SELECT o.id, (SELECT count(*) FROM n WHERE ' || condition || ') AS c FROM o';
    FOREACH index IN ARRAY ddl LOOP
        EXECUTE 'CREATE ' || index;
        SELECT e.index_exists, e.wanted_index INTO counts, wanted
        FROM freshcrm.explain_projection('v', '{id}') e WHERE base_table = 'n'::regclass AND mapping_query IS NULL;
        RETURN NEXT;
        EXECUTE (SELECT string_agg('DROP INDEX ' || indexrelid::regclass, '; ') FROM pg_index WHERE indrelid = 'n'::regclass);
    END LOOP;
    DROP VIEW v;
END
$$;
SELECT * FROM counts('n.o_id = o.id', 'INDEX ON n (o_id)', 'INDEX ON n (o_id, kind)', 'INDEX ON n (kind, o_id)',
    'INDEX ON n (kind) INCLUDE (o_id)', 'INDEX ON n USING hash (o_id)', 'INDEX ON n USING brin (o_id)', 'INDEX ON n ((o_id + 0))',
    'INDEX ON n (o_id) WHERE NOT gone', 'INDEX ON n (o_id) WHERE o_id IS NOT NULL');
SELECT * FROM counts('n.k1 = o.k1 AND o.k2 = n.k2 AND n.o_id = o.id', 'INDEX ON n (k2, o_id, k1, kind)', 'INDEX ON n (k2, k1)', 'INDEX ON n (k1)',
    'INDEX ON n (k2, kind, k1, o_id)', 'UNIQUE INDEX ON n (k2)', 'UNIQUE INDEX ON n (k2, kind)');
SELECT * FROM counts('n.o_id = o.id AND n.gone IS NULL AND n.kind = ''call''', 'INDEX ON n (o_id) WHERE gone IS NULL',
    'INDEX ON n (o_id) WHERE kind = ''call'' AND gone IS NULL', 'INDEX ON n (o_id) WHERE kind IN (''mail'', ''call'')',
    'INDEX ON n (o_id) WHERE kind = ''mail''', 'INDEX ON n (o_id) WHERE gone', 'INDEX ON n (o_id) WHERE at IS NULL');
SELECT * FROM counts('n.o_id = o.id AND (n.gone IS NULL OR n.kind = ''call'')', 'INDEX ON n (o_id) WHERE gone IS NULL',
    'INDEX ON n (o_id) WHERE gone IS NULL OR kind = ''call''');
SELECT * FROM counts('n.code = o.code', 'INDEX ON n (code)', 'INDEX ON n (code text_pattern_ops)', 'INDEX ON n (code COLLATE "C")', 'INDEX ON n (name)');
SELECT * FROM counts('n.name = o.name', 'INDEX ON n (name)', 'INDEX ON n (name COLLATE "POSIX")');
SELECT * FROM counts('lower(n.code) = o.code', 'INDEX ON n (lower(code))', 'INDEX ON n (code)', 'INDEX ON n (upper(code))');
-- An invalid index does not count, nor a predicate that only another query states.
CREATE INDEX broken ON n (o_id);
CREATE INDEX part ON n (k1) WHERE gone IS NULL;
CREATE VIEW v AS SELECT o.id, (SELECT count(*) FROM n WHERE n.o_id = o.id) AS c,
    (SELECT count(*) FROM n WHERE n.k1 = o.id AND n.gone IS NULL) AS d, (SELECT max(kind) FROM n WHERE n.k1 = o.id) AS e FROM o;
BEGIN;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
SELECT wanted_index, index_exists FROM freshcrm.explain_projection('v', '{id}');
ROLLBACK;
DROP VIEW v;
-- The quals of the query serve a recompute, not a mapping query, which does not state them; a qual of an outer
-- join's ON says nothing of the other side.
CREATE VIEW v AS SELECT n.id, o.code FROM n LEFT JOIN o ON o.id = n.o_id AND n.kind = 'call' WHERE n.gone IS NULL;
CREATE INDEX gone_id ON n (id) WHERE gone IS NULL;
CREATE INDEX gone_o_id ON n (o_id) WHERE gone IS NULL;
DROP INDEX broken;
SELECT base_table, traced, wanted_index, index_exists FROM freshcrm.explain_projection('v', '{id}');
DROP INDEX gone_id;
CREATE INDEX gone_id ON n (id) WHERE kind = 'call';
SELECT base_table, traced, wanted_index, index_exists FROM freshcrm.explain_projection('v', '{id}');
DROP VIEW v;
-- What is asked of the row that LIMIT has chosen is not asked of those that it chooses from.
CREATE VIEW v AS SELECT o.id, x.kind FROM o CROSS JOIN LATERAL (SELECT n.kind FROM n WHERE n.o_id = o.id AND n.gone IS NULL ORDER BY n.id LIMIT 1) x WHERE x.kind = 'call';
DROP INDEX gone_o_id;
CREATE INDEX called ON n (o_id) WHERE kind = 'call';
SELECT base_table, traced, wanted_index, index_exists FROM freshcrm.explain_projection('v', '{id}');
CREATE INDEX gone_o_id ON n (o_id) WHERE gone IS NULL;
SELECT base_table, traced, wanted_index, index_exists FROM freshcrm.explain_projection('v', '{id}');
DROP VIEW v;
DROP TABLE n, o;

-- Other kinds of tracing.
CREATE VIEW v AS SELECT l.id, (SELECT max(at) FROM activities) AS last, (SELECT count(*) FROM samples s WHERE s.lead_id > l.id) AS n,
    (SELECT count(*) FROM owners o WHERE o.id = l.owner_id) AS m FROM leads l;
SELECT freshcrm.explain_projection('v', '{id}');
SELECT * FROM freshcrm.explain_projection('v', '{id}', '{"full": ["activities"], "mapping": {"samples": "SELECT l.id FROM changed c, crm.leads l WHERE c.lead_id > l.id", "owners": "SELECT id FROM crm.leads"}}');
DROP VIEW v;
CREATE VIEW v AS SELECT id, label FROM leads UNION ALL SELECT s.id, l.label FROM samples s JOIN leads l ON l.id = s.lead_id;
SELECT * FROM freshcrm.explain_projection('v', '{id}');
DROP VIEW v;
CREATE VIEW v AS SELECT c.region, l.stage, count(*) FROM leads l JOIN customers c ON c.id = l.customer_id WHERE EXISTS (SELECT FROM teams t JOIN owners o ON o.team_id = t.id WHERE o.id = l.owner_id) GROUP BY 1, 2;
SELECT * FROM freshcrm.explain_projection('v', '{region,stage}');
DROP VIEW v;

SELECT format('DROP INDEX %s', i.indexrelid::regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE relnamespace = 'crm'::regnamespace AND NOT i.indisprimary ORDER BY 1 \gexec
-- With the indexes that are wanted, no plan has to read a whole table: neither for a key nor for a change.
-- Scans of a table or an index as a whole.
CREATE FUNCTION scans(query text) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN (SELECT count(*) FILTER (WHERE m[1] LIKE '% Scan') - count(*) FILTER (WHERE m[1] = 'Index Cond')
            FROM regexp_matches(plan::text, '"(Seq Scan|Index Scan|Index Only Scan|Bitmap Index Scan|Index Cond)"', 'g') m);
END
$$;
CREATE FUNCTION scans_with_indexes(query text, condition text, OUT made integer,
    OUT key_without integer, OUT key_with integer, OUT change_without integer, OUT change_with integer)
LANGUAGE plpgsql AS
$$
DECLARE
    wanted text[];
    changes text[];
    statement text;
    key name[] := ARRAY(SELECT m[1] FROM regexp_matches(condition, '(\w+) =', 'g') m);
BEGIN
    EXECUTE 'CREATE VIEW v AS ' || query;
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_mergejoin = off;
    wanted := ARRAY(SELECT DISTINCT wanted_index FROM freshcrm.explain_projection('v', key) WHERE NOT index_exists);
    changes := ARRAY(SELECT DISTINCT format('WITH changed AS MATERIALIZED (SELECT (x).* FROM (SELECT NULL::%s AS x OFFSET 0) y) %s',
                                            base_table, mapping_query)
                     FROM freshcrm.explain_projection('v', key) WHERE mapping_query IS NOT NULL);
    made := cardinality(wanted);
    key_without := scans('SELECT * FROM v WHERE ' || condition);
    change_without := (SELECT coalesce(sum(scans(c)), 0) FROM unnest(changes) c);
    FOREACH statement IN ARRAY wanted LOOP
        EXECUTE statement;
    END LOOP;
    key_with := scans('SELECT * FROM v WHERE ' || condition);
    change_with := (SELECT coalesce(sum(scans(c)), 0) FROM unnest(changes) c);
    RAISE EXCEPTION 'take back' USING ERRCODE = 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN NULL;
END
$$;
INSERT INTO customers SELECT g FROM generate_series(1, 1000) g;
INSERT INTO leads SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO activities SELECT g, g FROM generate_series(1, 1000) g;
ANALYZE customers, leads, activities;
SELECT s.* FROM (VALUES
    ('SELECT l.id, c.name, r.name AS region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.code = c.region', 'id = 1'),
    ('SELECT l.id, (SELECT max(at) FROM activities a WHERE a.lead_id = l.id) FROM leads l WHERE EXISTS (SELECT FROM samples s WHERE s.lead_id = l.id)', 'id = 1'),
    ('SELECT c.id, (SELECT max(a.at) FROM activities a JOIN leads l ON l.id = a.lead_id WHERE l.customer_id = c.id) FROM customers c', 'id = 1'),
    ('SELECT customer_id AS id, count(*) FROM leads GROUP BY 1', 'id = 1'),
    ('SELECT l.id, x.kind FROM leads l LEFT JOIN LATERAL (SELECT kind FROM activities a WHERE a.lead_id = l.id ORDER BY at DESC, a.id LIMIT 1) x ON true', 'id = 1'),
    ('SELECT date_trunc(''day'', at) AS day, count(*) FROM activities GROUP BY 1', 'day = ''2026-01-01'''),
    ('SELECT c.region AS id, count(*) FROM leads l JOIN customers c ON c.id = l.customer_id GROUP BY 1', 'id = ''x'''),
    ('SELECT id, label FROM leads UNION ALL SELECT s.id, l.label FROM samples s JOIN leads l ON l.customer_id = s.lead_id', 'id = 1'),
    ('SELECT l.stage, c.region, count(*) FROM leads l JOIN customers c ON c.id = l.customer_id GROUP BY 1, 2', 'stage = ''new'' AND region = ''x''')) v (query, condition),
    scans_with_indexes(query, condition) s;

-- Who may.
CREATE ROLE freshcrm_clerk;
CREATE VIEW v AS SELECT id FROM leads;
SELECT freshcrm.create_projection('v', '{id}');
GRANT USAGE ON SCHEMA crm TO freshcrm_clerk;
SET ROLE freshcrm_clerk;
SELECT * FROM freshcrm.explain_projection('v_hot');
RESET ROLE;
GRANT EXECUTE ON FUNCTION freshcrm.explain_projection(regclass), freshcrm.explain_projection(regclass, name[], jsonb) TO freshcrm_clerk;
SET ROLE freshcrm_clerk;
SELECT * FROM freshcrm.explain_projection('v_hot');
SELECT * FROM freshcrm.explain_projection('v', '{id}');
RESET ROLE;
SELECT * FROM freshcrm.explain_projection('v');
SELECT * FROM freshcrm.explain_projection('leads', '{id}');
SELECT * FROM freshcrm.explain_projection('v', '{nothing}');
SELECT * FROM freshcrm.explain_projection('v', '{id}', '{"full": ["teams"]}');
-- It calls functions of index predicates as the owner of the view.
CREATE FUNCTION crm.whoami(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RAISE NOTICE 'called as %', current_user; RETURN true; END $$;
CREATE INDEX ON samples (lead_id) WHERE whoami(1);
CREATE VIEW w AS SELECT l.id, (SELECT count(*) FROM samples s WHERE s.lead_id = l.id AND (s.id > 0) = whoami(2)) AS n FROM leads l;
ALTER VIEW w OWNER TO freshcrm_clerk;
SELECT base_table, index_exists FROM freshcrm.explain_projection('w', '{id}');
\set VERBOSITY terse
SET client_min_messages = warning;
DROP FUNCTION difference;
DROP SCHEMA crm CASCADE;
DROP OWNED BY freshcrm_clerk;
DROP ROLE freshcrm_clerk;
