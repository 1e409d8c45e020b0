-- The table of `make bench`, from the table raw. Medians over the repetitions; upkeep is latency above unmaintained in the
-- same repetition.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
SET client_min_messages = warning;

CREATE TABLE goals (place serial, workload text PRIMARY KEY, label text, mode text, most_of_floor numeric, most_of_row numeric);
INSERT INTO goals (workload, label, mode, most_of_floor, most_of_row) VALUES
  ('activity',      'insert one activity',       NULL,     1.0,  0.40),
  ('status',        'update one lead''s status', NULL,     1.0,  0.40),
  ('rename4',       'rename, 4 leads',           NULL,     NULL, 0.50),
  ('rename900',     'rename, 900 leads',         NULL,     1.1,  0.30),
  ('small20',       'transaction of 20 writes',  'commit', NULL, 0.10),
  ('bulk1000',      'statement, 1000 leads',     NULL,     1.1,  0.30),
  ('copy',          'COPY of activities',        NULL,     1.2,  NULL),
  -- Of what the row trigger spends on a change that matters: its WHEN clause keeps it from this one, too.
  ('unrelated',     'nothing relevant',          NULL,     NULL, 0.05),
  ('unrelated3',    'nothing relevant, 3 more',  NULL,     NULL, NULL),
  ('page_ordinary', 'page, ordinary owner',      NULL,     NULL, NULL),
  ('page_largest',  'page, largest owner',       NULL,     NULL, NULL),
  ('mix',           'the mix, 8 clients',        NULL,     NULL, NULL);

CREATE VIEW runs AS
SELECT r.*, r.latency_us - u.latency_us AS upkeep, r.wal_bytes / r.transactions AS wal,
       1000 * r.catch_up_ms / r.transactions AS later
  FROM raw AS r
  LEFT JOIN raw AS u ON u.variant = 'unmaintained' AND r.variant NOT IN ('unmaintained', 'live_view')
       AND r.workload NOT LIKE 'page%' AND (u.repetition, u.synchronous_commit, u.workload, u.clients)
                                         = (r.repetition, r.synchronous_commit, r.workload, r.clients);

CREATE TABLE medians AS
SELECT synchronous_commit AS sync, workload, variant,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_us) AS latency,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY tps) AS tps,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY upkeep) AS upkeep,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY wal) AS wal,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY later) AS later,
       100.0 * sum(hot_updates) / nullif(sum(updates), 0) AS hot,
       1e6 * sum(deadlocks) / sum(transactions) AS deadlocks
  FROM runs GROUP BY 1, 2, 3;

-- NULL where there is nothing to compare with.
CREATE VIEW judged AS
SELECT m.*, g.mode, g.most_of_floor, g.most_of_row,
       m.upkeep / nullif(greatest(f.upkeep, 0), 0) AS of_floor,
       m.upkeep / nullif(greatest(t.upkeep, CASE g.workload WHEN 'unrelated' THEN s.upkeep ELSE 0 END), 0) AS of_row,
       CASE m.workload WHEN 'mix' THEN m.tps / t.tps END AS tps_of_row,
       CASE m.workload WHEN 'mix' THEN m.tps / i.tps END AS tps_of_ivm,
       CASE WHEN m.workload LIKE 'page%' THEN u.latency / m.latency END AS faster,
       m.wal - u.wal AS more_wal, t.wal AS row_wal
  FROM medians AS m JOIN goals AS g USING (workload)
  LEFT JOIN medians AS f ON (f.sync, f.workload, f.variant) = (m.sync, m.workload, 'floor')
  LEFT JOIN medians AS t ON (t.sync, t.workload, t.variant) = (m.sync, m.workload, 'row_trigger')
  LEFT JOIN medians AS s ON (s.sync, s.workload, s.variant) = (m.sync, 'status', 'row_trigger')
  LEFT JOIN medians AS i ON (i.sync, i.workload, i.variant) = (m.sync, m.workload, 'pg_ivm')
  LEFT JOIN medians AS u ON (u.sync, u.workload, u.variant) = (m.sync, m.workload, 'unmaintained')
 WHERE m.variant <> 'unmaintained' OR m.workload NOT LIKE 'page%';

-- A goal, and whether it is met; for freshcrm, with synchronous_commit off.
CREATE VIEW verdicts AS
SELECT j.sync, j.workload, j.variant, string_agg(c.goal, ', ') AS goal,
       CASE WHEN bool_or(NOT c.met) THEN 'FAIL' WHEN bool_and(c.met) THEN 'pass' END AS met,
       CASE WHEN j.workload LIKE 'page%' THEN NULL
            -- How full the pages of the base tables are is left to chance; a record of WAL has 24 bytes at least.
            WHEN j.workload LIKE 'unrelated%' THEN CASE WHEN j.more_wal > 8 THEN 'FAIL' ELSE 'pass' END
            WHEN j.wal > j.row_wal * 1.01 THEN 'FAIL'
            WHEN j.row_wal IS NOT NULL THEN 'pass' END AS wal_met
  FROM judged AS j
  LEFT JOIN LATERAL (
    SELECT '≤ ' || most_of_floor || ' floor', of_floor <= most_of_floor WHERE most_of_floor IS NOT NULL
    UNION ALL SELECT '≤ ' || most_of_row || ' row trigger', of_row <= most_of_row WHERE most_of_row IS NOT NULL
    UNION ALL SELECT '≥ 1.3 × row trigger''s tps', tps_of_row >= 1.3 WHERE j.workload = 'mix'
    UNION ALL SELECT '≥ 10 × pg_ivm''s', tps_of_ivm >= 10 WHERE j.workload = 'mix' AND tps_of_ivm IS NOT NULL
    UNION ALL SELECT '≥ 25 × faster than live', faster >= 25 WHERE j.workload = 'page_ordinary'
    UNION ALL SELECT '≥ 500 × faster than live', faster >= 500 WHERE j.workload = 'page_largest')
    AS c (goal, met) ON j.mode IS NULL OR j.variant = 'freshcrm_' || j.mode
 WHERE j.variant LIKE 'freshcrm%' AND j.sync = 'off'
 GROUP BY j.sync, j.workload, j.variant, j.wal, j.row_wal, j.more_wal;

-- Three digits that count.
CREATE FUNCTION short(n float8) RETURNS text LANGUAGE sql IMMUTABLE STRICT
    RETURN CASE WHEN abs(n) >= 100 THEN round(n)::text WHEN abs(n) >= 10 THEN round(n::numeric, 1)::text
                ELSE round(n::numeric, 2)::text END;

\echo
\echo 'Of a transaction: µs latency; upkeep, that is latency above unmaintained, in µs, and as a multiple of the floor''s and'
\echo 'of the row trigger''s; bytes of WAL. × faster: tps against the row trigger''s, or against live (the view, helped to'
\echo 'start from an index). HOT %: of updates of the hot table. later: µs of the worker after the commit.'
SELECT CASE WHEN row_number() OVER w = 1 THEN label END AS workload,
       CASE WHEN row_number() OVER w = 1 THEN m.sync END AS sync,
       CASE WHEN m.workload LIKE 'page%' AND m.variant = 'unmaintained' THEN 'live' ELSE m.variant END AS variant,
       short(m.latency) AS "µs", short(m.tps) AS tps, short(m.upkeep) AS upkeep, short(of_floor) AS "× floor",
       short(of_row) AS "× row t.", short(coalesce(tps_of_row, faster)) AS "× faster",
       CASE WHEN m.workload NOT LIKE 'page%' THEN round(m.wal) END AS "WAL", round(m.hot) AS "HOT %",
       CASE m.variant WHEN 'freshcrm_async' THEN short(m.later) END AS later,
       CASE m.workload WHEN 'mix' THEN round(m.deadlocks) END AS "deadlocks/million",
       goal, met, wal_met AS "WAL goal"
  FROM medians AS m JOIN goals AS g USING (workload)
  LEFT JOIN judged AS j USING (sync, workload, variant)
  LEFT JOIN verdicts AS v USING (sync, workload, variant)
  JOIN variants USING (variant)
WINDOW w AS (PARTITION BY m.sync, m.workload ORDER BY variants.place)
 ORDER BY m.sync <> 'off', g.place, variants.place;
SELECT count(*) FILTER (WHERE met = 'FAIL') + count(*) FILTER (WHERE wal_met = 'FAIL') AS "goals not met",
       count(met) + count(wal_met) AS "of"
  FROM verdicts;
