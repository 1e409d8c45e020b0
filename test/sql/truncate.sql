-- TRUNCATE of many tables at once, and what is written in between.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
SET client_min_messages = warning;
SET freshcrm.patch = off;  -- the view counts whole rows
\set ECHO all
CREATE SCHEMA tr;
SET search_path = tr, public;
CREATE SEQUENCE computed;
CREATE FUNCTION counted(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM nextval('tr.computed'); RETURN $1; END $$;
-- How many rows were computed since the last call, and what differs.
CREATE FUNCTION worked(OUT rows bigint, OUT differences text) LANGUAGE plpgsql AS
$$
BEGIN
    rows := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM computed);
    differences := (SELECT string_agg(projection || ': ' || difference(projection), ', ') FROM freshcrm.projections
                    WHERE difference(projection) IS NOT NULL);
    PERFORM setval('computed', 1, false);
END
$$;
CREATE TABLE leads (id integer PRIMARY KEY);
CREATE TABLE notes (lead_id integer REFERENCES leads, note text);
CREATE TABLE events (id integer, lead_id integer, amount integer) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE high PARTITION OF events FOR VALUES FROM (100) TO (300) PARTITION BY RANGE (id);
CREATE TABLE high_1 PARTITION OF high FOR VALUES FROM (100) TO (200);
CREATE TABLE high_2 PARTITION OF high FOR VALUES FROM (200) TO (300);
CREATE FUNCTION fill(OUT rows bigint, OUT differences text) LANGUAGE sql AS
$$
INSERT INTO leads SELECT generate_series(1, 10) ON CONFLICT DO NOTHING;
INSERT INTO notes SELECT g, 'n' FROM generate_series(1, 5) g;
INSERT INTO events SELECT g * 20, 1 + g % 10, 1 FROM generate_series(0, 14) g;
SELECT 0, (worked()).differences;
$$;
CREATE VIEW v AS SELECT l.id, counted(l.id) AS n, (SELECT sum(e.amount) FROM events e WHERE e.lead_id = l.id) AS total,
    (SELECT count(*) FROM notes n WHERE n.lead_id = l.id) AS notes FROM leads l;
CREATE VIEW plain AS SELECT id, amount FROM events;
SELECT freshcrm.create_projection('v', '{id}'), freshcrm.create_projection('plain', '{id}');
SELECT * FROM fill();
TRUNCATE events;
SELECT * FROM worked();
SELECT * FROM fill();
TRUNCATE notes, high, low;
SELECT * FROM worked();
SELECT * FROM fill();
TRUNCATE high_1, events, notes;
SELECT * FROM worked();
SELECT * FROM fill();
TRUNCATE leads, events CASCADE;
SELECT * FROM worked();
SELECT * FROM fill();
-- One after the other, each statement is followed when it is over.
BEGIN;
TRUNCATE high_1;
SELECT * FROM worked();
TRUNCATE low;
SELECT * FROM worked();
TRUNCATE low, high_1;
SELECT * FROM worked();
INSERT INTO low VALUES (1, 1, 100);
SELECT * FROM worked();
TRUNCATE low;
SELECT * FROM worked();
TRUNCATE events;
SELECT * FROM worked();
SAVEPOINT s;
INSERT INTO events VALUES (1, 1, 100), (200, 2, 200);
TRUNCATE events;
SELECT * FROM worked();
ROLLBACK TO s;
INSERT INTO events VALUES (1, 1, 100), (200, 2, 200);
SAVEPOINT s;
TRUNCATE events;
ROLLBACK TO s;
SELECT * FROM worked();
TRUNCATE high_2;
SELECT * FROM worked();
TRUNCATE low;
SELECT * FROM worked();
SET LOCAL session_replication_role = replica;
INSERT INTO low VALUES (1, 1, 100);
SELECT * FROM worked();
TRUNCATE low;
SELECT * FROM worked();
SET LOCAL session_replication_role = origin;
-- Rows that come without a write that is captured.
ALTER TABLE low DISABLE TRIGGER USER;
INSERT INTO low VALUES (1, 1, 100);
ALTER TABLE low ENABLE TRIGGER USER;
SELECT * FROM worked();
TRUNCATE low;
SELECT * FROM worked();
ALTER TABLE events DETACH PARTITION low;
INSERT INTO low VALUES (1, 1, 100);
ALTER TABLE events ATTACH PARTITION low FOR VALUES FROM (0) TO (100);
SELECT * FROM worked();
TRUNCATE low;
SELECT * FROM worked();
COMMIT;
-- The user's own trigger writes to one in between.
CREATE FUNCTION refill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO tr.low VALUES (7, 7, 7); RETURN NULL; END $$;
CREATE TRIGGER refill AFTER TRUNCATE ON high EXECUTE FUNCTION refill();
SELECT * FROM fill();
TRUNCATE high, low;
SELECT * FROM worked();
TABLE low;
SELECT total FROM v_hot WHERE id = 7;
DROP TABLE events, notes, leads CASCADE;
DROP SCHEMA tr CASCADE;
DROP FUNCTION difference(regclass);
