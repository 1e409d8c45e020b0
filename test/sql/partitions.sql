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

-- A generated column, as a key and as a link, of rows that come through the root and lie otherwise in the partition.
CREATE TABLE calls (id integer, lead_id integer, kind integer GENERATED ALWAYS AS (lead_id % 3) STORED, note text) PARTITION BY RANGE (id);
CREATE TABLE calls_old (junk integer, LIKE calls INCLUDING GENERATED);
ALTER TABLE calls_old DROP COLUMN junk;
ALTER TABLE calls ATTACH PARTITION calls_old FOR VALUES FROM (0) TO (10);
CREATE TABLE calls_new PARTITION OF calls FOR VALUES FROM (10) TO (20);
CREATE VIEW kinds AS SELECT kind, count(*) AS n FROM calls WHERE kind IS NOT NULL GROUP BY kind;
CREATE VIEW old_kinds AS SELECT kind, count(*) AS n FROM calls_old WHERE kind IS NOT NULL GROUP BY kind;
CREATE VIEW called AS SELECT l.id, (SELECT max(c.note) FROM calls c WHERE c.kind = l.id) AS note FROM leads l;
SELECT freshcrm.create_projection('kinds', '{kind}'), freshcrm.create_projection('old_kinds', '{kind}'), freshcrm.create_projection('called', '{id}');
CREATE FUNCTION kinds() RETURNS TABLE (kinds text, old_kinds text, called text, n numeric) LANGUAGE sql AS
$$ SELECT difference('kinds_hot'), difference('old_kinds_hot'), difference('called_hot'), (SELECT sum(n) FROM kinds_hot) $$;
INSERT INTO calls (id, lead_id, note) VALUES (1, 1, 'a'), (2, 2, 'b'), (11, 1, 'c'), (12, NULL, 'd');
SELECT * FROM kinds();
COPY calls (id, lead_id, note) FROM stdin;
3	5	e
13	4	f
\.
SELECT * FROM kinds();
UPDATE calls SET lead_id = lead_id + 1;
SELECT * FROM kinds();
UPDATE calls SET id = id - 5, lead_id = 1 WHERE id = 12;
SELECT * FROM kinds();
UPDATE calls_old SET lead_id = 2, note = 'g' WHERE id = 1;
MERGE INTO calls c USING (VALUES (4, 2), (2, 7)) v (id, lead) ON c.id = v.id WHEN MATCHED THEN UPDATE SET lead_id = v.lead WHEN NOT MATCHED THEN INSERT (id, lead_id) VALUES (v.id, v.lead);
SELECT * FROM kinds();

-- Several projections, when a partition is detached and attached below another: none is left without its triggers, nor
-- with one too many. The view of a partition does not read what it was a partition of.
CREATE TABLE calls_more PARTITION OF calls FOR VALUES FROM (20) TO (40) PARTITION BY RANGE (id);
CREATE TABLE calls_20 PARTITION OF calls_more FOR VALUES FROM (20) TO (30);
INSERT INTO calls_20 (id, lead_id) VALUES (20, 4), (21, 5);
CREATE VIEW alone AS SELECT kind, count(*) AS n FROM calls_20 WHERE kind IS NOT NULL GROUP BY kind;
SELECT freshcrm.create_projection('alone', '{kind}');
ALTER TABLE calls_more DETACH PARTITION calls_20;
SELECT k.*, difference('alone_hot') FROM kinds() k;
UPDATE calls SET lead_id = lead_id + 1;
UPDATE calls_20 SET lead_id = lead_id + 1;
SELECT k.*, difference('alone_hot') FROM kinds() k;
ALTER TABLE calls_more ATTACH PARTITION calls_20 FOR VALUES FROM (20) TO (30);
SELECT k.*, difference('alone_hot') FROM kinds() k;
UPDATE calls SET lead_id = lead_id + 1;
SELECT k.*, difference('alone_hot') FROM kinds() k;
SELECT projection, state, problem FROM freshcrm.projections ORDER BY projection::text;
ALTER TABLE calls DETACH PARTITION calls_more;
UPDATE calls SET lead_id = lead_id + 1;
UPDATE calls_more SET lead_id = lead_id + 1;
SELECT k.*, difference('alone_hot') FROM kinds() k;
ALTER TABLE calls ATTACH PARTITION calls_more FOR VALUES FROM (20) TO (40);
-- One that reads both.
CREATE VIEW both_ways AS SELECT l.id, (SELECT count(*) FROM calls c WHERE c.lead_id = l.id) AS all_of_them, (SELECT count(*) FROM calls_old c WHERE c.lead_id = l.id) AS old,
    (SELECT count(*) FROM calls_more c WHERE c.lead_id = l.id) AS more FROM leads l;
SELECT freshcrm.create_projection('both_ways', '{id}');
ALTER TABLE calls DETACH PARTITION calls_old;
ALTER TABLE calls DETACH PARTITION calls_more;
SET session_replication_role = replica;
UPDATE calls SET lead_id = 1; UPDATE calls_old SET lead_id = 1; UPDATE calls_more SET lead_id = 1;
RESET session_replication_role;
SELECT difference('both_ways_hot');
ALTER TABLE calls ATTACH PARTITION calls_old FOR VALUES FROM (0) TO (10);
ALTER TABLE calls ATTACH PARTITION calls_more FOR VALUES FROM (20) TO (40);
SET session_replication_role = replica;
UPDATE calls SET lead_id = 2; UPDATE calls_more SET lead_id = 3;
RESET session_replication_role;
UPDATE calls SET lead_id = lead_id + 1;
UPDATE calls_old SET lead_id = lead_id + 1;
SELECT difference('both_ways_hot'), sum(all_of_them) AS all_of_them, sum(old) AS old, sum(more) AS more FROM both_ways_hot;
SELECT projection, state, problem FROM freshcrm.projections WHERE state <> 'current';
-- Each table has one row trigger, its own or that of the root, and one for rows that MERGE moves where there are partitions.
SELECT tgrelid::regclass, count(*) FILTER (WHERE tgtype = 29) AS replicas, count(*) FILTER (WHERE tgtype = 13) AS moves FROM pg_trigger JOIN freshcrm.projection p ON p.target = 'both_ways_hot'::regclass AND tgargs = convert_to(p.id::text, 'UTF8') || '\x00'
WHERE tgfoid = 'freshcrm.capture'::regproc AND tgtype & 1 = 1 GROUP BY 1 ORDER BY 1::text;

-- A mapping query is given the generated columns of such rows, too, computed as the owner.
CREATE TABLE notes (gone integer, id integer, note text, word text GENERATED ALWAYS AS (lower(note)) STORED, at integer, size integer GENERATED ALWAYS AS (length(note)) STORED) PARTITION BY RANGE (at);
ALTER TABLE notes DROP COLUMN gone;
CREATE TABLE notes_old (LIKE notes INCLUDING GENERATED, junk text);
ALTER TABLE notes_old DROP COLUMN junk;
CREATE TABLE notes_other (at integer, size integer GENERATED ALWAYS AS (length(note)) STORED, note text, word text GENERATED ALWAYS AS (lower(note)) STORED, id integer);
ALTER TABLE notes ATTACH PARTITION notes_old FOR VALUES FROM (0) TO (10);
ALTER TABLE notes ATTACH PARTITION notes_other FOR VALUES FROM (10) TO (20);
CREATE VIEW words AS SELECT word, size, count(*) AS n FROM notes WHERE word IS NOT NULL GROUP BY word, size;
SELECT freshcrm.create_projection('words', '{word,size}', options => '{"mapping": {"parts.notes": "SELECT word, size FROM changed"}}'),
    freshcrm.create_projection('words', '{word,size}', 'words_at_end', 'commit', options => '{"mapping": {"parts.notes": "WITH c AS (SELECT * FROM changed) SELECT word, size FROM c UNION SELECT word, size FROM changed"}}');
CREATE VIEW words_state AS SELECT difference('words_hot'), difference('words_at_end') AS at_end, (SELECT string_agg(format('%s %s %s', word, size, n), ', ' ORDER BY word) FROM words_hot);
INSERT INTO notes (id, note, at) VALUES (1, 'One', 1), (2, 'TWO', 12), (3, NULL, 13), (4, 'one', 14);
TABLE words_state;
COPY notes (id, note, at) FROM stdin;
5	Five	5
6	five	15
\.
TABLE words_state;
UPDATE notes SET at = 25 - at, note = note || 's' WHERE id IN (1, 6) AND at > 10 OR id = 4;
UPDATE notes SET note = upper(note);
TABLE words_state;
MERGE INTO notes n USING (VALUES (1, 'Eins'), (2, 'zwei'), (7, 'Sieben')) v (id, note) ON n.id = v.id WHEN MATCHED THEN UPDATE SET note = v.note, at = 19 - n.at WHEN NOT MATCHED THEN INSERT (id, note, at) VALUES (v.id, v.note, 17);
INSERT INTO notes_other (id, note, at) VALUES (8, 'Acht', 18);
DELETE FROM notes WHERE id IN (4, 7);
TABLE words_state;
DROP SCHEMA parts CASCADE;
DROP FUNCTION difference(regclass);
