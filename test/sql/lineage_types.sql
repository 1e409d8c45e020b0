-- Equality between columns of other types, of other collations, through casts; keys of such types; and values
-- whose text depends on settings.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO queries
SET client_min_messages = warning;
CREATE SCHEMA types;
SET search_path = types, public;
DROP EXTENSION IF EXISTS citext CASCADE;
CREATE EXTENSION citext SCHEMA types;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN code AS varchar(5);
CREATE TABLE k (id integer PRIMARY KEY, v varchar(5), c char(5), t text, ci citext, n numeric, i8 bigint, i2 smallint,
                bits bit(4), d code, x text COLLATE ci, f float8, u uuid, b bytea);
CREATE TABLE m (id integer PRIMARY KEY, v varchar(9), c char(3), t text, ci citext, n numeric, i8 bigint, i2 smallint,
                bits bit(4), d code, x text COLLATE ci, f float8, u uuid, b bytea, val integer);

-- Each pair of expressions over k and m that the view links by equality.
CREATE TABLE links (link text, key name);
INSERT INTO links VALUES
    ('m.c = k.c', 'id'), ('m.v = k.c', 'id'), ('m.c = k.v', 'id'), ('m.t = k.v', 'id'), ('m.v = k.t', 'id'), ('m.bits = k.bits', 'id'),
    ('m.c::text = k.v', 'id'), ('m.v::bpchar = k.v::bpchar', 'id'), ('m.t::citext = k.t::citext', 'id'), ('m.ci = k.ci', 'id'),
    ('m.ci::text = k.t', 'id'), ('m.ci = k.v', 'id'), ('m.ci = k.t::citext', 'id'), ('m.n = k.n', 'id'), ('m.n = k.i8', 'id'),
    ('m.i8 = k.id', 'id'), ('m.i2 = k.i8', 'id'), ('m.id = k.i2', 'id'), ('m.d = k.d', 'id'), ('m.d = k.v', 'id'), ('m.t = k.d::text', 'id'),
    ('m.x = k.x', 'id'), ('m.x COLLATE "C" = k.x COLLATE "C"', 'id'), ('m.f = k.f', 'id'), ('m.f = k.i8', 'id'), ('m.u = k.u', 'id'),
    ('m.b = k.b', 'id'), ('lower(m.t) = lower(k.t)', 'id'), ('m.i8 + 1 = k.i8 + 1', 'id'), ('coalesce(m.i8, 1) = k.i8', 'id'),
    -- keys of such types: k.<key> is the key of the view
    ('m.c = k.c', 'c'), ('m.v = k.c', 'c'), ('m.c = k.v', 'v'), ('m.ci = k.ci', 'ci'), ('m.v = k.ci', 'ci'), ('m.t = k.ci::text', 'ci'),
    ('m.n = k.n', 'n'), ('m.i8 = k.n', 'n'), ('m.bits = k.bits', 'bits'), ('m.d = k.d', 'd'), ('m.x = k.x', 'x'), ('m.f = k.f', 'f'),
    ('m.u = k.u', 'u'), ('m.b = k.b', 'b');

CREATE FUNCTION try(link text, key name, through boolean, OUT result text, OUT matched bigint) LANGUAGE plpgsql AS
$$
DECLARE
    statement text;
BEGIN
    matched := 0;
    BEGIN
        IF through THEN
            -- the same one table further on
            EXECUTE format('CREATE VIEW v AS SELECT k.%1$I AS key, (SELECT sum(n.val) FROM m JOIN m n ON n.i8 = m.val WHERE %2$s) AS val
                            FROM k WHERE k.%1$I IS NOT NULL', key, link);
        ELSE
            EXECUTE format('CREATE VIEW v AS SELECT k.%1$I AS key, (SELECT sum(m.val) FROM m WHERE %2$s) AS val FROM k WHERE k.%1$I IS NOT NULL',
                           key, link);
        END IF;
        PERFORM freshcrm.create_projection('v', '{key}');
        FOREACH statement IN ARRAY ARRAY[
            $q$INSERT INTO k VALUES (1, 'a', 'a', 'a', 'a', 1.0, 1, 1, '0001', 'a', 'a', 1, md5('1')::uuid, '1'), (2, 'B', 'B', 'B', 'B', 2, 2, 2, '0010', 'B', 'B', 2.5, md5('2')::uuid, '2')$q$,
            $q$INSERT INTO m VALUES (1, 'a', 'a', 'A', 'A', 1.00, 1, 1, '0001', 'a', 'A', 1, md5('1')::uuid, '1', 1), (2, 'b', 'B', 'B', 'b', 2.5, 2, 2, '0010', 'B', 'b', 2.5, md5('2')::uuid, '2', 2)$q$,
            $q$INSERT INTO m VALUES (3, 'a ', 'a', 'a ', 'a ', 1.000, 1, 1, '0001', 'a', 'á', 1, md5('1')::uuid, '1', 5), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 9)$q$,
            $q$UPDATE m SET val = val + 10$q$,
            $q$UPDATE m SET v = 'B', c = 'B', t = 'b', ci = 'B', n = 2.0, i8 = 2, i2 = 2, bits = '0010', d = 'B', x = 'B', f = 2.5, u = md5('2')::uuid, b = '2' WHERE id = 1$q$,
            $q$UPDATE k SET v = 'b', c = 'b ', t = 'b', ci = 'b', n = 2.00, i8 = 2, d = 'b', x = 'b' WHERE id = 2$q$,
            $q$DELETE FROM m WHERE id = 2$q$,
            $q$UPDATE m SET val = -1$q$,
            $q$TRUNCATE m$q$] LOOP
            EXECUTE statement;
            result := difference('v_hot');
            IF result IS NOT NULL THEN
                result := result || ' after ' || statement;
                EXIT;
            END IF;
            matched := matched + (SELECT count(val) FROM v_hot);
        END LOOP;
        result := coalesce(result, 'equal');
        RAISE EXCEPTION 'take back' USING ERRCODE = 'RB000';
    EXCEPTION
        WHEN SQLSTATE 'RB000' THEN NULL;
        WHEN OTHERS THEN result := format('%s %s', SQLSTATE, SQLERRM);
    END;
END
$$;
SELECT link, key, t.*, u.result AS through, u.matched FROM links, LATERAL try(link, key, false) t, LATERAL try(link, key, true) u;

-- A key that compares otherwise than its column is refused.
CREATE VIEW other_equality AS SELECT ci::text AS key FROM k;
SELECT freshcrm.create_projection('other_equality', '{key}');

-- A key of a domain, found through a column of its base type.
CREATE DOMAIN small AS integer CHECK (VALUE < 1000);
CREATE TABLE named (id small PRIMARY KEY);
CREATE TABLE numbered (k integer PRIMARY KEY, x integer);
CREATE TABLE far (x integer, val integer);
CREATE VIEW by_domain AS SELECT n.id, f.val FROM named n JOIN numbered m ON m.k = n.id JOIN far f ON f.x = m.x;
SELECT freshcrm.create_projection('by_domain', '{id}');
INSERT INTO named VALUES (1), (2);
INSERT INTO numbered VALUES (1, 10), (2, 20);
INSERT INTO far VALUES (10, 1), (20, 2);
UPDATE far SET val = val + 1 WHERE x = 10;
SELECT difference('by_domain_hot'), count(*), sum(val) FROM by_domain_hot;

-- Domains that refuse NULL, computed in the view: rows that are gone have none.
CREATE DOMAIN filled AS text NOT NULL;
CREATE DOMAIN checked AS integer CHECK (VALUE IS NOT NULL);
CREATE TABLE boxes (id integer PRIMARY KEY, name text, n integer);
CREATE VIEW labels AS SELECT id, (name || '!')::filled AS label, upper((name || '?')::filled) AS loud, (n + 1)::checked AS n FROM boxes;
CREATE VIEW over_labels AS SELECT id, label || loud AS both FROM labels;
SELECT freshcrm.create_projection('labels', '{id}');
SELECT freshcrm.create_projection('over_labels', '{id}');
INSERT INTO boxes SELECT g, 'box ' || g, g FROM generate_series(1, 5) AS g;
DELETE FROM boxes WHERE id = 1;
DELETE FROM boxes WHERE id < 4;
UPDATE boxes SET id = id + 10;
SELECT difference('labels_hot'), difference('over_labels_hot'), (SELECT count(*) FROM labels_hot);
SELECT count(*) FROM freshcrm.verify_projection('labels_hot');
DELETE FROM boxes;
SELECT difference('labels_hot'), difference('over_labels_hot'), (SELECT count(*) FROM labels_hot);

-- The settings of who writes do not show in the values.
CREATE VIEW texts AS SELECT id, f::text AS f, b::text AS b, quote_ident('i' || id) AS i FROM k;
SELECT freshcrm.create_projection('texts', '{id}');
SET extra_float_digits = -5; SET bytea_output = escape; SET quote_all_identifiers = on;
INSERT INTO k (id, f, b) VALUES (1, 0.1::float8 + 0.2::float8, 'x');
SELECT id, f, b, i FROM texts_hot;
RESET extra_float_digits; RESET bytea_output; RESET quote_all_identifiers;
SELECT difference('texts_hot');

-- One of them leaves rows out.
CREATE TABLE tags (id integer PRIMARY KEY, tag text);
CREATE TABLE tagged (tags text[]);
INSERT INTO tagged SELECT '{a}' FROM generate_series(1, 5000);
CREATE INDEX ON tagged USING gin (tags) WITH (fastupdate = off);
CREATE VIEW tag_counts AS SELECT g.id, (SELECT count(*) FROM tagged t WHERE t.tags @> ARRAY[g.tag]) AS count FROM tags g;
SELECT freshcrm.create_projection('tag_counts', '{id}', options => '{"full": ["tagged"]}');
SET enable_seqscan = off; SET gin_fuzzy_search_limit = 10;
INSERT INTO tags VALUES (1, 'a');
SELECT count < 5000 AS left_out FROM tag_counts;
SELECT id, count FROM tag_counts_hot;
RESET enable_seqscan; RESET gin_fuzzy_search_limit;
DROP SCHEMA types CASCADE;
DROP FUNCTION difference(regclass);
