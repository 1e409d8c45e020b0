-- The table of `make bench-scores`: the area under the ROC curve, which is the chance that of one opportunity that was
-- won and one that was lost the first has the higher score (of equal ones half: Hanley and McNeil, Radiology 143, 1982).
--
-- Intervals are of 95 %: DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), whose placement values are summed by
-- cluster first, for opportunities of one account (or agent) are not independent (Obuchowski, Biometrics 53, 1997).
\set ON_ERROR_STOP on
\pset footer off
\pset null ''

CREATE TABLE bench.rules (place int, rule text PRIMARY KEY);
INSERT INTO bench.rules VALUES (1, 'constant'), (2, 'plain recency'), (3, 'P-score, defaults'), (4, 'frequency alone'), (5, 'reply alone');

CREATE TABLE bench.long AS
SELECT s.place, s.whose, s.part, s.opportunity_id, s.lead, s.won, v.rule, v.score
  FROM bench.scored AS s,
       LATERAL (VALUES ('constant', 0::numeric), ('plain recency', recency), ('P-score, defaults', p_score),
                       ('frequency alone', frequency), ('reply alone', reply)) AS v (rule, score);

-- The placement of a won one: the share of the lost ones below it; of a lost one, of the won ones above it.
CREATE TABLE bench.placed AS
WITH ranked AS (
    SELECT *, rank() OVER every + (count(*) OVER (PARTITION BY whose, part, rule, score) - 1) / 2.0 AS among_all,
           rank() OVER same + (count(*) OVER (PARTITION BY whose, part, rule, won, score) - 1) / 2.0 AS among_same,
           count(*) FILTER (WHERE won) OVER (PARTITION BY whose, part, rule) AS wins,
           count(*) FILTER (WHERE NOT won) OVER (PARTITION BY whose, part, rule) AS losses
      FROM bench.long
    WINDOW every AS (PARTITION BY whose, part, rule ORDER BY score), same AS (PARTITION BY whose, part, rule, won ORDER BY score)
)
SELECT *, CASE WHEN won THEN (among_all - among_same) / losses ELSE 1 - (among_all - among_same) / wins END AS placement FROM ranked;

CREATE TABLE bench.auc AS
SELECT place, whose, part, rule, wins, losses, avg(placement) FILTER (WHERE won) AS auc
  FROM bench.placed GROUP BY place, whose, part, rule, wins, losses;

-- What each opportunity moves the area by, and what it moves the difference to plain recency by.
CREATE TABLE bench.moves AS
SELECT p.whose, p.part, p.rule, p.lead, (p.placement - a.auc) / CASE WHEN p.won THEN p.wins ELSE p.losses END AS own,
       (p.placement - a.auc - r.placement + ra.auc) / CASE WHEN p.won THEN p.wins ELSE p.losses END AS beyond_recency
  FROM bench.placed AS p
  JOIN bench.auc AS a USING (whose, part, rule)
  JOIN bench.placed AS r ON r.rule = 'plain recency' AND (r.whose, r.part, r.opportunity_id) = (p.whose, p.part, p.opportunity_id)
  JOIN bench.auc AS ra ON ra.rule = 'plain recency' AND (ra.whose, ra.part) = (p.whose, p.part);

CREATE TABLE bench.spread AS
SELECT whose, part, rule, count(*) AS clusters, 1.96 * sqrt(sum(own ^ 2) * count(*) / (count(*) - 1)) AS own,
       1.96 * sqrt(sum(beyond_recency ^ 2) * count(*) / (count(*) - 1)) AS beyond_recency
  FROM (SELECT whose, part, rule, lead, sum(own) AS own, sum(beyond_recency) AS beyond_recency
          FROM bench.moves GROUP BY whose, part, rule, lead) AS m
 GROUP BY whose, part, rule;

\echo
\echo 'Area under the ROC curve: opportunities as of the day they were engaged, by the history before that day.'
\echo 'earlier: engaged 2017-04-15 to 06-14; later: 2017-06-15 to 08-15. 0.5 is a constant''s, 1 would be perfect.'
SELECT a.whose || ' history' AS "scored by", a.part, a.wins AS won, a.losses AS lost, s.clusters, a.rule, round(a.auc, 3) AS auc,
       format('%s to %s', round(a.auc - s.own, 3), round(a.auc + s.own, 3)) AS "95 %",
       CASE WHEN a.rule NOT IN ('constant', 'plain recency') THEN
           format('%s (%s to %s)', round(a.auc - r.auc, 3), round(a.auc - r.auc - s.beyond_recency, 3), round(a.auc - r.auc + s.beyond_recency, 3)) END
       AS "beyond plain recency"
  FROM bench.auc AS a
  JOIN bench.spread AS s USING (whose, part, rule)
  JOIN bench.rules AS u USING (rule)
  JOIN bench.auc AS r ON r.rule = 'plain recency' AND (r.whose, r.part) = (a.whose, a.part)
 ORDER BY a.place, a.part, u.place;
