-- freshcrm.refresh(): what it does, for whom, and what it says.
SET client_min_messages = warning;
\set VERBOSITY default
CREATE SCHEMA refresh;
SET search_path = refresh;
CREATE TABLE part (id integer PRIMARY KEY, amount integer);
INSERT INTO part SELECT n, n FROM generate_series(1, 100) AS n;
CREATE MATERIALIZED VIEW doubled AS SELECT id, amount * 2 AS amount FROM part;
CREATE VIEW latest AS
SELECT name, status, trigger, mode, rows_inserted, rows_updated, rows_deleted, sqlstate, error
FROM freshcrm.refresh_history ORDER BY id DESC LIMIT 1;

-- Registered ones only, and no other relations.
SELECT * FROM freshcrm.refresh('doubled');
SELECT * FROM freshcrm.refresh('part');
SELECT * FROM freshcrm.refresh(0);
SELECT * FROM freshcrm.refresh(NULL);
SELECT freshcrm.schedule('doubled', NULL, 'doubling');
SELECT status FROM freshcrm.refresh('doubled', 'sometimes');

-- Without an index that CONCURRENTLY could use (X19), plain; with one, concurrently. Rows are counted.
SELECT status, mode, rows_inserted, rows_updated, rows_deleted, milliseconds > 0 AS took FROM freshcrm.refresh('doubled');
SELECT status FROM freshcrm.refresh('doubled', 'concurrently');
CREATE UNIQUE INDEX ON doubled (id);
UPDATE part SET amount = 0 WHERE id <= 10;
DELETE FROM part WHERE id > 93;
INSERT INTO part SELECT n, n FROM generate_series(101, 104) AS n;
SELECT status, mode, rows_inserted, rows_updated, rows_deleted FROM freshcrm.refresh('doubled');
TABLE latest;
TABLE part EXCEPT SELECT id, amount / 2 FROM doubled;
SELECT rows FROM freshcrm.matview_state WHERE matview = 'doubled'::regclass;
UPDATE part SET id = id + 1000 WHERE id = 1;
SELECT status, mode, rows_inserted, rows_updated, rows_deleted FROM freshcrm.refresh('doubled');

-- Nothing changed, nothing done; what was asked for by name is done.
SELECT status, mode, rows_inserted, rows_updated, rows_deleted FROM freshcrm.refresh('doubled');
TABLE latest;
SELECT status, mode, rows_inserted, rows_updated, rows_deleted FROM freshcrm.refresh('doubled', 'concurrently');
SELECT status, mode, rows_inserted, rows_updated, rows_deleted FROM freshcrm.refresh('doubled', 'plain');
SELECT status FROM freshcrm.refresh('doubled');

-- A REFRESH that somebody types is seen. Nobody knows what it has read, so another one is due.
REFRESH MATERIALIZED VIEW doubled;
TABLE latest;
SELECT status FROM freshcrm.refresh('doubled');
SELECT status FROM freshcrm.refresh('doubled');
REFRESH MATERIALIZED VIEW doubled WITH NO DATA;
SELECT status, mode, rows_inserted FROM freshcrm.refresh('doubled');

-- So is one that runs inside another.
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS parts FROM part;
CREATE MATERIALIZED VIEW reader AS SELECT parts FROM counted;
CREATE FUNCTION refresh_counted() RETURNS integer LANGUAGE plpgsql VOLATILE AS
'BEGIN REFRESH MATERIALIZED VIEW refresh.counted; RETURN 1; END';
CREATE MATERIALIZED VIEW outermost AS SELECT refresh_counted() AS done WITH NO DATA;
SELECT freshcrm.schedule('reader', NULL);
SELECT status FROM freshcrm.refresh('reader');
INSERT INTO part VALUES (-1, 1);
SELECT status FROM freshcrm.refresh('reader');
REFRESH MATERIALIZED VIEW outermost;
SELECT status FROM freshcrm.refresh('reader');
SELECT (SELECT parts FROM reader) = (SELECT parts FROM counted) AS equal;
DROP MATERIALIZED VIEW reader, outermost, counted;
DELETE FROM part WHERE id = -1;
SELECT status FROM freshcrm.refresh('doubled');

-- A transaction that goes on after its refresh is to come again: what it writes is not in the view.
BEGIN;
UPDATE part SET amount = 5 WHERE id = 5;
SELECT status FROM freshcrm.refresh('doubled');
UPDATE part SET amount = 6 WHERE id = 6;
SELECT status FROM freshcrm.refresh('doubled');
UPDATE part SET amount = 7 WHERE id = 7;
COMMIT;
SELECT status, rows_updated FROM freshcrm.refresh('doubled');
SELECT status, rows_updated FROM freshcrm.refresh('doubled');
-- One that is rolled back has changed nothing.
BEGIN;
UPDATE part SET amount = 8 WHERE id = 8;
SELECT status, rows_updated FROM freshcrm.refresh('doubled');
ROLLBACK;
SELECT status FROM freshcrm.refresh('doubled');
-- At REPEATABLE READ a refresh reads an old snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT status FROM freshcrm.refresh('doubled', 'plain');
COMMIT;
SELECT status FROM freshcrm.refresh('doubled');
SELECT status FROM freshcrm.refresh('doubled');

-- Failures are outcomes, and leave the view as it was.
SELECT freshcrm.schedule('doubled', NULL, 'doubling', statement_timeout => '20 ms');
CREATE FUNCTION slowly(integer) RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT $1 FROM pg_catalog.pg_sleep(60)';
CREATE MATERIALIZED VIEW slow AS SELECT slowly(1) AS a WITH NO DATA;
SELECT freshcrm.schedule('slow', NULL, statement_timeout => '20 ms');
SELECT status, mode FROM freshcrm.refresh('slow');
TABLE latest;
CREATE MATERIALIZED VIEW inverse AS SELECT id, 100 / amount AS share FROM part WHERE id BETWEEN 101 AND 900;
SELECT freshcrm.schedule('inverse', NULL);
SELECT status FROM freshcrm.refresh('inverse');
INSERT INTO part VALUES (200, 0);
SELECT status FROM freshcrm.refresh('inverse');
TABLE latest;
SELECT count(*) FROM inverse;
-- So is a statement that is cancelled for another reason an error.
SET statement_timeout = '50 ms';
SELECT freshcrm.schedule('slow', NULL, statement_timeout => '1 h');
SELECT status FROM freshcrm.refresh('slow');
RESET statement_timeout;

-- The owner may refresh it, and who was granted it.
CREATE ROLE regress_refresher;
GRANT USAGE ON SCHEMA refresh TO regress_refresher;
SET ROLE regress_refresher;
SELECT status FROM freshcrm.refresh('doubled');
SELECT freshcrm.grant_refresh('doubled', 'regress_refresher');
RESET ROLE;
SELECT freshcrm.grant_refresh('doubled', 'nobody_of_that_name');
SELECT freshcrm.grant_refresh('doubled', 'regress_refresher');
SET ROLE regress_refresher;
SELECT status FROM freshcrm.refresh('doubled', 'plain');
SELECT status FROM freshcrm.refresh('inverse');
SELECT status FROM freshcrm.refresh_run('doubled'::regclass, 1);
RESET ROLE;
SELECT freshcrm.revoke_refresh('doubled', 'regress_refresher');
SET ROLE regress_refresher;
SELECT status FROM freshcrm.refresh('doubled', 'plain');
RESET ROLE;
SELECT freshcrm.grant_refresh('doubled', 'public');
SET ROLE regress_refresher;
SELECT status FROM freshcrm.refresh('doubled', 'plain');
-- What the view calls acts as its owner, whatever path the caller has.
CREATE TEMPORARY TABLE part (id integer, amount integer);
SET search_path = pg_temp, refresh;
SELECT status, rows_inserted FROM freshcrm.refresh('refresh.doubled', 'plain');
DROP TABLE pg_temp.part;
RESET ROLE;
SET search_path = refresh;

-- Dropped views leave nothing.
DROP MATERIALIZED VIEW doubled, slow, inverse;
SELECT (SELECT count(*) FROM freshcrm.matview), (SELECT count(*) FROM freshcrm.matview_state),
    (SELECT count(*) FROM freshcrm.refresh_history);
SELECT freshcrm.follow_refresh();
SET client_min_messages = error;
DROP SCHEMA refresh CASCADE;
DROP ROLE regress_refresher;
