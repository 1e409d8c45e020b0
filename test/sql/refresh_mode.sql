-- Which way refresh() chooses.
\set ECHO queries
\pset format unaligned
CREATE TABLE t (id integer, filler text);
INSERT INTO t SELECT g, repeat('x', 1400) FROM generate_series(1, 6500) g;
CREATE MATERIALIZED VIEW m AS SELECT * FROM t WITH NO DATA;
ALTER MATERIALIZED VIEW m SET (autovacuum_enabled = off);
INSERT INTO freshcrm.matview (matview, timezone, job_name) VALUES ('m', 'UTC', 'm');
CREATE FUNCTION touch_and_refresh(OUT status text, OUT mode text) LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE t SET filler = filler WHERE id = 6500;
    SELECT r.status, r.mode INTO status, mode FROM freshcrm.refresh('m') r;
END
$$;
-- Without an index, and with one: of a view that was never populated, then of one that was.
SELECT * FROM touch_and_refresh();
REFRESH MATERIALIZED VIEW m WITH NO DATA;
CREATE UNIQUE INDEX ON m (id);
SELECT * FROM touch_and_refresh();
SELECT * FROM touch_and_refresh();
-- An index that lost its use.
BEGIN;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'm_id_idx'::regclass;
SELECT * FROM touch_and_refresh();
ROLLBACK;
-- A file of 9 MB for 100 rows, once the statistics say so. The rows are at its end: VACUUM cannot make it shorter.
DELETE FROM t WHERE id <= 6400;
SELECT * FROM touch_and_refresh();
SELECT pg_relation_size('m') > 8 * 1024 * 1024 AS large, count(*) FROM m;
ANALYZE m;
SELECT * FROM touch_and_refresh();
SELECT pg_relation_size('m') > 8 * 1024 * 1024 AS large, count(*) FROM m;
SELECT * FROM touch_and_refresh();
DROP MATERIALIZED VIEW m;
DROP FUNCTION touch_and_refresh;
DROP TABLE t;
