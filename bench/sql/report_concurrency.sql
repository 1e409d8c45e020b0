-- The tables of `make bench-concurrency`, from the tables raw and locks. Medians over the repetitions.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
SET client_min_messages = warning;

CREATE TABLE medians AS
SELECT workload, variant, clients, percentile_cont(0.5) WITHIN GROUP (ORDER BY tps) AS tps,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_us) AS latency,
       sum(transactions) AS transactions, sum(deadlocks) AS deadlocks, min(r.place) AS place
  FROM (SELECT ctid AS place, * FROM raw WHERE synchronous_commit = 'off') AS r GROUP BY 1, 2, 3;

\echo
\echo 'Different keys: 8 clients against 1. Goal: 90 % of the scaling of unmaintained writes.'
SELECT one.workload, one.variant, round(one.tps) AS "tps, 1 client", round(eight.tps) AS "tps, 8 clients",
       round((eight.tps / one.tps)::numeric, 2) AS scaling,
       round((100 * (eight.tps / one.tps) / (u8.tps / u1.tps))::numeric) AS "% of unmaintained's",
       CASE WHEN one.variant LIKE 'freshcrm%' THEN
         CASE WHEN (eight.tps / one.tps) >= 0.9 * (u8.tps / u1.tps) THEN 'pass' ELSE 'FAIL' END END AS met
  FROM medians AS one
  JOIN medians AS eight ON (eight.workload, eight.variant, eight.clients) = (one.workload, one.variant, 8)
  LEFT JOIN medians AS u1 ON (u1.workload, u1.variant, u1.clients) = (one.workload, 'unmaintained', 1)
  LEFT JOIN medians AS u8 ON (u8.workload, u8.variant, u8.clients) = (one.workload, 'unmaintained', 8)
 WHERE one.workload LIKE 'keys%' AND one.clients = 1 ORDER BY one.workload DESC, one.place;

\echo 'The same parent row, and the mix: 8 clients.'
SELECT m.workload, m.variant, round(m.tps) AS tps, round((100 * m.tps / u.tps)::numeric) AS "% of unmaintained",
       m.transactions, m.deadlocks, round(1e6 * m.deadlocks / m.transactions) AS "deadlocks / million"
  FROM medians AS m
  LEFT JOIN medians AS u ON (u.workload, u.variant, u.clients) = (m.workload, 'unmaintained', m.clients)
 WHERE m.workload NOT LIKE 'keys%' ORDER BY m.workload = 'mix', m.workload, m.place;

\echo 'The locks alone, of a write of one client. By price: locks × µs a lock. By difference: with and without locks on keys,'
\echo 'inside the server. Each as a share of the latency (of a rename: of its time inside the server). Goal: 5 %, by price.'
SELECT kind AS write, locks, round(lock_us::numeric, 3) AS "µs a lock", round(latency::numeric, 1) AS "latency µs",
       round((100 * locks * lock_us / latency)::numeric, 1) AS "%, by price",
       round(locked_us::numeric, 1) AS "with µs", round(unlocked_us::numeric, 1) AS "without µs",
       round((100 * (locked_us - unlocked_us) / latency)::numeric, 1) AS "%, by difference",
       CASE WHEN locks * lock_us <= 0.05 * latency THEN 'pass' ELSE 'FAIL' END AS met
  FROM (SELECT l.*, coalesce(m.latency, l.locked_us) AS latency FROM locks AS l
          LEFT JOIN medians AS m ON (m.workload, m.variant, m.clients) = ('keys_' || l.kind, 'freshcrm_immediate', 1)) AS l
 ORDER BY kind DESC;
