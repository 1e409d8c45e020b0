-- What the projections do with the data that load.sql has loaded. psql script; every number is measured.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET search_path = crm, public;

-- Milliseconds that a query takes, planning included: the median of some runs after one to warm up.
CREATE FUNCTION pg_temp.median_ms(query text, runs int DEFAULT 15) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz;
  ms float8[];
BEGIN
  FOR run IN 0 .. runs LOOP
    started := clock_timestamp();
    EXECUTE query;
    ms[run] := extract(epoch FROM clock_timestamp() - started) * 1000;
  END LOOP;
  RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY m) FROM unnest(ms[1:]) AS m)::numeric(12,3);
END
$$;
CREATE FUNCTION pg_temp.differences(projection regclass) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM freshcrm.verify_projection(projection)
$$;
CREATE FUNCTION pg_temp.rows(relation regclass, OUT n bigint) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', relation) INTO n;
END
$$;
CREATE PROCEDURE pg_temp.remember() LANGUAGE sql AS $$
  DROP TABLE IF EXISTS before;
  CREATE TEMPORARY TABLE before AS SELECT ctid AS place, xmin::text AS writer, * FROM crm.cockpit_leads_hot;
$$;

\echo
\echo '1. A slow view, and a table that always equals it'
\echo '   crm.cockpit_leads_live joins five tables; crm.cockpit_leads_hot is kept equal to it by triggers.'
SELECT (SELECT count(*) FROM customers) AS customers,
       (SELECT count(*) FROM leads) AS leads,
       (SELECT count(*) FROM leads WHERE customer_id IS NULL) AS "without customer",
       (SELECT count(*) FROM activities) AS activities,
       (SELECT count(*) FROM sample_request) AS samples,
       (SELECT count(*) FROM cockpit_leads_hot) AS "rows projected";

\echo '2. The same query on both (milliseconds, median of 15 runs)'
SELECT user_id AS owner FROM lead_ownership GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT 1 \gset
SELECT lead_id AS lead FROM cockpit_leads_hot ORDER BY lead_id LIMIT 1 \gset
SELECT question, live AS "live view", hot AS "hot table", round(live / hot) AS "times faster"
  FROM (VALUES
    (1, 'one lead', format('SELECT * FROM %%s WHERE lead_id = %L', :'lead')),
    (2, 'one page: the busiest owner''s 50 latest leads',
        format('SELECT * FROM %%s WHERE owner_user_id = %L ORDER BY last_activity_at DESC NULLS LAST LIMIT 50', :'owner')),
    (3, 'the whole list: leads and value by status', 'SELECT status, count(*), sum(roi_potential) FROM %s GROUP BY status')
  ) AS q (n, question, query),
  LATERAL pg_temp.median_ms(format(query, 'crm.cockpit_leads_live')) AS live,
  LATERAL pg_temp.median_ms(format(query, 'crm.cockpit_leads_hot')) AS hot
 ORDER BY n;

\echo '3. Replay: the deals closed in December 2017, in order, each as two writes of their own'
CREATE TEMPORARY TABLE write_times (what text, ms numeric);
DO $$
DECLARE
  closing record;
  started timestamptz;
BEGIN
  FOR closing IN SELECT * FROM demo.closings ORDER BY closed_at, lead_id LOOP
    started := clock_timestamp();
    UPDATE crm.leads SET status = closing.status, roi_potential = closing.close_value, updated_at = closing.closed_at
     WHERE id = closing.lead_id;
    INSERT INTO write_times VALUES ('a lead won or lost', extract(epoch FROM clock_timestamp() - started) * 1000);
    COMMIT;
    started := clock_timestamp();
    INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (closing.lead_id, 'closed', closing.closed_at);
    INSERT INTO write_times VALUES ('an activity added', extract(epoch FROM clock_timestamp() - started) * 1000);
    COMMIT;
  END LOOP;
END
$$;
SELECT what AS "write, with the upkeep of the hot table", count(*) AS writes,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY ms))::numeric(12,3) AS "ms, median",
       (percentile_cont(0.95) WITHIN GROUP (ORDER BY ms))::numeric(12,3) AS "ms, 95 % below",
       pg_temp.differences('crm.cockpit_leads_hot') AS "differences now"
  FROM write_times GROUP BY what ORDER BY what;

\echo '4. A customer renamed: the tags of its leads change, and no others'
SELECT customer_id AS customer FROM leads WHERE customer_id IS NOT NULL
 GROUP BY customer_id ORDER BY count(*) DESC, customer_id LIMIT 1 \gset
CALL pg_temp.remember();
UPDATE customers SET name = name || ' International' WHERE id = :'customer';
SELECT (SELECT count(*) FROM cockpit_leads_live JOIN leads ON id = lead_id
         WHERE customer_id = :'customer') AS "leads of the customer",
       count(*) FILTER (WHERE customer_id = :'customer') AS "their tags changed",
       count(*) FILTER (WHERE customer_id <> :'customer') AS "other tags changed"
  FROM cockpit_leads_hot AS h JOIN before AS b USING (lead_id) JOIN leads ON id = lead_id
 WHERE h.version_etag <> b.version_etag;
SELECT left(lead_id::text, 8) AS lead, b.customer_name AS "name before", left(b.version_etag, 12) AS "tag before",
       h.customer_name AS "name after", left(h.version_etag, 12) AS "tag after"
  FROM cockpit_leads_hot AS h JOIN before AS b USING (lead_id)
 WHERE h.version_etag <> b.version_etag ORDER BY lead_id LIMIT 3;

\echo '5. The same writes again: nothing changes, so nothing is written'
CALL pg_temp.remember();
UPDATE customers SET name = name;
UPDATE leads SET status = status, updated_at = now();
SELECT count(*) AS recomputed FROM (SELECT recompute_cockpit_lead_hot(id) FROM leads LIMIT 500) AS r \gset
SELECT (SELECT count(*) FROM customers) AS "customers written",
       (SELECT count(*) FROM leads) AS "leads written",
       :recomputed AS "leads recomputed",
       count(*) FILTER (WHERE (h.ctid, h.xmin::text) IS DISTINCT FROM (b.place, b.writer)) AS "hot rows written",
       count(*) FILTER (WHERE h.updated_at <> b.updated_at OR h.version_etag <> b.version_etag) AS "times or tags changed"
  FROM cockpit_leads_hot AS h FULL JOIN before AS b USING (lead_id);

\echo '6. An owner leaves, the leads go to the manager; then one lead is deleted'
SELECT md5(manager)::uuid AS manager FROM demo.agents WHERE md5(sales_agent)::uuid = :'owner' \gset
CREATE TEMPORARY TABLE steps (n int GENERATED ALWAYS AS IDENTITY, step text, leads bigint, of_owner bigint, of_manager bigint);
CREATE PROCEDURE pg_temp.note(step text, owner uuid, manager uuid) LANGUAGE sql AS $$
  INSERT INTO steps (step, leads, of_owner, of_manager)
  SELECT step, count(*), count(*) FILTER (WHERE owner_user_id = owner), count(*) FILTER (WHERE owner_user_id = manager)
    FROM crm.cockpit_leads_hot
$$;
CALL pg_temp.note('before', :'owner', :'manager');
CREATE TEMPORARY TABLE orphans AS SELECT lead_id FROM lead_ownership WHERE user_id = :'owner';
DELETE FROM lead_ownership WHERE user_id = :'owner';
CALL pg_temp.note('the owner''s rows in lead_ownership deleted', :'owner', :'manager');
INSERT INTO lead_ownership (lead_id, user_id) SELECT lead_id, :'manager' FROM orphans;
CALL pg_temp.note('the manager takes them over', :'owner', :'manager');
DELETE FROM leads WHERE id = (SELECT lead_id FROM cockpit_leads_hot JOIN orphans USING (lead_id) ORDER BY lead_id LIMIT 1);
CALL pg_temp.note('one of these leads deleted', :'owner', :'manager');
SELECT step, leads AS "rows in the cockpit", of_owner AS "of the owner", of_manager AS "of the manager"
  FROM steps ORDER BY n;

\echo '7. Not only the CRM pack: any view will do. An account summary, made with create_projection'
CREATE VIEW account_summary_live AS
SELECT c.id AS customer_id, c.name,
       (SELECT count(*) FROM leads AS l WHERE l.customer_id = c.id AND l.status IN ('prospecting', 'engaging')) AS open_deals,
       (SELECT sum(l.roi_potential) FROM leads AS l WHERE l.customer_id = c.id AND l.status = 'won') AS won_value,
       (SELECT max(a.created_at) FROM activities AS a JOIN leads AS l ON l.id = a.lead_id
         WHERE l.customer_id = c.id AND a.deleted_at IS NULL) AS last_activity_at
  FROM customers AS c;
SELECT freshcrm.create_projection('account_summary_live', key => '{customer_id}', target => 'account_summary') \g /dev/null
SELECT pg_temp.rows('account_summary') AS accounts, live AS "live view, ms", hot AS "hot table, ms",
       round(live / hot) AS "times faster"
  FROM pg_temp.median_ms('TABLE crm.account_summary_live') AS live, pg_temp.median_ms('TABLE crm.account_summary') AS hot;
CREATE TEMPORARY TABLE summary_before AS TABLE account_summary;
SELECT id AS deal, customer_id AS account FROM leads
 WHERE status = 'engaging' AND customer_id IS NOT NULL ORDER BY roi_potential DESC, id LIMIT 1 \gset
UPDATE leads SET status = 'won' WHERE id = :'deal';
INSERT INTO activities (lead_id, kind, created_at) VALUES (:'deal', 'closed', '2018-01-02 17:00Z');
SELECT "when", name, open_deals, won_value, last_activity_at, left(version_etag, 12) AS tag
  FROM (SELECT 'before' AS "when", * FROM summary_before
        UNION ALL SELECT 'one deal later', * FROM account_summary) AS s
 WHERE customer_id = :'account' ORDER BY last_activity_at;

\echo '8. Proof: each table compared with its view, row by row'
SELECT projection, source AS "equals the view",
       pg_temp.rows(projection) AS rows,
       pg_temp.differences(projection) AS differences
  FROM freshcrm.projections ORDER BY projection::text;
