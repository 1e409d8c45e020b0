-- Materialized views that read the tables which `make bench-refresh` writes to: a large and a small one, registered, and
-- one like the large one that is not. psql script.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE MATERIALIZED VIEW bench.native AS TABLE bench.large_source;
CREATE UNIQUE INDEX ON bench.native (lead_id);
CREATE MATERIALIZED VIEW bench.large AS TABLE bench.large_source;
CREATE UNIQUE INDEX ON bench.large (lead_id);
CREATE MATERIALIZED VIEW bench.small AS TABLE bench.small_source;
CREATE UNIQUE INDEX ON bench.small (status);
VACUUM ANALYZE bench.native;
VACUUM ANALYZE bench.large;
VACUUM ANALYZE bench.small;
-- At midnight, by nobody: no pg_cron is there.
SELECT freshcrm.schedule(v, '0 0 * * *') FROM unnest('{bench.large,bench.small}'::regclass[]) AS v \g /dev/null
