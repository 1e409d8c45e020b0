-- Scores of the opportunities of the demo's sales pipeline, each as of the day it was engaged.
-- psql script; working directory: that above test/demo/data.
--
-- The data know no messages, so that the history of who is behind an opportunity stands for them: each opportunity
-- that was engaged before is an outbound event, each that was won before an inbound one, each that was lost an event
-- of no direction. Only what lies before the day counts, so that nothing of the opportunity's own end, nor of any
-- other's that was still open, is in its score. Channels and stage are the same for all.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE EXTENSION freshcrm;
CREATE SCHEMA bench;
CREATE TABLE bench.pipeline (opportunity_id text PRIMARY KEY, sales_agent text, product text, account text,
                             deal_stage text, engage_date date, close_date date, close_value numeric);
\copy bench.pipeline FROM 'test/demo/data/sales_pipeline.csv' (FORMAT csv, HEADER)

-- Who is behind an opportunity: whose history makes its score.
CREATE TABLE bench.behind AS
SELECT b.place, b.whose, b.name AS lead, p.*
  FROM bench.pipeline AS p,
       LATERAL (VALUES (1, 'the account''s', account), (2, 'the sales agent''s', sales_agent),
                       (3, 'account and agent''s', account || '/' || sales_agent)) AS b (place, whose, name)
 WHERE b.name IS NOT NULL;

CREATE TABLE bench.events AS
SELECT whose, lead, 'outbound' AS direction, engage_date::timestamptz AS at FROM bench.behind WHERE engage_date IS NOT NULL
UNION ALL
SELECT whose, lead, CASE deal_stage WHEN 'Won' THEN 'inbound' END, close_date::timestamptz FROM bench.behind WHERE close_date IS NOT NULL;
CREATE INDEX ON bench.events (whose, lead, at);
ANALYZE bench.events;

-- No opportunity of the data takes longer than 138 days: of those that were engaged by 2017-08-15 every one that was
-- ever to be won or lost has been by the end of 2017. The first half year is nothing but history.
CREATE TABLE bench.scored AS
SELECT b.place, b.whose, b.opportunity_id, b.lead, b.deal_stage = 'Won' AS won,
       CASE WHEN b.engage_date < '2017-06-15' THEN 'earlier' ELSE 'later' END AS part,
       freshcrm.p_score(e.stats, b.engage_date) AS p_score,
       freshcrm.p_score(e.stats, b.engage_date, '{"recency": 0, "reply": 0, "channels": 0, "stage": 0}') AS frequency,
       freshcrm.p_score(e.stats, b.engage_date, '{"recency": 0, "frequency": 0, "channels": 0, "stage": 0}') AS reply,
       coalesce(extract(epoch FROM (e.stats).last_inbound_at - b.engage_date), '-infinity') AS recency
  FROM bench.behind AS b,
       LATERAL (SELECT freshcrm.lead_event_stats(direction, NULL, at, b.engage_date - interval '14 days', b.engage_date - interval '7 days') AS stats
                  FROM bench.events AS e WHERE e.whose = b.whose AND e.lead = b.lead AND e.at < b.engage_date) AS e
 WHERE b.deal_stage IN ('Won', 'Lost') AND b.engage_date BETWEEN '2017-04-15' AND '2017-08-15';
