-- row_etag() of a row whose columns are at hand is planned as etag() of these, with the same value, and NULL where there is no row.
SET client_min_messages = warning;
CREATE SCHEMA etag_planner;
SET search_path = etag_planner;
CREATE TABLE t (gone int, id int, name text, score numeric);
INSERT INTO t VALUES (0, 1, 'a', 1.5), (0, 2, NULL, NULL), (0, NULL, NULL, NULL);
ALTER TABLE t DROP COLUMN gone, ADD COLUMN more int DEFAULT 7;
CREATE VIEW v AS SELECT id, name FROM t;
CREATE TABLE root (id int, k text) PARTITION BY LIST (id);
CREATE TABLE part (k text, extra int, id int);
ALTER TABLE part DROP COLUMN extra;
ALTER TABLE root ATTACH PARTITION part FOR VALUES IN (1);
CREATE TABLE other PARTITION OF root FOR VALUES IN (2);
INSERT INTO root VALUES (1, 'one'), (2, 'two');
-- What nothing can simplify: the planner sees a parameter.
CREATE FUNCTION plain_tag(r record) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN freshcrm.row_etag(r); END';

EXPLAIN (VERBOSE, COSTS OFF) SELECT freshcrm.row_etag(t) FROM t;
SELECT count(*), bool_and(freshcrm.row_etag(t) = plain_tag(t)) AS same FROM t;
EXPLAIN (VERBOSE, COSTS OFF) SELECT freshcrm.row_etag(ROW(id, 'x', name)) FROM t;
SELECT bool_and(freshcrm.row_etag(ROW(id, 'x', name)) = plain_tag(ROW(id, 'x'::text, name))) AS same,
       bool_and(freshcrm.row_etag(ROW(t.*)) = plain_tag(t)) AS same_star FROM t;
SELECT bool_and(freshcrm.row_etag(v) = plain_tag(v)) AS same_view FROM v;
SELECT count(*), bool_and(freshcrm.row_etag(root) = plain_tag(root)) AS same_partitions,
       bool_and(freshcrm.row_etag(root) = freshcrm.etag(id, k)) AS of_the_root FROM root;
SELECT freshcrm.row_etag(part) = plain_tag(part) AS same_partition FROM part;
SELECT freshcrm.row_etag(t) = plain_tag(t) AS same FROM t WHERE freshcrm.row_etag(t) = freshcrm.etag(1, 'a', 1.5, 7);

-- No row: NULL, however the join is written.
SELECT n, freshcrm.row_etag(t) IS NOT NULL AS tag, freshcrm.row_etag(t) IS NOT DISTINCT FROM plain_tag(t) AS same
FROM generate_series(1, 4) AS n LEFT JOIN t ON t.id = n ORDER BY 1;
SELECT n, freshcrm.row_etag(v) IS NOT NULL AS tag FROM generate_series(2, 3) AS n LEFT JOIN v ON v.id = n ORDER BY 1;
SELECT n, tag IS NOT NULL AS tag FROM generate_series(2, 3) AS n
  LEFT JOIN (SELECT id, freshcrm.row_etag(t) AS tag FROM t) AS s ON s.id = n ORDER BY 1;
SELECT n, freshcrm.row_etag(r) IS NOT NULL AS tag FROM generate_series(2, 3) AS n
  LEFT JOIN (SELECT id, t AS r FROM t) AS s ON s.id = n ORDER BY 1;
SELECT n, (SELECT freshcrm.row_etag(t)) IS NOT NULL AS tag FROM generate_series(2, 3) AS n LEFT JOIN t ON t.id = n ORDER BY 1;
SELECT n, tag IS NOT NULL AS tag FROM generate_series(2, 3) AS n LEFT JOIN t ON t.id = n,
  LATERAL (SELECT freshcrm.row_etag(t) AS tag) AS l ORDER BY 1;
SELECT n, freshcrm.row_etag(t) IS NOT NULL AS tag FROM t RIGHT JOIN generate_series(2, 3) AS n ON t.id = n ORDER BY 1;
SELECT freshcrm.row_etag(NULL::t) IS NULL AS no_row;
-- Nor where the row is grouped by, and this is another grouping set.
SELECT t.id, t IS NULL AS no_row, freshcrm.row_etag(t) IS NOT DISTINCT FROM plain_tag(t) AS same, count(*)
FROM t GROUP BY GROUPING SETS ((t, t.id), ()) ORDER BY 1, 2;
SELECT count(*) FROM t GROUP BY ROLLUP (t) HAVING freshcrm.row_etag(t) IS NULL;

-- A row that is read once is read once: no expression of the row is computed twice.
CREATE SEQUENCE s;
SELECT freshcrm.row_etag(ROW(nextval('s'))) = freshcrm.etag(1::int8) AS once;
SELECT last_value FROM s;

-- A plan follows the table.
PREPARE tags AS SELECT bool_and(freshcrm.row_etag(t) = plain_tag(t)) AS same FROM t;
EXECUTE tags;
ALTER TABLE t ADD COLUMN late text DEFAULT 'x';
EXECUTE tags;
ALTER TABLE t DROP COLUMN name CASCADE;
EXECUTE tags;

-- Wider than a function can be: as before.
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg('c' || i || ' int DEFAULT ' || i, ',') || ')' FROM generate_series(1, 101) AS i);
END
$$;
INSERT INTO wide DEFAULT VALUES;
SELECT freshcrm.row_etag(w) = plain_tag(w) AS same, freshcrm.row_etag(w) = freshcrm.etag(VARIADIC ARRAY(SELECT generate_series(1, 101))) AS values
FROM wide AS w;
-- In statements that write, and of what cannot have a tag.
UPDATE t SET late = freshcrm.row_etag(t) WHERE id = 1 RETURNING length(late), freshcrm.row_etag(t) = plain_tag(t) AS same;
INSERT INTO t (id) VALUES (9) RETURNING freshcrm.row_etag(t) = plain_tag(t) AS same;
DELETE FROM t WHERE id = 9 RETURNING freshcrm.row_etag(t) = plain_tag(t) AS same;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
DO $$ BEGIN PERFORM freshcrm.row_etag(c) FROM pg_class AS c; EXCEPTION WHEN feature_not_supported THEN RAISE NOTICE 'refused'; END $$;

SET client_min_messages = warning;
DROP SCHEMA etag_planner CASCADE;
