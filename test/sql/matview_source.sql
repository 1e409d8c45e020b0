-- Projections over views that read materialized views.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
SET freshcrm.patch = off;  -- a view counts whole rows
\set ECHO all
CREATE SCHEMA ms;
SET search_path = ms, public;
CREATE SEQUENCE computed;
CREATE FUNCTION counted(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM nextval('ms.computed'); RETURN $1; END $$;
-- How many rows of counted_leads were computed since the last call, and what differs.
CREATE FUNCTION worked(OUT rows bigint, OUT differences text) LANGUAGE plpgsql AS
$$
BEGIN
    PERFORM freshcrm.wait_for(projection, '60 s') FROM freshcrm.projections WHERE mode = 'async';
    rows := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM computed);
    differences := (SELECT string_agg(projection || ': ' || difference(projection), ', ' ORDER BY projection::text)
                    FROM freshcrm.projections WHERE difference(projection) IS NOT NULL);
    PERFORM setval('computed', 1, false);
END
$$;
CREATE TABLE leads (id integer PRIMARY KEY, owner integer, name text);
CREATE TABLE scores (lead_id integer PRIMARY KEY, score integer, tag text);
INSERT INTO leads SELECT g, g % 10, 'lead ' || g FROM generate_series(1, 100) g;
INSERT INTO scores SELECT g, g FROM generate_series(1, 50) g;
CREATE MATERIALIZED VIEW lead_scores AS SELECT lead_id, score, tag FROM scores WHERE score > 0;
CREATE UNIQUE INDEX ON lead_scores (lead_id);
CREATE MATERIALIZED VIEW owners AS SELECT owner, count(*) AS leads FROM leads GROUP BY owner;
CREATE UNIQUE INDEX ON owners (owner);
CREATE VIEW nested AS SELECT o.owner, o.leads FROM owners o;
-- Direct, mapped through a view, itself the table that has the key, in a row of its own and in an aggregate.
CREATE VIEW counted_leads AS SELECT l.id, counted(l.id) AS n, s.score, o.leads
    FROM leads l LEFT JOIN lead_scores s ON s.lead_id = l.id LEFT JOIN nested o ON o.owner = l.owner;
CREATE VIEW only_matview AS SELECT lead_id, score FROM lead_scores;
CREATE VIEW whole AS SELECT l.id, s FROM leads l JOIN lead_scores s ON s.lead_id = l.id;
CREATE VIEW totals AS SELECT l.owner, sum(s.score) AS score, count(*) AS scored
    FROM leads l JOIN lead_scores s ON s.lead_id = l.id GROUP BY l.owner;
SELECT freshcrm.create_projection('counted_leads', '{id}'), freshcrm.create_projection('only_matview', '{lead_id}'),
    freshcrm.create_projection('whole', '{id}'), freshcrm.create_projection('totals', '{owner}', mode => 'commit');
SELECT projection, base_tables, state FROM freshcrm.projections ORDER BY projection::text;
SELECT base_table, traced, mapping_query, watched_columns, wanted_index, index_exists FROM freshcrm.explain_projection('counted_leads_hot');
SELECT * FROM worked();

-- Concurrently: the keys of the rows that differ.
UPDATE scores SET score = score + 100 WHERE lead_id IN (3, 7);
DELETE FROM scores WHERE lead_id = 9;
INSERT INTO scores VALUES (60, 60), (1000, 1);
SELECT * FROM worked();
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT * FROM worked();
SELECT id, n, score, leads FROM counted_leads_hot WHERE id IN (3, 7, 9, 60) ORDER BY id;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT * FROM worked();
UPDATE leads SET owner = 3 WHERE id = 4;
SELECT * FROM worked();
REFRESH MATERIALIZED VIEW CONCURRENTLY owners;
SELECT * FROM worked();
-- Otherwise everything.
UPDATE scores SET score = score + 1 WHERE lead_id = 3;
REFRESH MATERIALIZED VIEW lead_scores;
SELECT * FROM worked();

-- Several times in one transaction, also in parts of it that are taken back.
BEGIN;
UPDATE scores SET score = 1 WHERE lead_id = 3;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT id, score FROM counted_leads_hot WHERE id IN (3, 5) ORDER BY id;
SAVEPOINT s;
UPDATE scores SET score = 2 WHERE lead_id IN (3, 5);
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT id, score FROM counted_leads_hot WHERE id IN (3, 5) ORDER BY id;
ROLLBACK TO s;
SELECT id, score FROM counted_leads_hot WHERE id IN (3, 5) ORDER BY id;
UPDATE scores SET score = 4 WHERE lead_id = 3;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
UPDATE scores SET score = 5 WHERE lead_id = 5;
REFRESH MATERIALIZED VIEW lead_scores;
UPDATE scores SET score = 6 WHERE lead_id = 6;
SELECT (worked()).differences;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT * FROM worked();  -- totals only at the end
SELECT freshcrm.flush();
SELECT * FROM worked();
DELETE FROM scores WHERE lead_id = 6;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
ROLLBACK;
SELECT (worked()).differences;
BEGIN ISOLATION LEVEL REPEATABLE READ;
UPDATE scores SET score = 0 WHERE lead_id = 3;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
UPDATE leads SET owner = 9 WHERE id = 5;
COMMIT;
SELECT (worked()).differences;
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE scores SET score = 8 WHERE lead_id = 3;
REFRESH MATERIALIZED VIEW lead_scores;
REFRESH MATERIALIZED VIEW owners;
COMMIT;
SELECT (worked()).differences;
-- By functions, after errors.
CREATE FUNCTION refresh_and_fail() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
    BEGIN
        UPDATE scores SET score = 7 WHERE lead_id = 7;
        REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    UPDATE scores SET score = 8 WHERE lead_id = 8;
    REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
    RETURN (SELECT string_agg(format('%s %s', id, score), ', ' ORDER BY id) FROM counted_leads_hot WHERE id IN (7, 8));
END
$$;
SELECT refresh_and_fail();
SELECT (worked()).differences;
-- By a trigger, in the middle of a write that other projections follow.
CREATE FUNCTION refresh_owners() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN REFRESH MATERIALIZED VIEW CONCURRENTLY owners; RETURN NULL; END $$;
CREATE TRIGGER a_first AFTER UPDATE ON leads FOR EACH STATEMENT EXECUTE FUNCTION refresh_owners();
CREATE TRIGGER freshcrm_9_last AFTER DELETE ON leads FOR EACH STATEMENT EXECUTE FUNCTION refresh_owners();
UPDATE leads SET owner = 1 WHERE id IN (2, 3);
SELECT (worked()).differences;
DELETE FROM leads WHERE id IN (2, 10);
SELECT (worked()).differences;
DROP TRIGGER a_first ON leads;
DROP TRIGGER freshcrm_9_last ON leads;
-- Inside another refresh.
CREATE FUNCTION nested_refresh() RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN REFRESH MATERIALIZED VIEW ms.lead_scores; RETURN 1; END $$;
CREATE MATERIALIZED VIEW outermost AS SELECT nested_refresh() AS n WITH NO DATA;
UPDATE scores SET score = 77 WHERE lead_id = 7;
SELECT * FROM worked();
REFRESH MATERIALIZED VIEW outermost;
SELECT * FROM worked();

RESET freshcrm.patch;

-- Async, and errors.
CREATE VIEW later AS SELECT l.id, 100 / s.score AS share FROM leads l JOIN lead_scores s ON s.lead_id = l.id;
CREATE VIEW fallible AS SELECT l.id, 100 / (s.score - 9999) AS share FROM leads l JOIN lead_scores s ON s.lead_id = l.id;
SELECT freshcrm.create_projection('later', '{id}', mode => 'async'),
    freshcrm.create_projection('fallible', '{id}', on_error => 'stale');
UPDATE scores SET score = 20 WHERE lead_id = 20;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT freshcrm.wait_for('later_hot', '60 s');
UPDATE scores SET score = 21 WHERE lead_id = 20;
REFRESH MATERIALIZED VIEW lead_scores;
SELECT freshcrm.wait_for('later_hot', '60 s');
SELECT * FROM worked();
UPDATE scores SET score = 9999 WHERE lead_id = 20;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
SELECT state, problem FROM freshcrm.projections WHERE projection = 'fallible_hot'::regclass;
UPDATE scores SET score = 30 WHERE lead_id = 20;
REFRESH MATERIALIZED VIEW CONCURRENTLY lead_scores;
CALL freshcrm.drain();
SELECT state, problem, difference(projection) FROM freshcrm.projections WHERE projection IN ('fallible_hot'::regclass, 'later_hot');
-- Without data nobody can read it.
REFRESH MATERIALIZED VIEW lead_scores WITH NO DATA;
SELECT count(*) > 0 FROM counted_leads_hot;
SELECT freshcrm.drop_projection(projection) FROM freshcrm.projections
WHERE projection::text NOT LIKE ALL ('{fallible%,later%}') AND 'lead_scores'::regclass = ANY (base_tables);
REFRESH MATERIALIZED VIEW lead_scores WITH NO DATA;
SELECT state, problem FROM freshcrm.projections WHERE projection = 'fallible_hot'::regclass;
SELECT freshcrm.create_projection('totals', '{owner}', mode => 'commit');
REFRESH MATERIALIZED VIEW lead_scores;
CALL freshcrm.drain();
SELECT freshcrm.wait_for('later_hot', '60 s');
SELECT projection, state, difference(projection) FROM freshcrm.projections ORDER BY projection::text;

-- DDL.
SELECT freshcrm.create_projection('totals', '{owner}'), freshcrm.create_projection('counted_leads', '{id}');
SELECT (worked()).differences;
ALTER MATERIALIZED VIEW lead_scores RENAME TO renamed;
ALTER MATERIALIZED VIEW renamed RENAME COLUMN score TO points;
CREATE SCHEMA elsewhere;
ALTER MATERIALIZED VIEW renamed SET SCHEMA elsewhere;
SELECT * FROM worked();
UPDATE scores SET score = score + 1 WHERE lead_id = 30;
REFRESH MATERIALIZED VIEW CONCURRENTLY elsewhere.renamed;
SELECT * FROM worked();
UPDATE leads SET owner = owner + 1 WHERE id = 30;
SELECT * FROM worked();
-- With patches, and computing only some columns.
UPDATE scores SET score = score + 1 WHERE lead_id = 40;
BEGIN;
UPDATE leads SET owner = owner + 1 WHERE id IN (40, 41);
REFRESH MATERIALIZED VIEW CONCURRENTLY elsewhere.renamed;
UPDATE leads SET owner = owner + 1 WHERE id IN (41, 42);
REFRESH MATERIALIZED VIEW CONCURRENTLY owners;
DELETE FROM leads WHERE id = 42;
COMMIT;
SELECT (worked()).differences;
-- A view that reads it only now.
CREATE VIEW grows AS SELECT id, name FROM leads;
SELECT freshcrm.create_projection('grows', '{id}');
CREATE OR REPLACE VIEW grows AS SELECT l.id, l.name, s.tag FROM leads l LEFT JOIN elsewhere.renamed s ON s.lead_id = l.id;
UPDATE scores SET tag = 'new' WHERE lead_id = 31;
REFRESH MATERIALIZED VIEW CONCURRENTLY elsewhere.renamed;
SELECT id, name, tag FROM grows_hot WHERE tag IS NOT NULL;
-- What it is made of does not change it.
CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE MATERIALIZED VIEW shouts AS SELECT id, shout(name) AS name FROM leads;
CREATE UNIQUE INDEX ON shouts (id);
CREATE VIEW shouted AS SELECT l.id, counted(l.id) AS n, s.name FROM leads l JOIN shouts s ON s.id = l.id;
SELECT freshcrm.create_projection('shouted', '{id}');
SELECT (worked()).differences;
CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1) || ''!''';
SELECT * FROM worked();
REFRESH MATERIALIZED VIEW CONCURRENTLY shouts;
SELECT (worked()).differences, (SELECT name FROM shouted_hot WHERE id = 1);
-- What one row of it is for a key is known by its unique index.
SELECT base_table, applied -> 'INSERT' AS inserted FROM freshcrm.explain_projection('shouted_hot') ORDER BY 1;
-- Options.
CREATE VIEW unlinked AS SELECT l.id, (SELECT max(points) FROM elsewhere.renamed) AS most FROM leads l;
SELECT freshcrm.create_projection('unlinked', '{id}');
SELECT freshcrm.create_projection('unlinked', '{id}', options => '{"full": ["elsewhere.renamed"]}');
CREATE VIEW mapped_by_user AS SELECT l.id, (SELECT points FROM elsewhere.renamed s WHERE s.lead_id = l.id) AS points FROM leads l;
SELECT freshcrm.create_projection('mapped_by_user', '{id}', mode => 'commit',
    options => '{"mapping": {"elsewhere.renamed": "SELECT lead_id FROM changed"}}');
UPDATE scores SET score = 10000 WHERE lead_id = 33;
REFRESH MATERIALIZED VIEW CONCURRENTLY elsewhere.renamed;
SELECT (worked()).differences, (SELECT max(most) FROM unlinked_hot), (SELECT points FROM mapped_by_user_hot WHERE id = 33);
-- Rights: it is read, and there are no triggers to put on it.
CREATE ROLE regress_ms_reader;
GRANT USAGE, CREATE ON SCHEMA ms TO regress_ms_reader;
GRANT EXECUTE ON FUNCTION freshcrm.create_projection(regclass, name[], name, text, text, jsonb) TO regress_ms_reader;
SET ROLE regress_ms_reader;
CREATE VIEW of_reader AS SELECT id, name FROM shouts;
SELECT freshcrm.create_projection('of_reader'::regclass, '{id}');
RESET ROLE;
GRANT SELECT ON shouts TO regress_ms_reader;
SET ROLE regress_ms_reader;
SELECT freshcrm.create_projection('of_reader'::regclass, '{id}');
RESET ROLE;
INSERT INTO leads VALUES (500, 1, 'late');
REFRESH MATERIALIZED VIEW CONCURRENTLY shouts;
SELECT id, name FROM of_reader_hot WHERE id = 500;
SELECT (worked()).differences;
-- The reverse, and a refresh of both.
CREATE MATERIALIZED VIEW above AS SELECT id, name FROM grows_hot;
CREATE UNIQUE INDEX ON above (id);
CREATE VIEW top AS SELECT a.id, a.name FROM above a;
SELECT freshcrm.create_projection('top', '{id}');
UPDATE leads SET name = 'up' WHERE id = 1;
REFRESH MATERIALIZED VIEW CONCURRENTLY above;
SELECT id, name FROM top_hot WHERE id = 1;
-- By freshcrm.refresh().
INSERT INTO freshcrm.matview (matview, timezone, job_name) VALUES ('above', 'UTC', 'above');
UPDATE leads SET name = 'higher' WHERE id = 1;
SELECT status, mode FROM freshcrm.refresh('above', 'concurrently');
SELECT id, name FROM top_hot WHERE id = 1;
UPDATE leads SET name = 'highest' WHERE id = 1;
SELECT status, mode FROM freshcrm.refresh('above', 'plain');
SELECT id, name FROM top_hot WHERE id = 1;
DELETE FROM freshcrm.matview WHERE matview = 'above'::regclass;
-- Repair.
ALTER TABLE shouted_hot DISABLE TRIGGER USER;
UPDATE shouted_hot SET name = 'wrong' WHERE id = 1;
SELECT difference, key FROM freshcrm.verify_projection('shouted_hot', true);
CALL freshcrm.rebuild_projection('shouted_hot');
SELECT (worked()).differences;
-- Dropped, and made again.
DROP MATERIALIZED VIEW shouts;
DROP MATERIALIZED VIEW shouts CASCADE;
SELECT count(*) FROM freshcrm.projections WHERE projection IN (to_regclass('shouted_hot'), to_regclass('of_reader_hot'));
CREATE MATERIALIZED VIEW shouts AS SELECT id, shout(name) AS name FROM leads WITH NO DATA;
CREATE VIEW shouted AS SELECT l.id, s.name FROM leads l JOIN shouts s ON s.id = l.id;
SELECT freshcrm.create_projection('shouted', '{id}', 'shouted_again');
REFRESH MATERIALIZED VIEW shouts;
SELECT freshcrm.create_projection('shouted', '{id}', 'shouted_again');
SELECT (worked()).differences;
REFRESH MATERIALIZED VIEW shouts;

SET client_min_messages = error;
DROP SCHEMA elsewhere CASCADE;
DROP SCHEMA ms CASCADE;
DROP OWNED BY regress_ms_reader;
DROP ROLE regress_ms_reader;
DROP FUNCTION difference(regclass);
