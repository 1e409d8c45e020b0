-- 1000 registered views, ten of each of 100 tables, of which none is due. psql script.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET synchronous_commit = off;
CREATE EXTENSION freshcrm;
BEGIN;
CREATE SCHEMA many;
SELECT format('CREATE TABLE many.t%1$s AS SELECT 1 AS a', n) FROM generate_series(1, 100) AS n \gexec
SELECT format('CREATE MATERIALIZED VIEW many.v%1$s AS SELECT a FROM many.t%2$s WHERE a < %1$s', n, 1 + n % 100)
  FROM generate_series(1, 1000) AS n \gexec
COMMIT;
\o /dev/null
SELECT freshcrm.schedule(('many.v' || n)::regclass, '0 3 1 1 *') FROM generate_series(1, 1000) AS n;
-- Each in a transaction of its own: what it changes itself a refresh has not seen.
SELECT format('SELECT freshcrm.refresh(%L)', 'many.v' || n) FROM generate_series(1, 1000) AS n \gexec
\o
-- The first tick says when each is due.
CALL freshcrm.tick() \g /dev/null
VACUUM ANALYZE;
