-- Patches of a view that groups one table by the key: a group is there as long as it has rows (src/projection/grouped_patch.hpp).
CREATE SCHEMA patch_grouped;
SET search_path = patch_grouped, public;

CREATE TABLE deals (id int PRIMARY KEY, owner int, stage text, value int, price numeric, won_at timestamptz,
                    hidden boolean NOT NULL DEFAULT false, note text);
CREATE INDEX ON deals (owner, stage);

-- One view that counts its rows, and one that does not.
CREATE VIEW counted AS
SELECT owner, stage, count(*) AS deals, sum(value) AS value, sum(price) AS price, max(won_at) AS last_won_at,
       count(*) FILTER (WHERE value > 10) AS large, bool_or(value > 100) AS any_huge
  FROM deals WHERE owner IS NOT NULL AND stage IS NOT NULL AND NOT hidden GROUP BY owner, stage;
CREATE VIEW summed AS
SELECT d.stage, d.owner, sum(d.value) AS value, min(d.value) AS least
  FROM deals AS d WHERE d.owner IS NOT NULL AND d.stage IS NOT NULL AND NOT d.hidden GROUP BY d.owner, d.stage ORDER BY d.stage;
SELECT create_projection FROM freshcrm.create_projection('counted', '{owner,stage}');
SELECT create_projection FROM freshcrm.create_projection('summed', '{owner,stage}');
SELECT projection, applied FROM (VALUES ('counted_hot'::regclass), ('summed_hot')) AS p (projection),
       LATERAL freshcrm.explain_projection(projection) ORDER BY projection::text;

-- Runs a statement; says how its changes were applied to each projection, and what differs from its view.
CREATE FUNCTION tried(statement text) RETURNS TABLE (projection regclass, patched bigint, otherwise bigint, wrong text)
LANGUAGE plpgsql AS $$
DECLARE
  before freshcrm.projections[];
BEGIN
  before := ARRAY(SELECT p FROM freshcrm.projections AS p WHERE p.projection IN ('counted_hot'::regclass, 'summed_hot'::regclass));
  EXECUTE statement;
  RETURN QUERY
    SELECT a.projection, a.keys_patched - b.keys_patched,
           a.keys_narrow + a.keys_whole_row + a.recomputed_all - b.keys_narrow - b.keys_whole_row - b.recomputed_all,
           (SELECT string_agg(format('%s %s', d.difference, d.key), ', ') FROM freshcrm.verify_projection(a.projection) AS d)
      FROM freshcrm.projections AS a JOIN unnest(before) AS b USING (projection) ORDER BY a.projection::text;
END
$$;

-- The first row of a group is no patch, the next ones are.
SELECT * FROM tried($$INSERT INTO deals VALUES (1, 1, 'open', 5, 1.5, '2026-01-01')$$);
SELECT * FROM tried($$INSERT INTO deals VALUES (2, 1, 'open', 50, 2.25, '2026-02-01')$$);
SELECT * FROM tried($$INSERT INTO deals VALUES (3, 1, 'open', 500, NULL, NULL), (4, 1, 'won', 1, 1, NULL), (5, 1, 'open', 7, 1, NULL)$$);
-- Rows that do not count, and keys that are NULL.
SELECT * FROM tried($$INSERT INTO deals VALUES (6, 1, 'open', 1000, 1, '2027-01-01', true)$$);
SELECT * FROM tried($$INSERT INTO deals VALUES (7, NULL, 'open', 1), (8, 1, NULL, 1)$$);
SELECT owner, stage, deals, value, price, last_won_at, large, any_huge FROM counted_hot ORDER BY owner, stage COLLATE "C";
-- Changes within a group, into another, out of those that count and into them.
SELECT * FROM tried($$UPDATE deals SET value = 8 WHERE id = 5$$);
SELECT * FROM tried($$UPDATE deals SET stage = 'won' WHERE id = 2$$);
SELECT * FROM tried($$UPDATE deals SET hidden = true WHERE id = 3$$);
SELECT * FROM tried($$UPDATE deals SET hidden = false WHERE id = 3$$);
SELECT * FROM tried($$UPDATE deals SET note = 'x'$$);
-- The last row of a group goes: by DELETE, by another key, by what counts.
SELECT * FROM tried($$DELETE FROM deals WHERE id = 5$$);
SELECT * FROM tried($$DELETE FROM deals WHERE id IN (1, 3)$$);
SELECT * FROM tried($$UPDATE deals SET owner = 2 WHERE stage = 'won'$$);
SELECT * FROM tried($$UPDATE deals SET hidden = true WHERE owner = 2$$);
SELECT * FROM tried($$UPDATE deals SET hidden = false WHERE owner = 2$$);
SELECT count(*) FROM counted_hot;
-- A row that comes and goes in one transaction, and one that is put in the place of the last one.
SELECT * FROM tried($$WITH gone AS (DELETE FROM deals WHERE id = 2 RETURNING *) INSERT INTO deals SELECT 20, 2, 'won', 9, 9 FROM gone$$);
SELECT * FROM tried($q$DO $$ BEGIN INSERT INTO deals VALUES (30, 3, 'open', 1, 1); DELETE FROM deals WHERE id = 30; END $$$q$);
SELECT freshcrm.alter_projection('counted_hot', mode => 'commit'), freshcrm.alter_projection('summed_hot', mode => 'commit');
BEGIN;
INSERT INTO deals VALUES (31, 3, 'open', 1, 1), (32, 2, 'won', 4, 4);
UPDATE deals SET value = value + 1 WHERE owner IN (2, 3);
DELETE FROM deals WHERE id IN (20, 31);
COMMIT;
SELECT * FROM freshcrm.verify_projection('counted_hot') UNION ALL SELECT * FROM freshcrm.verify_projection('summed_hot');

-- Packed events: one that comes is added to them, one that goes or changes is not taken away, and too many at once are packed anew.
CREATE TABLE events (id int PRIMARY KEY, lead int, at timestamptz, kind text, channel varchar(9));
CREATE INDEX ON events (lead);
SELECT freshcrm.create_event_rollup('events', '{lead}', 'at', '1 hour', '{kind,channel}');
SELECT applied FROM freshcrm.explain_projection('events_rollup');
CREATE FUNCTION packed(statement text, OUT patched bigint, OUT otherwise bigint, OUT wrong text) LANGUAGE plpgsql AS $$
DECLARE
  before freshcrm.projections;
BEGIN
  SELECT * INTO before FROM freshcrm.projections WHERE projection = 'events_rollup'::regclass;
  EXECUTE statement;
  SELECT a.keys_patched - before.keys_patched, a.keys_narrow + a.keys_whole_row - before.keys_narrow - before.keys_whole_row,
         (SELECT string_agg(format('%s %s', d.difference, d.key), ', ') FROM freshcrm.verify_projection('events_rollup') AS d)
    INTO patched, otherwise, wrong FROM freshcrm.projections AS a WHERE projection = 'events_rollup'::regclass;
END
$$;
SELECT * FROM packed($$INSERT INTO events VALUES (1, 1, '2026-01-01 10:00', 'in', 'mail')$$);
SELECT * FROM packed($$INSERT INTO events VALUES (2, 1, '2026-01-01 12:30', 'in', 'mail'), (3, 1, '2026-01-01 09:00', 'in', 'mail'), (4, 1, NULL, NULL, 'fax')$$);
SELECT * FROM packed($$INSERT INTO events SELECT 100 + n, 1, 'infinity', 'out', NULL FROM generate_series(1, 200) AS n$$);
SELECT * FROM packed($$INSERT INTO events SELECT 1000 + n, 1, '2026-01-01'::timestamptz + n * interval '7 min', 'out', 'x' FROM generate_series(1, 300) AS n$$);
SELECT * FROM packed($$UPDATE events SET at = at - interval '1 day' WHERE id = 2$$);
SELECT * FROM packed($$DELETE FROM events WHERE id = 3$$);
SELECT * FROM packed($$DELETE FROM events$$);
SELECT count(*) FROM events_rollup;

-- Only the extension's own functions are trusted to do as their names say.
CREATE FUNCTION freshcrm.longest_add(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT CASE WHEN length($2) > length($1) THEN $2 ELSE coalesce($1, $2) END$$;
CREATE FUNCTION freshcrm.longest_merge(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'never'$$;
CREATE AGGREGATE freshcrm.longest(text) (SFUNC = freshcrm.longest_add, STYPE = text, COMBINEFUNC = freshcrm.longest_add);
CREATE VIEW longest AS SELECT lead, freshcrm.longest(kind) AS kind FROM events WHERE lead IS NOT NULL GROUP BY lead;
SELECT freshcrm.create_projection('longest', '{lead}');
SELECT applied->>'INSERT' AS insert FROM freshcrm.explain_projection('longest_hot');
SELECT freshcrm.drop_projection('longest_hot');
DROP VIEW longest;
DROP AGGREGATE freshcrm.longest(text);
DROP FUNCTION freshcrm.longest_add(text, text), freshcrm.longest_merge(text, text);

-- Not of this kind: equal keys that look otherwise, groups that HAVING chooses, an average, another column than the key.
CREATE TABLE parts (id int PRIMARY KEY, size numeric, name text, amount int);
CREATE VIEW by_size AS SELECT size, count(*) FROM parts WHERE size IS NOT NULL GROUP BY size;
CREATE VIEW chosen AS SELECT name, count(*) FROM parts WHERE name IS NOT NULL GROUP BY name HAVING count(*) > 1;
CREATE VIEW averaged AS SELECT name, count(*), avg(amount) FROM parts WHERE name IS NOT NULL GROUP BY name;
CREATE VIEW computed AS SELECT name, count(*), sum(amount) + 1 AS more FROM parts WHERE name IS NOT NULL GROUP BY name;
SELECT v, e.applied->>'INSERT' AS insert FROM unnest(ARRAY['by_size', 'chosen', 'averaged', 'computed']) WITH ORDINALITY AS v (v, n),
       LATERAL freshcrm.create_projection(v.v::regclass, ARRAY[CASE v.v WHEN 'by_size' THEN 'size' ELSE 'name' END]::name[]) AS p (hot),
       LATERAL freshcrm.explain_projection(p.hot) AS e ORDER BY v.n;
INSERT INTO parts VALUES (1, 1.0, 'a', 1), (2, 1.00, 'a', 2), (3, 2, 'b', 3);
DELETE FROM parts WHERE id = 1;
SELECT v, d.* FROM unnest(ARRAY['by_size_hot', 'chosen_hot', 'averaged_hot', 'computed_hot']) AS v, freshcrm.verify_projection(v::regclass) AS d;

SET client_min_messages = warning;
DROP SCHEMA patch_grouped CASCADE;
