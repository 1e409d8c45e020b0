-- The table of a projection refuses every write but those of upkeep.
CREATE SCHEMA guard;
SET search_path = guard, public;
SET client_min_messages = warning;
CREATE TABLE a (id integer PRIMARY KEY, x text);
INSERT INTO a VALUES (1, 'one'), (2, 'two');
CREATE VIEW v AS SELECT id, x FROM a;
SELECT freshcrm.create_projection('v', '{id}');
INSERT INTO v_hot VALUES (5, 'five', now(), 'none');
\set VERBOSITY sqlstate
UPDATE v_hot SET x = 'forged';
UPDATE v_hot SET x = 'forged' WHERE false;
DELETE FROM v_hot;
TRUNCATE v_hot;
COPY v_hot FROM stdin;
\.
MERGE INTO v_hot USING a ON a.id = v_hot.id WHEN MATCHED THEN DELETE;
WITH w AS (DELETE FROM v_hot) SELECT;
SELECT id FROM v_hot ORDER BY id FOR UPDATE;
-- Not the writes of a role with all rights, nor those of an updatable view.
CREATE ROLE freshcrm_writer;
GRANT USAGE, CREATE ON SCHEMA guard TO freshcrm_writer;
GRANT ALL ON v_hot TO freshcrm_writer;
CREATE VIEW over AS SELECT * FROM v_hot;
GRANT ALL ON over TO freshcrm_writer;
SET ROLE freshcrm_writer;
DELETE FROM v_hot;
DELETE FROM over;
-- Nor those of a role that is in a security-restricted operation of its own.
CREATE FUNCTION sneak() RETURNS integer LANGUAGE sql AS $$ DELETE FROM guard.v_hot; SELECT 1 $$;
CREATE MATERIALIZED VIEW sneaky AS SELECT sneak() WITH NO DATA;
REFRESH MATERIALIZED VIEW sneaky;
DROP MATERIALIZED VIEW sneaky;
RESET ROLE;
SELECT id, x FROM v_hot ORDER BY id;
-- Upkeep passes, whoever writes.
GRANT ALL ON a TO freshcrm_writer;
SET ROLE freshcrm_writer;
INSERT INTO a VALUES (3, 'three');
UPDATE a SET x = upper(x);
DELETE FROM a WHERE id = 1;
RESET ROLE;
SELECT id, x FROM v_hot ORDER BY id;
TRUNCATE a;
SELECT id, x FROM v_hot ORDER BY id;
INSERT INTO a VALUES (1, 'one'), (2, 'two');
SELECT * FROM freshcrm.recompute('v_hot', ARRAY[1]);

-- A session that loads as a replica, and who has disabled the trigger, write; that is repaired.
SET session_replication_role = replica;
DELETE FROM v_hot WHERE id = 1;
RESET session_replication_role;
ALTER TABLE v_hot DISABLE TRIGGER freshcrm_guard;
UPDATE v_hot SET x = 'forged';
ALTER TABLE v_hot ENABLE TRIGGER freshcrm_guard;
SELECT state FROM freshcrm.projections;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true) ORDER BY key::text;
SELECT id, x FROM v_hot ORDER BY id;

-- A guard that is gone is shown, and comes back with a repair.
ALTER TABLE v_hot DISABLE TRIGGER freshcrm_guard;
SELECT state, problem FROM freshcrm.projections;
SELECT * FROM freshcrm.verify_projection('v_hot');
SELECT problem IS NULL AS guarded FROM freshcrm.projections;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true);
SELECT problem IS NULL AS guarded FROM freshcrm.projections;
DELETE FROM v_hot;
ALTER TABLE v_hot ENABLE REPLICA TRIGGER freshcrm_guard;
SELECT problem IS NULL AS guarded FROM freshcrm.projections;
CALL freshcrm.rebuild_projection('v_hot');
DELETE FROM v_hot;
ALTER TABLE v_hot ENABLE ALWAYS TRIGGER freshcrm_guard;
SELECT problem IS NULL AS guarded FROM freshcrm.projections;
CALL freshcrm.rebuild_projection('v_hot');
SET session_replication_role = replica;
DELETE FROM v_hot;
RESET session_replication_role;
DROP TRIGGER freshcrm_guard ON v_hot;
SELECT problem IS NULL AS guarded FROM freshcrm.projections;
CALL freshcrm.rebuild_projection('v_hot');
DELETE FROM v_hot;
CREATE OR REPLACE TRIGGER freshcrm_guard BEFORE INSERT ON v_hot FOR EACH STATEMENT EXECUTE FUNCTION freshcrm.guard_target();
SELECT problem IS NULL AS guarded FROM freshcrm.projections;
SELECT * FROM freshcrm.verify_projection('v_hot', repair => true);
DELETE FROM v_hot;
SELECT problem IS NULL AS guarded FROM freshcrm.projections;

-- The actions of foreign keys of the table itself are direct writes.
ALTER TABLE v_hot ADD CONSTRAINT own FOREIGN KEY (id) REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE;
\set VERBOSITY default
DELETE FROM a WHERE id = 1;
UPDATE a SET id = 9 WHERE id = 1;
\set VERBOSITY sqlstate
TRUNCATE a CASCADE;
ALTER TABLE v_hot DROP CONSTRAINT own;

-- It goes with the projection, wherever the table stays.
CREATE FUNCTION guards() RETURNS TABLE (guarded regclass) LANGUAGE sql AS
$$ SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'freshcrm.guard_target'::regproc ORDER BY 1::text $$;
SELECT * FROM guards();
ALTER TABLE v_hot RENAME TO kept;
SELECT freshcrm.drop_projection('kept', keep_table => true);
SELECT * FROM guards();
DELETE FROM kept;
SELECT freshcrm.create_projection('v', '{id}', 'kept');
SELECT * FROM guards();
DELETE FROM kept;
SELECT freshcrm.drop_projection('kept');
SELECT * FROM guards();
SELECT freshcrm.create_projection('v', '{id}', 'kept');
DROP VIEW v;
SELECT * FROM guards();
DELETE FROM kept;
CREATE VIEW v AS SELECT id, x FROM a;
SELECT freshcrm.create_projection('v', '{id}');
DROP TABLE v_hot;
SELECT * FROM guards();

-- Nor is there one with the option.
SELECT freshcrm.create_projection('v', '{id}', options => '{"direct_writes": true}');
SELECT * FROM guards();
DELETE FROM v_hot;
SELECT * FROM freshcrm.verify_projection('v_hot', true);
SELECT * FROM guards();
SELECT state, problem FROM freshcrm.projections;
ALTER TABLE v_hot ADD CONSTRAINT own FOREIGN KEY (id) REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE;
DELETE FROM a WHERE id = 1;
UPDATE a SET id = 9 WHERE id = 2;
SELECT id FROM v_hot;
SELECT freshcrm.drop_projection('v_hot');
SELECT freshcrm.create_projection('v', '{id}', options => '{"direct_writes": false}');
DELETE FROM v_hot;

-- A projection of a projection: both are guarded, and upkeep writes both.
CREATE VIEW w AS SELECT id, upper(x) AS x FROM v_hot;
SELECT freshcrm.create_projection('w', '{id}');
UPDATE a SET x = 'twice' WHERE id = 9;
SELECT v_hot.x, w_hot.x FROM v_hot JOIN w_hot USING (id);
DELETE FROM v_hot;
DELETE FROM w_hot;
SELECT projection, state FROM freshcrm.projections ORDER BY 1::text;

-- On other tables the function does nothing, and says how it is to be called.
CREATE TRIGGER misused BEFORE INSERT ON a FOR EACH STATEMENT EXECUTE FUNCTION freshcrm.guard_target();
INSERT INTO a VALUES (10, 'ten');
DROP TRIGGER misused ON a;
\set VERBOSITY default
CREATE TRIGGER misused BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION freshcrm.guard_target();
INSERT INTO a VALUES (11, 'eleven');
DROP TRIGGER misused ON a;
SELECT freshcrm.guard_target();

-- Tables that were projections are ordinary ones without the extension.
\set VERBOSITY terse
CREATE DATABASE freshcrm_dropped;
\c freshcrm_dropped
SET client_min_messages = warning;
CREATE EXTENSION freshcrm;
CREATE TABLE a (id integer PRIMARY KEY, x text);
CREATE VIEW v AS SELECT id, x FROM a;
SELECT freshcrm.create_projection('v', '{id}');
DROP EXTENSION freshcrm;
DROP EXTENSION freshcrm CASCADE;
INSERT INTO v_hot VALUES (1, 'free', now(), '');
\d v_hot
\c pg_regress
DROP DATABASE freshcrm_dropped;
SET client_min_messages = warning;
DROP SCHEMA guard CASCADE;
DROP ROLE freshcrm_writer;
