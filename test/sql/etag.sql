-- Entity tags: what they depend on, and what they must not depend on.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS freshcrm;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE SCHEMA etag_test;
SET search_path = etag_test, public;

-- Each function is declared on purpose, described, and open to everybody.
SELECT oid::regprocedure, provolatile, proparallel, proisstrict,
       obj_description(oid, 'pg_proc') IS NOT NULL AS described,
       has_function_privilege('public', oid, 'EXECUTE') AS open
FROM pg_proc
WHERE pronamespace = 'freshcrm'::regnamespace AND proname IN ('etag', 'row_etag', 'sha256_hex')
ORDER BY proname;
SELECT has_schema_privilege('public', 'freshcrm', 'USAGE') AS schema_open;

-- SHA-256 itself.
SELECT freshcrm.sha256_hex(''), freshcrm.sha256_hex('abc');
SELECT freshcrm.sha256_hex(U&'Z\00fcrich') = encode(sha256('\x5ac3bc72696368'), 'hex') AS utf8,
       freshcrm.sha256_hex(NULL) IS NULL AS strict;

-- The canonical form, put together by hand (core/digest.hpp).
CREATE FUNCTION node(type text, value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN value IS NULL THEN '\x00'::bytea ELSE '\x01' END
           || int4send(length(type)) || convert_to(type, 'UTF8')
           || coalesce(int8send(length(value)) || value, '')
$$;
CREATE FUNCTION composed(type text, shape bytea, parts bytea[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT '\x02'::bytea || int4send(length(type)) || convert_to(type, 'UTF8')
           || int4send(length(shape)) || shape || int4send(cardinality(parts))
           || (SELECT coalesce(string_agg(part, ''::bytea ORDER BY at), '')
               FROM unnest(parts) WITH ORDINALITY AS p (part, at))
$$;
CREATE FUNCTION tag(VARIADIC nodes bytea[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256('\x01'::bytea || int4send(cardinality(nodes))
                         || (SELECT string_agg(node, ''::bytea ORDER BY at)
                             FROM unnest(nodes) WITH ORDINALITY AS n (node, at))), 'hex')
$$;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (x int4, y text);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN scores AS int4[];
CREATE DOMAIN checked_pair AS pair CHECK ((VALUE).x > 0);

\set u 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
SELECT what, actual, expected
FROM (VALUES
    ('bool', freshcrm.etag(true), tag(node('bool', boolsend(true)))),
    ('"char"', freshcrm.etag('x'::"char"), tag(node('char', charsend('x')))),
    ('int2', freshcrm.etag((-2)::int2), tag(node('int2', int2send((-2)::int2)))),
    ('int4', freshcrm.etag(-3), tag(node('int4', int4send(-3)))),
    ('int8', freshcrm.etag(-4::int8), tag(node('int8', int8send(-4)))),
    ('oid', freshcrm.etag(4000000000::oid), tag(node('oid', oidsend(4000000000::oid)))),
    ('float4', freshcrm.etag(1.5::float4), tag(node('float4', float4send(1.5::float4)))),
    ('float8', freshcrm.etag(0.1::float8), tag(node('float8', float8send(0.1)))),
    ('date', freshcrm.etag(date '2024-02-29'), tag(node('date', date_send('2024-02-29')))),
    ('time', freshcrm.etag(time '12:34:56.789'), tag(node('time', time_send('12:34:56.789')))),
    ('timestamp', freshcrm.etag(timestamp '2024-02-29 12:00'),
     tag(node('timestamp', timestamp_send('2024-02-29 12:00')))),
    ('timestamptz', freshcrm.etag(timestamptz '-infinity'),
     tag(node('timestamptz', timestamptz_send('-infinity')))),
    ('uuid', freshcrm.etag(:'u'::uuid), tag(node('uuid', uuid_send(:'u')))),
    ('bytea', freshcrm.etag('\x00ff'::bytea), tag(node('bytea', '\x00ff'))),
    ('text', freshcrm.etag('x'::text), tag(node('text', 'x'))),
    ('unknown', freshcrm.etag('x'), tag(node('text', 'x'))),
    ('varchar', freshcrm.etag('x'::varchar), tag(node('varchar', 'x'))),
    ('bpchar', freshcrm.etag('x'::char(3)), tag(node('bpchar', 'x  '))),
    ('json', freshcrm.etag('{ }'::json), tag(node('json', '{ }'))),
    ('numeric', freshcrm.etag(1.50), tag(node('numeric', numeric_send(1.50)))),
    ('interval', freshcrm.etag(interval '1 mon'), tag(node('interval', interval_send('1 mon')))),
    ('jsonb', freshcrm.etag('{"a": 1}'::jsonb), tag(node('jsonb', jsonb_send('{"a": 1}')))),
    ('citext', freshcrm.etag('Ab'::citext), tag(node('citext', 'Ab'))),
    ('enum', freshcrm.etag('ok'::mood), tag(node('mood', 'ok'))),
    ('domain', freshcrm.etag('a@b'::email), tag(node('text', 'a@b'))),
    ('NULL', freshcrm.etag(NULL::int4, NULL::mood[], NULL::pair, NULL),
     tag(node('int4', NULL), node('mood[]', NULL), node('record', NULL), node('text', NULL))),
    ('array', freshcrm.etag('[2:3][0:0]={{7},{NULL}}'::int2[]),
     tag(composed('int2[]', '\x00000002' || '\x0000000200000002'::bytea || '\x0000000100000000',
                  ARRAY[node('int2', int2send(7::int2)), node('int2', NULL)]))),
    ('empty array', freshcrm.etag('{}'::text[]), tag(composed('text[]', '\x00000000', '{}'))),
    ('array of domain', freshcrm.etag('{a@b}'::email[]),
     tag(composed('text[]', '\x000000010000000100000001', ARRAY[node('text', 'a@b')]))),
    ('domain over array', freshcrm.etag('{}'::scores), tag(composed('int4[]', '\x00000000', '{}'))),
    ('composite', freshcrm.etag(ROW(1, 'b')::pair),
     tag(composed('record', '', ARRAY[node('int4', int4send(1)), node('text', 'b')]))),
    ('domain over composite', freshcrm.etag(ROW(1, 'b')::pair::checked_pair),
     tag(composed('record', '', ARRAY[node('int4', int4send(1)), node('text', 'b')]))),
    ('range', freshcrm.etag(int4range(1, 5)),
     tag(composed('int4range', '\x02', ARRAY[node('int4', int4send(1)), node('int4', int4send(5))]))),
    ('half a range', freshcrm.etag(numrange(NULL, 5, '[]')),
     tag(composed('numrange', '\x0c', ARRAY[node('numeric', numeric_send(5))]))),
    ('empty range', freshcrm.etag('empty'::textrange), tag(composed('textrange', '\x01', '{}'))),
    ('multirange', freshcrm.etag('{[1,3),[5,)}'::int4multirange),
     tag(composed('int4multirange', '', ARRAY[
         composed('int4range', '\x02', ARRAY[node('int4', int4send(1)), node('int4', int4send(3))]),
         composed('int4range', '\x12', ARRAY[node('int4', int4send(5))])]))),
    ('regclass', freshcrm.etag('pg_class'::regclass), tag(node('regclass', 'pg_catalog.pg_class'))),
    ('no object', freshcrm.etag(0::regclass, 1::regtype),
     tag(node('regclass', '-'), node('regtype', '1')))
) AS form (what, actual, expected)
WHERE actual IS DISTINCT FROM expected;

-- Hard values: a tag that a client has kept must not change between versions.
SELECT freshcrm.etag(1, 'a');
SELECT freshcrm.etag(:'u'::uuid, timestamptz '2024-01-01 00:00+00', 12.50, true, NULL::text);
SELECT freshcrm.etag(ARRAY[1, NULL, 3], ROW(1, ROW('x', NULL)), int8range(1, 10), '{"a": [1, 2.0]}'::jsonb);
SELECT freshcrm.etag(interval '1 year 2 days', 'NaN'::float8, date 'infinity', inet '10.0.0.1/8', B'101');

-- A list of values and a row of them have one tag; names do not count.
SELECT freshcrm.etag(1, 'a', NULL) = freshcrm.row_etag(ROW(1, 'a', NULL)) AS row_constructor,
       freshcrm.etag(1, 'a'::text) = freshcrm.row_etag(ROW(1, 'a')::pair) AS named_type,
       freshcrm.etag(x, y) = freshcrm.row_etag(t) AS subquery,
       freshcrm.row_etag(t) = freshcrm.row_etag(ROW(t.*)) AS whole_row,
       freshcrm.etag(t) = freshcrm.etag(ROW(1, 'a'::text)::pair) AS nested
FROM (SELECT 1 AS x, 'a'::text AS y) AS t;
SELECT freshcrm.row_etag(NULL::pair) IS NULL AS no_row,
       freshcrm.row_etag(ROW(NULL, NULL)::pair) = freshcrm.etag(NULL::int4, NULL::text) AS row_of_nulls,
       freshcrm.row_etag(ROW()) IS NOT NULL AS row_of_nothing;
SELECT freshcrm.etag(VARIADIC ARRAY[1, 2, NULL]) = freshcrm.etag(1, 2, NULL::int4) AS expanded,
       freshcrm.etag(VARIADIC ARRAY[[1, 2], [3, 4]]) = freshcrm.etag(1, 2, 3, 4) AS dimensions,
       freshcrm.etag(VARIADIC '{}'::int[]) = freshcrm.row_etag(ROW()) AS empty,
       freshcrm.etag(VARIADIC '{a@b}'::email[]) = freshcrm.etag('a@b') AS domains,
       freshcrm.etag(VARIADIC NULL::int[]) IS NULL AS null_array,
       freshcrm.etag(ARRAY[1, 2]) <> freshcrm.etag(1, 2) AS not_variadic;
SELECT count(DISTINCT freshcrm.etag(VARIADIC array_fill(n, ARRAY[n]))) FROM generate_series(0, 200) AS n;

-- Values that look alike and are not the same.
SELECT count(*) AS rows, count(DISTINCT tag) AS tags
FROM (VALUES
    (freshcrm.etag(NULL::text)), (freshcrm.etag('')), (freshcrm.etag(NULL::text, NULL::text)),
    (freshcrm.etag('', '')), (freshcrm.etag('', NULL)), (freshcrm.etag(NULL, '')),
    (freshcrm.etag('a', 'bc')), (freshcrm.etag('ab', 'c')), (freshcrm.etag('abc')),
    (freshcrm.etag('bc', 'a')), (freshcrm.etag(1)), (freshcrm.etag(1::int8)), (freshcrm.etag(1::int2)),
    (freshcrm.etag('1')), (freshcrm.etag(1.0)), (freshcrm.etag(1.00)), (freshcrm.etag(1::float8)),
    (freshcrm.etag(1::float4)), (freshcrm.etag(true)), (freshcrm.etag(NULL::int)),
    (freshcrm.etag(0::float8)), (freshcrm.etag('-0'::float8)), (freshcrm.etag('NaN'::float8)),
    (freshcrm.etag('{}'::int[])), (freshcrm.etag('{NULL}'::int[])), (freshcrm.etag(NULL::int[])),
    (freshcrm.etag('{1}'::int[])), (freshcrm.etag('{{1}}'::int[])), (freshcrm.etag('[0:0]={1}'::int[])),
    (freshcrm.etag('{1}'::int8[])), (freshcrm.etag('{}'::int8[])),
    (freshcrm.etag(ROW(1))), (freshcrm.etag(ROW(ROW(1)))), (freshcrm.etag(ROW(NULL::int))),
    (freshcrm.etag(NULL::record)), (freshcrm.etag(ROW())), (freshcrm.etag(ROW(1), 2)), (freshcrm.etag(ROW(1, 2))),
    (freshcrm.etag(int4range(1, 2))), (freshcrm.etag(int4range(1, NULL))), (freshcrm.etag(int4range(NULL, 1))),
    (freshcrm.etag(numrange(1, 2, '[]'))), (freshcrm.etag(numrange(1, 2, '()'))),
    (freshcrm.etag(numrange(1, 2))), (freshcrm.etag('empty'::numrange)),
    (freshcrm.etag(interval '1 mon')), (freshcrm.etag(interval '30 days')), (freshcrm.etag(interval '720:00')),
    (freshcrm.etag(timestamp '2024-01-01')), (freshcrm.etag(timestamptz '2024-01-01')),
    (freshcrm.etag(date '2024-01-01')), (freshcrm.etag('{"a":1}'::json)), (freshcrm.etag('{"a": 1}'::json)),
    (freshcrm.etag('{"a": 1}'::jsonb)), (freshcrm.etag('Ab'::citext)), (freshcrm.etag('ab'::citext))
) AS t (tag);
-- Two NaNs that print alike: arithmetic makes one with the sign bit set, input one without.
CREATE TABLE nans (f4 float4, f8 float8);
INSERT INTO nans VALUES ('NaN', 'NaN'), (float4 'inf' - float4 'inf', float8 'inf' - float8 'inf');
SELECT count(DISTINCT freshcrm.row_etag(n)) AS tags FROM nans AS n;

-- One row with a column of each kind that a setting could show through.
CREATE TABLE sample AS
SELECT 7 AS id, U&'Z\00fcrich'::text AS city, U&'\00fc'::varchar(9) AS v, U&'\00fc'::char(4) AS c,
       U&'\00fc'::name AS n, U&'\00dc'::citext AS ci, U&'{"k": "\00fc"}'::json AS js,
       U&'{"\00fc": [1, 2.50]}'::jsonb AS jb, U&'\00fc=>1'::hstore AS h,
       to_tsvector('simple', U&'\00fcber') AS tsv, ARRAY[U&'\00fc', NULL] AS texts,
       ROW(1, U&'\00fc')::pair AS p, textrange(U&'a', U&'\00fc') AS tr, 'happy'::mood AS m,
       timestamptz '2024-03-31 02:30:00+00' AS tz, timestamp '0044-03-15 12:00 BC' AS ts,
       date '2024-12-31' AS d, timetz '12:00+02' AS ttz, interval '-1 year 2 days -00:00:01.5' AS i,
       ARRAY[interval '1 day'] AS intervals, tstzrange('2024-01-01+00', NULL) AS period,
       0.1::float8 AS f8, (1.0 / 3)::float4 AS f4, 1234.50 AS num, '12.34'::float8::numeric::money AS cash, '\x00ff'::bytea AS b;
SELECT freshcrm.row_etag(s) AS tag FROM sample AS s \gset
CREATE FUNCTION same(tag text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT freshcrm.row_etag(s) = tag FROM etag_test.sample AS s);
END
$$;
SELECT :'tag' AS tag;

SET TimeZone = 'America/New_York';
SELECT same(:'tag') AS "TimeZone";
SET TimeZone = 'Asia/Kathmandu';
SELECT same(:'tag') AS "TimeZone";
SET DateStyle = 'SQL, DMY';
SELECT same(:'tag') AS "DateStyle";
SET IntervalStyle = iso_8601;
SELECT same(:'tag') AS "IntervalStyle";
SET extra_float_digits = -15;
SELECT same(:'tag') AS extra_float_digits;
SET bytea_output = escape;
SELECT same(:'tag') AS bytea_output;
SET lc_monetary = 'C';
SET lc_time = 'C';
SET lc_numeric = 'C';
SELECT same(:'tag') AS lc;
SET default_text_search_config = 'pg_catalog.german';
SET xmlbinary = hex;
SELECT same(:'tag') AS others;
RESET ALL;
SET client_min_messages = warning;
SET search_path = pg_catalog;
SELECT etag_test.same(:'tag') AS search_path;
SET search_path = etag_test, public;

-- Send functions of text-like types convert to the client's encoding, whichever it is.
SET client_encoding = latin1;
SELECT same(:'tag') AS latin1;
SELECT pg_client_encoding();
SET client_encoding = sql_ascii;
SELECT same(:'tag') AS sql_ascii;
SELECT pg_client_encoding();
SET client_encoding = latin1;
SELECT convert_to(city, 'LATIN1') = '\x5afc72696368' AS text_is_what_it_was, same(:'tag') FROM sample;
RESET client_encoding;


-- Every column counts.
CREATE TABLE changed (LIKE sample);
DO $$
DECLARE
    c record;
    at tid;
BEGIN
    FOR c IN SELECT attname FROM pg_attribute
             WHERE attrelid = 'etag_test.sample'::regclass AND attnum > 0 LOOP
        INSERT INTO etag_test.changed SELECT * FROM etag_test.sample RETURNING ctid INTO at;
        EXECUTE format('UPDATE etag_test.changed SET %I = NULL WHERE ctid = $1', c.attname) USING at;
    END LOOP;
END
$$;
SELECT count(*) AS rows, count(DISTINCT freshcrm.row_etag(ch)) AS tags,
       bool_or(freshcrm.row_etag(ch) = :'tag') AS unchanged
FROM changed AS ch;

-- OIDs do not count: user types made anew, and an object that a reg* value names.
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION of_user_types() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    tag text;
BEGIN
    EXECUTE $q$
        SELECT freshcrm.etag('ok'::mood, ARRAY['sad']::mood[], ROW(1, 'a')::pair, ARRAY[ROW(1, 'a')::pair],
                             ROW('ok'::mood, ROW(2, 'b')::pair), textrange('a', 'b'),
                             textmultirange(textrange('a', 'b')), 'a@b'::email, '{a@b}'::email[],
                             ROW(1, 'a')::pair::checked_pair, 'mood'::regtype, 'pair'::regclass,
                             'f(int)'::regprocedure, 'etag_test'::regnamespace,
                             '{mood,pair,pair[]}'::regtype[])
    $q$ INTO tag;
    RETURN tag;
END
$$;
SELECT of_user_types() AS before \gset
DROP TYPE mood, pair, textrange, email CASCADE;
DROP FUNCTION f;
CREATE TYPE pair AS (gone int8, x int4, z text);
ALTER TYPE pair DROP ATTRIBUTE gone;
ALTER TYPE pair RENAME ATTRIBUTE z TO y;
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE mood AS ENUM ('happy', 'sad');
ALTER TYPE mood ADD VALUE 'ok' BEFORE 'sad';
CREATE DOMAIN email AS text;
CREATE DOMAIN checked_pair AS pair;
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 2';
SELECT of_user_types() = :'before' AS same, of_user_types() AS tag;
SET search_path = pg_catalog;
SELECT freshcrm.etag('etag_test.f(int)'::regprocedure, 'etag_test.pair'::regclass)
       = encode(sha256('\x01' || '\x00000002'::bytea
                       || etag_test.node('regprocedure', 'etag_test.f(integer)')
                       || etag_test.node('regclass', 'etag_test.pair')), 'hex') AS qualified;
SET search_path = etag_test, public;

-- Nor do attribute numbers, names, dropped columns, and values that are not stored.
CREATE TABLE plain (id int, name text, score numeric);
INSERT INTO plain VALUES (1, 'a', 1.5);
CREATE TABLE moved (gone text, ident int, gone_too int[], label text);
INSERT INTO moved VALUES ('x', 1, '{1}', 'a');
ALTER TABLE moved DROP COLUMN gone, DROP COLUMN gone_too, ADD COLUMN points numeric DEFAULT 1.5;
SELECT freshcrm.row_etag(p) = freshcrm.row_etag(m) AS same,
       freshcrm.row_etag(m) = freshcrm.etag(1, 'a', 1.5) AS same_as_list
FROM plain AS p, moved AS m;

-- TOAST and compression do not count.
CREATE TABLE toasted (how text, body text, doc jsonb, ints int[]);
ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL;
INSERT INTO toasted
SELECT 'external', repeat('x', 100000), jsonb_build_object('k', repeat('y', 100000)),
       array_agg(i) FROM generate_series(1, 20000) AS i;
ALTER TABLE toasted ALTER body SET STORAGE EXTENDED;
INSERT INTO toasted SELECT 'compressed', body || '', doc || '{}', ints || '{}' FROM toasted;
SELECT count(DISTINCT pg_column_size(body)) AS sizes,
       count(DISTINCT freshcrm.etag(body, doc, ints)) AS tags,
       count(DISTINCT freshcrm.row_etag(ROW(body, doc, ints))) AS row_tags,
       bool_and(freshcrm.etag(body) = freshcrm.etag(repeat('x', 100000))) AS same
FROM toasted;

-- An array keeps the element type of before a cast in its header, until it is dumped and restored.
SELECT freshcrm.etag('{a,b}'::text[]::varchar[]) = freshcrm.etag('{a,b}'::varchar[]) AS same;

-- Anonymous rows of different shapes through one call, and a row type that changes under a plan.
SELECT count(DISTINCT freshcrm.row_etag(r)) AS tags
FROM (VALUES (1, ROW(1)), (2, ROW(1, 2)), (3, ROW('a'::text)), (4, ROW(1)), (5, ROW(1, 2))) AS v (i, r);
SELECT freshcrm.etag(ARRAY[ROW(1), ROW(2)]) = freshcrm.etag(ARRAY[ROW(1), ROW(2)]) AS records;
PREPARE tag_of_plain AS SELECT freshcrm.row_etag(p) = freshcrm.row_etag(ROW(p.*)) AS same FROM plain AS p;
EXECUTE tag_of_plain;
ALTER TABLE plain ADD COLUMN more int DEFAULT 3;
EXECUTE tag_of_plain;
SELECT freshcrm.row_etag(p) = freshcrm.etag(1, 'a', 1.5, 3) AS same FROM plain AS p;
ALTER TABLE plain ALTER COLUMN id TYPE int8;
EXECUTE tag_of_plain;
SELECT freshcrm.row_etag(p) = freshcrm.etag(1::int8, 'a', 1.5, 3) AS same FROM plain AS p;
DEALLOCATE tag_of_plain;

-- As many columns as a table can have.
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE etag_test.wide (' || string_agg('c' || i || ' bool', ',') || ')'
             FROM generate_series(1, 1600) AS i);
    EXECUTE 'INSERT INTO etag_test.wide (c1600) VALUES (true), (false)';
END
$$;
SELECT freshcrm.row_etag(w) FROM wide AS w;

-- Parallel workers, which have a client encoding of their own, compute the same.
CREATE TABLE many AS SELECT i, U&'\00fc' || i AS t, (U&'\00fc' || i)::citext AS c FROM generate_series(1, 5000) AS i;
ANALYZE many;
SELECT freshcrm.sha256_hex(string_agg(freshcrm.row_etag(m), '' ORDER BY i)) AS serial FROM many AS m \gset
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET client_encoding = latin1;
EXPLAIN (COSTS OFF) SELECT i, freshcrm.row_etag(m) AS tag FROM many AS m;
SELECT freshcrm.sha256_hex(string_agg(tag, '' ORDER BY i)) = :'serial' AS same
FROM (SELECT i, freshcrm.row_etag(m) AS tag FROM many AS m OFFSET 0) AS t;
RESET ALL;
RESET client_encoding;
SET client_min_messages = warning;
SET search_path = etag_test, public;

-- What cannot be digested is refused, wherever it stands, and nothing else is harmed.
CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, message, detail, hint);
END
$$;
SELECT refused('SELECT freshcrm.etag(NULL::aclitem)');
SELECT refused('SELECT freshcrm.etag(1, relacl) FROM pg_class');
SELECT refused('SELECT freshcrm.row_etag(c) FROM pg_class AS c');
SELECT refused('SELECT freshcrm.etag(ROW(1, ROW(NULL::aclitem)))');
SELECT refused('SELECT freshcrm.row_etag(s) FROM pg_statistic AS s');
SELECT refused('SELECT freshcrm.etag()');
SELECT freshcrm.row_etag(s) AS tag FROM sample AS s \gset
SET client_encoding = latin1;
SELECT refused('SELECT freshcrm.etag(ROW(''x''::citext, NULL::aclitem))');
SELECT pg_client_encoding(), same(:'tag');
RESET client_encoding;

-- A database of another encoding gives the same tag; what has no meaning in UTF-8 is an error, and
-- leaves the client's encoding as it was.
CREATE FUNCTION in_other_encodings() RETURNS text LANGUAGE sql AS $$
    SELECT freshcrm.etag(U&'\00fc', U&'\00fc'::varchar, U&'\00fc'::name, U&'{"\00fc":1}'::jsonb, U&'{\00fc}'::text[])
$$;
SELECT in_other_encodings() AS utf8, freshcrm.sha256_hex(U&'\00fc') AS sha_utf8, current_database() AS home \gset
CREATE DATABASE etag_win1252 ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0;
CREATE DATABASE etag_sql_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
\c etag_win1252
SET client_min_messages = warning;
CREATE EXTENSION freshcrm;
\set other 'SELECT freshcrm.etag(U&''\\00fc'', U&''\\00fc''::varchar, U&''\\00fc''::name, U&''{"\\00fc":1}''::jsonb, U&''{\\00fc}''::text[])'
:other = :'utf8' AS same, freshcrm.sha256_hex(U&'\00fc') = :'sha_utf8' AS same_sha;
SET client_encoding = win1252;
:other = :'utf8' AS same;
\set VERBOSITY terse
SELECT freshcrm.etag(chr(129));
SELECT pg_client_encoding();
SELECT freshcrm.etag(chr(129)::name);
SELECT pg_client_encoding();
SELECT freshcrm.sha256_hex(chr(129));
\set VERBOSITY default
:other = :'utf8' AS same;
\c etag_sql_ascii
SET client_min_messages = warning;
CREATE EXTENSION freshcrm;
SET client_encoding = utf8;
SELECT freshcrm.etag(E'\xff', E'\xff'::name) IS NOT NULL AS raw,
       freshcrm.sha256_hex(E'\xff') = encode(sha256('\xff'), 'hex') AS raw_sha,
       freshcrm.etag(E'\xc3\xbc', E'\xc3\xbc'::varchar, E'\xc3\xbc'::name, E'{"\xc3\xbc":1}'::jsonb,
                     E'{\xc3\xbc}'::text[]) = :'utf8' AS same,
       pg_client_encoding();
\c :home
DROP DATABASE etag_win1252;
DROP DATABASE etag_sql_ascii;

SET client_min_messages = warning;
DROP SCHEMA etag_test CASCADE;
