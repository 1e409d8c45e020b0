-- Loads the sales pipeline into the reference tables and installs the CRM pack.
-- psql script; working directory: this folder; database: empty.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

CREATE EXTENSION freshcrm;

-- The files as they are.
CREATE SCHEMA demo;
CREATE TABLE demo.accounts (account text PRIMARY KEY, sector text, year_established int, revenue numeric,
                            employees int, office_location text, subsidiary_of text);
CREATE TABLE demo.products (product text PRIMARY KEY, series text, sales_price numeric);
CREATE TABLE demo.agents (sales_agent text PRIMARY KEY, manager text, regional_office text);
CREATE TABLE demo.pipeline (opportunity_id text PRIMARY KEY, sales_agent text, product text, account text,
                            deal_stage text, engage_date date, close_date date, close_value numeric);
\copy demo.accounts FROM 'data/accounts.csv' (FORMAT csv, HEADER)
\copy demo.products FROM 'data/products.csv' (FORMAT csv, HEADER)
\copy demo.agents FROM 'data/sales_teams.csv' (FORMAT csv, HEADER)
\copy demo.pipeline FROM 'data/sales_pipeline.csv' (FORMAT csv, HEADER)

-- Deals closed in the last month stay open here: show.sql replays how they were closed.
CREATE TABLE demo.closings AS
SELECT md5(opportunity_id)::uuid AS lead_id, lower(deal_stage) AS status, close_value,
       (close_date + time '17:00')::timestamptz AS closed_at
  FROM demo.pipeline WHERE close_date >= '2017-12-01';

-- A name makes an id: the same in every run.
SELECT freshcrm.create_crm_tables('crm') \g /dev/null
INSERT INTO crm.customers (id, name, description)
SELECT md5(account)::uuid, account, concat_ws(', ', replace(sector, 'technolgy', 'technology'), office_location)
  FROM demo.accounts;

INSERT INTO crm.leads (id, customer_id, status, roi_potential, created_at)
SELECT md5(p.opportunity_id)::uuid, md5(p.account)::uuid,
       CASE WHEN c.lead_id IS NULL THEN lower(p.deal_stage) ELSE 'engaging' END,
       CASE WHEN c.lead_id IS NULL THEN coalesce(p.close_value, r.sales_price) ELSE r.sales_price END,
       coalesce(p.engage_date, '2016-10-01')
  FROM demo.pipeline AS p
  LEFT JOIN demo.products AS r ON r.product = replace(p.product, 'GTXPro', 'GTX Pro')
  LEFT JOIN demo.closings AS c ON c.lead_id = md5(p.opportunity_id)::uuid;

INSERT INTO crm.lead_ownership (lead_id, user_id, created_at)
SELECT md5(opportunity_id)::uuid, md5(sales_agent)::uuid, coalesce(engage_date, '2016-10-01')
  FROM demo.pipeline;

INSERT INTO crm.activities (id, lead_id, kind, created_at)
SELECT md5(opportunity_id || 'engage')::uuid, md5(opportunity_id)::uuid, 'engaged', engage_date + time '09:00'
  FROM demo.pipeline WHERE engage_date IS NOT NULL
UNION ALL
SELECT md5(opportunity_id || 'close')::uuid, md5(opportunity_id)::uuid, 'closed', close_date + time '17:00'
  FROM demo.pipeline WHERE close_date < '2017-12-01';

-- The data know no samples: one for each deal that got beyond prospecting, in a state that fits its stage.
INSERT INTO crm.sample_request (id, lead_id, status, created_at)
SELECT md5(opportunity_id || 'sample')::uuid, md5(opportunity_id)::uuid,
       CASE WHEN close_date < '2017-12-01' AND deal_stage = 'Won' THEN 'approved'
            WHEN close_date < '2017-12-01' THEN 'returned'
            ELSE 'sent' END, engage_date + time '12:00'
  FROM demo.pipeline WHERE engage_date IS NOT NULL;

ANALYZE crm.customers, crm.leads, crm.lead_ownership, crm.activities, crm.sample_request;
SELECT freshcrm.install_crm('crm') \g /dev/null
ANALYZE crm.cockpit_leads_hot;
