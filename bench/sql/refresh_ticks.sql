-- Registered materialized views over a hundred tables, none due: that is at midnight of January 1. Half of the tables
-- have changed since they were refreshed. psql script; variable: matviews.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION freshcrm;
CREATE SCHEMA bench;
SELECT format('CREATE TABLE bench.t%s (a int)', n) FROM generate_series(0, 99) AS n \gexec
SELECT format('CREATE MATERIALIZED VIEW bench.v%s AS SELECT a, %s AS n FROM bench.t%s', n, n, n % 100)
  FROM generate_series(1, :matviews) AS n \gexec
SELECT freshcrm.schedule(format('bench.v%s', n)::regclass, '0 0 1 1 *') FROM generate_series(1, :matviews) AS n \g /dev/null
SELECT format('SELECT FROM freshcrm.refresh(%L)', m.matview) FROM freshcrm.matview AS m \gexec
TRUNCATE freshcrm.refresh_history;
SELECT format('INSERT INTO bench.t%s VALUES (1)', n) FROM generate_series(0, 99, 2) AS n \gexec
VACUUM ANALYZE;
