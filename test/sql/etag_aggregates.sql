-- Entity tags of collections: a list of rows (etag_agg) and a set of them (etag_set).
SET client_min_messages = warning;
CREATE SCHEMA etag_aggregates;
SET search_path = etag_aggregates;

-- Declared on purpose, described; the aggregates are open to everybody, and their parts to nobody.
SELECT p.oid::regprocedure, provolatile, proparallel, proisstrict,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS described,
       has_function_privilege('public', p.oid, 'EXECUTE') AS open
FROM pg_proc AS p
WHERE pronamespace = 'freshcrm'::regnamespace AND (proname LIKE 'etag\_agg%' OR proname LIKE 'etag\_set%')
ORDER BY p.oid::regprocedure::text;
CREATE ROLE etag_aggregates_nobody;
GRANT USAGE ON SCHEMA etag_aggregates TO etag_aggregates_nobody;
SET ROLE etag_aggregates_nobody;
SELECT freshcrm.etag_agg(ROW(1)) IS NOT NULL AS agg, freshcrm.etag_set(ROW(1)) IS NOT NULL AS set;
RESET ROLE;

CREATE TABLE t (id int PRIMARY KEY, name text, score numeric);
INSERT INTO t SELECT n, 'name ' || n, n / 4.0 FROM generate_series(1, 1000) AS n;

-- The form of a list, put together by hand (core/digest.hpp).
CREATE FUNCTION list_tag(tags text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256('\x02'::bytea
           || (SELECT coalesce(string_agg(coalesce(decode(tag, 'hex'), sha256('\x00')), '' ORDER BY at), '')
                 FROM unnest(tags) WITH ORDINALITY AS e (tag, at))
           || int8send(cardinality(tags))), 'hex')
$$;
SELECT freshcrm.etag_agg(t ORDER BY t.id)
       = list_tag(ARRAY(SELECT freshcrm.row_etag(t) FROM t ORDER BY id)) AS tags_of_rows,
       freshcrm.etag_agg(t ORDER BY t.id DESC)
       = list_tag(ARRAY(SELECT freshcrm.row_etag(t) FROM t ORDER BY id DESC)) AS descending,
       freshcrm.etag_agg(t ORDER BY t.id) <> freshcrm.etag_agg(t ORDER BY t.id DESC) AS order_counts,
       freshcrm.etag_agg(t ORDER BY t.id) = freshcrm.etag_agg(ROW(id, name, score) ORDER BY t.id) AS row_constructor
FROM t;
SELECT freshcrm.etag_agg(t) = list_tag('{}') AS empty_list, freshcrm.etag_agg(t) FROM t WHERE false;
SELECT freshcrm.etag_set(t) AS empty_set FROM t WHERE false;
SELECT freshcrm.etag_agg(o ORDER BY id) = list_tag(ARRAY[NULL, freshcrm.etag(1)]) AS null_is_an_element
FROM (VALUES (1, NULL::record), (2, ROW(1))) AS v (id, o);

-- Order does not count in a set, and everything else does.
SELECT freshcrm.etag_set(t) = freshcrm.etag_set(t ORDER BY id DESC) AS order_does_not_count,
       freshcrm.etag_set(t) = freshcrm.etag_set(t ORDER BY md5(id::text)) AS nor_this,
       freshcrm.etag_set(t) <> freshcrm.etag_agg(t ORDER BY id) AS no_list
FROM t;
SELECT count(*) AS sets, count(DISTINCT tag) AS tags
FROM (SELECT freshcrm.etag_set(t) FROM t WHERE false
      UNION ALL SELECT freshcrm.etag_set(NULL::record) FROM t WHERE id = 1
      UNION ALL SELECT freshcrm.etag_set(t) FROM t WHERE id <= 1
      UNION ALL SELECT freshcrm.etag_set(t) FROM t WHERE id <= 2
      UNION ALL SELECT freshcrm.etag_set(t) FROM t, generate_series(1, 2) WHERE id = 1
      UNION ALL SELECT freshcrm.etag_set(t) FROM t, generate_series(1, 3) WHERE id = 1
      UNION ALL SELECT freshcrm.etag_set(ROW(id, name, CASE id WHEN 1 THEN NULL ELSE score END)) FROM t WHERE id <= 2
      UNION ALL SELECT freshcrm.etag_set(ROW(3 - id, name, score)) FROM t WHERE id <= 2
      UNION ALL SELECT freshcrm.etag_set(ROW(id, name)) FROM t WHERE id <= 2) AS s (tag);
SELECT freshcrm.etag_set(b) = freshcrm.etag_set(ROW(b)) AS of_bytea,
       freshcrm.etag_set(DISTINCT b) <> freshcrm.etag_set(b) AS twice_is_not_once
FROM (VALUES ('\x01'::bytea), ('\x02'), (NULL), ('\x01')) AS v (b);
-- Of a set, not a multiset: 65536 of the same fill the lanes to nothing, and only the count is left.
SELECT freshcrm.etag_set(ROW(1)) = freshcrm.etag_set(ROW(2)) AS the_known_limit FROM generate_series(1, 65536);

-- Hard values, from the vectors (test/vectors/tags.tsv has the others).
SELECT freshcrm.etag_agg(t ORDER BY id), freshcrm.etag_set(t) FROM t;

-- A parallel plan gives what a serial one gives.
CREATE TABLE many AS SELECT i, 'row ' || i AS t FROM generate_series(1, 20000) AS i;
ANALYZE many;
SET max_parallel_workers_per_gather = 0;
SELECT freshcrm.etag_set(m) AS serial, freshcrm.etag_agg(m ORDER BY i) AS list,
       freshcrm.etag_set(convert_to(t, 'UTF8')) AS serial_bytea FROM many AS m \gset
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT freshcrm.etag_set(m) FROM many AS m;
SELECT freshcrm.etag_set(m) = :'serial' AS same FROM many AS m;
SELECT freshcrm.etag_set(convert_to(t, 'UTF8')) = :'serial_bytea' AS same FROM many;
EXPLAIN (COSTS OFF) SELECT i % 3 AS part, freshcrm.etag_set(m) FROM many AS m GROUP BY 1;
SELECT count(*) AS groups, bool_and(parallel = (SELECT freshcrm.etag_set(m ORDER BY m.i) FROM many AS m WHERE m.i % 3 = part)) AS same
FROM (SELECT i % 3 AS part, freshcrm.etag_set(m) AS parallel FROM many AS m GROUP BY 1) AS g;
-- The list stays in order: rows are scanned by workers, if at all, and put together by one process.
EXPLAIN (COSTS OFF) SELECT freshcrm.etag_agg(m ORDER BY i) FROM many AS m;
SELECT freshcrm.etag_agg(m ORDER BY i) = :'list' AS same FROM many AS m;
RESET ALL;
SET client_min_messages = warning;
SET search_path = etag_aggregates;

-- A moving frame: rows enter and leave, and each frame has the tag of its rows.
SELECT count(*) AS frames, count(DISTINCT moving) AS tags, bool_and(moving = (
           SELECT freshcrm.etag_set(u) FROM t AS u WHERE u.id BETWEEN w.id - 2 AND w.id + 1)) AS same
FROM (SELECT id, freshcrm.etag_set(t) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS moving
      FROM t) AS w
WHERE id <= 100;
SELECT bool_and(moving = (SELECT freshcrm.etag_set(b) FROM (VALUES ('\x01'::bytea, 1), (NULL, 2), ('\x03', 3)) AS u (b, i)
                          WHERE i BETWEEN w.i - 1 AND w.i)) AS same_with_null
FROM (SELECT i, freshcrm.etag_set(b) OVER (ORDER BY i ROWS 1 PRECEDING) AS moving
      FROM (VALUES ('\x01'::bytea, 1), (NULL, 2), ('\x03', 3)) AS v (b, i)) AS w;
SELECT bool_and(running = list_tag(ARRAY(SELECT freshcrm.row_etag(u) FROM t AS u WHERE u.id <= w.id ORDER BY u.id))) AS running_list
FROM (SELECT id, freshcrm.etag_agg(t) OVER (ORDER BY id) AS running FROM t WHERE id <= 50) AS w;
-- Many groups at once, and more than one aggregate over one state.
SELECT count(DISTINCT a), count(DISTINCT s), bool_and(s = s2)
FROM (SELECT freshcrm.etag_agg(t ORDER BY id) AS a, freshcrm.etag_set(t) AS s, freshcrm.etag_set(t) FILTER (WHERE true) AS s2
      FROM t GROUP BY id % 500) AS g;

-- Settings do not count here either.
SELECT freshcrm.etag_set(ROW(tz)) AS tag FROM (VALUES (timestamptz '2024-03-31 02:30+00')) AS v (tz) \gset
SET TimeZone = 'Asia/Kathmandu';
SET client_encoding = latin1;
SELECT freshcrm.etag_set(ROW(tz)) = :'tag' AS same FROM (VALUES (timestamptz '2024-03-31 02:30+00')) AS v (tz);
RESET TimeZone;
RESET client_encoding;

-- Refused: what has no form, wherever it stands, and the parts by themselves.
CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE query;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, message, detail);
END
$$;
SELECT refused('SELECT freshcrm.etag_agg(c) FROM pg_class AS c');
SELECT refused('SELECT freshcrm.etag_set(c) FROM pg_class AS c');
SELECT refused('SELECT freshcrm.etag_set(ROW(1, NULL::aclitem))');
SELECT refused('SELECT freshcrm.etag_agg(1)');
SELECT refused('SELECT freshcrm.etag_set_final(freshcrm.etag_set_add(NULL, ROW(1)))');
SELECT refused($$SELECT freshcrm.etag_set_deserialize('\x00', internal_in(NULL))$$);
-- A stored state of the wrong size, as only a superuser's own aggregate can hand it over.
CREATE AGGREGATE crafted(int8) (
    SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg, COMBINEFUNC = int8_avg_combine,
    SERIALFUNC = int8_avg_serialize, DESERIALFUNC = freshcrm.etag_set_deserialize, PARALLEL = SAFE
);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT refused('SELECT etag_aggregates.crafted(i) FROM etag_aggregates.many');
RESET ALL;

SET client_min_messages = warning;
DROP SCHEMA etag_aggregates CASCADE;
DROP ROLE etag_aggregates_nobody;
