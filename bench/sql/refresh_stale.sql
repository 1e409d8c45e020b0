-- The views of refresh_views.sql when they are stale, though not for longer than they may be: each tick asks for the
-- first change of each. psql script.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT freshcrm.schedule(('many.v' || n)::regclass, '0 3 1 1 *', max_staleness => '1 day')
  FROM generate_series(1, 1000) AS n \g /dev/null
SELECT format('INSERT INTO many.t%1$s VALUES (0)', n) FROM generate_series(1, 100) AS n \gexec
CALL freshcrm.tick() \g /dev/null
VACUUM ANALYZE;
