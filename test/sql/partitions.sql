-- Base tables in partitions, and the replication role replica.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set ECHO all
SET client_min_messages = warning;
CREATE SCHEMA parts;
SET search_path = parts, public;
CREATE TABLE leads (id integer PRIMARY KEY);
CREATE TABLE events (id integer, lead_id integer, region text, amount integer, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE north PARTITION OF events FOR VALUES IN ('n');
-- Columns in another order, one dropped, and a level below.
CREATE TABLE south (amount integer, junk integer, region text NOT NULL, lead_id integer, id integer NOT NULL, PRIMARY KEY (id, region)) PARTITION BY RANGE (id);
ALTER TABLE south DROP COLUMN junk;
ALTER TABLE events ATTACH PARTITION south FOR VALUES IN ('s');
CREATE TABLE south_low PARTITION OF south FOR VALUES FROM (0) TO (100);
CREATE TABLE south_high PARTITION OF south FOR VALUES FROM (100) TO (1000);
INSERT INTO leads SELECT generate_series(1, 5);
-- One view reads the root, one a partition and another the root as well.
CREATE VIEW sums AS SELECT l.id, (SELECT sum(e.amount) FROM events e WHERE e.lead_id = l.id) AS total FROM leads l;
CREATE VIEW lows AS SELECT l.id, (SELECT sum(e.amount) FROM south_low e WHERE e.lead_id = l.id) AS low, (SELECT count(*) FROM north n WHERE n.lead_id = l.id) AS n FROM leads l;
CREATE VIEW by_lead AS SELECT lead_id, count(*) AS n, array_agg(id ORDER BY id) AS ids FROM events WHERE lead_id > 0 GROUP BY lead_id;
SELECT freshcrm.create_projection('sums', '{id}'), freshcrm.create_projection('lows', '{id}'), freshcrm.create_projection('by_lead', '{lead_id}');
CREATE FUNCTION state() RETURNS TABLE (sums text, lows text, by_lead text, total bigint) LANGUAGE sql AS
$$ SELECT difference('sums_hot'), difference('lows_hot'), difference('by_lead_hot'), (SELECT sum(total) FROM sums_hot) $$;
INSERT INTO events VALUES (1, 1, 'n', 1), (2, 2, 'n', 10), (3, 3, 's', 100), (150, 4, 's', 1000);
SELECT * FROM state();
INSERT INTO south (id, lead_id, region, amount) VALUES (4, 1, 's', 2), (151, 1, 's', 20);
INSERT INTO south_high (id, lead_id, region, amount) VALUES (152, 2, 's', 200);
INSERT INTO north VALUES (5, 5, 'n', 2000);
SELECT * FROM state();
-- Rows move between partitions.
UPDATE events SET region = 's' WHERE id = 1;
UPDATE events SET id = id + 100, amount = amount + 1 WHERE region = 's' AND id < 5;
UPDATE south SET id = 6, lead_id = 5 WHERE id = 150;
SELECT * FROM state();
UPDATE events SET lead_id = 1 + lead_id % 5;
MERGE INTO events e USING (VALUES (2, 'n'), (99, 's')) v (id, region) ON e.id = v.id
  WHEN MATCHED THEN UPDATE SET region = 's', id = 7 WHEN NOT MATCHED THEN INSERT VALUES (v.id, 1, v.region, 5);
COPY south_low (id, lead_id, region, amount) FROM stdin;
50	3	s	50
\.
SELECT * FROM state();
DELETE FROM south_high WHERE lead_id = 2;
DELETE FROM events WHERE id = 6;
SELECT * FROM state();
TRUNCATE south_low;
SELECT * FROM state();

-- Loads in the replication role replica are maintained, by the root and by a partition.
SET session_replication_role = replica;
INSERT INTO events VALUES (10, 1, 'n', 7), (11, 2, 's', 70);
INSERT INTO south_low (id, lead_id, region, amount) VALUES (12, 3, 's', 700);
UPDATE events SET lead_id = 4, region = 'n' WHERE id = 11;
UPDATE leads SET id = 6 WHERE id = 5;
DELETE FROM north WHERE id = 10;
SELECT * FROM state();
TRUNCATE north;
SELECT * FROM state();
RESET session_replication_role;

SELECT freshcrm.drop_projection('lows_hot'), freshcrm.drop_projection('sums_hot'), freshcrm.drop_projection('by_lead_hot');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc;
DROP SCHEMA parts CASCADE;
DROP FUNCTION difference(regclass);
