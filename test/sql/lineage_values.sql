-- What the values of a view depend on: settings, the clock, and the order in which rows are read.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/include/compare.sql'
\i :file
\set file :srcdir '/include/workload.sql'
\i :file
\set ECHO queries
SET client_min_messages = warning;

-- Formats without names and signs of a locale.
CREATE TABLE shapes (n integer GENERATED ALWAYS AS IDENTITY, shape text, key name[], query text);
INSERT INTO shapes (shape, key, query) VALUES
    ('to_char of times', '{id}',
        'SELECT a.id, to_char(a.at, ''YYYY-MM-DD HH24:MI'') AS at, to_char(a.at, ''Day, FMMonth'') AS long, to_char(a.at - timestamp ''2026-01-01'', ''DD HH24'') AS since FROM activities a'),
    ('to_char of numbers', '{id}',
        'SELECT l.id, to_char(l.amount, ''FM999,990.00'') AS amount, to_char(l.id, ''000'') AS number, to_char(l.id::bigint, ''SG99'') AS signed, to_char(l.id::float8, ''9.9EEEE'') AS scientific FROM leads l'),
    ('GROUP BY to_char', '{month}',
        'SELECT to_char(at, ''YYYY-MM'') AS month, count(*), max(kind) FROM activities WHERE at IS NOT NULL GROUP BY to_char(at, ''YYYY-MM'')'),
    ('joined by to_char', '{id}',
        'SELECT c.id, (SELECT count(*) FROM activities a WHERE to_char(a.at, ''FMMM'') = to_char(c.id, ''FM9'')) AS n FROM customers c'),
    ('an expression over columns of GROUP BY', '{k}',
        'SELECT coalesce(c.region, ''none'') || c.parent_id AS k, count(*), max(c.name) FROM customers c WHERE c.parent_id > 0 GROUP BY c.region, c.parent_id'),
    ('an expression over the row whose key is grouped by', '{k}',
        'SELECT c.id + coalesce(c.big, 0) * 100 AS k, count(l.id) AS n FROM customers c LEFT JOIN leads l ON l.customer_id = c.id GROUP BY c.id');
SELECT shape, e.* FROM shapes, LATERAL exercise(shape, key, query) e ORDER BY n;

-- What is refused, and what is said of it.
CREATE TABLE zoned (id integer PRIMARY KEY, at timestamptz, day date, price money, label text, span interval,
                    amount numeric, format text);
CREATE FUNCTION refusal(query text, key name[] DEFAULT '{id}', OUT detail text, OUT hint text) LANGUAGE plpgsql AS
$$
DECLARE
    message text;
BEGIN
    EXECUTE 'CREATE VIEW shape AS ' || query;
    PERFORM freshcrm.create_projection('shape', key);
    RAISE EXCEPTION 'NOT REFUSED';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := format('%s %s: %s', SQLSTATE, message, detail);
END
$$;
\pset format unaligned
\t on
SELECT e, (refusal('SELECT id, ' || e || ' AS e FROM zoned')).* FROM unnest(ARRAY[
    'to_char(day::timestamp, ''TMMonth'')', 'to_char(day::timestamp, format)', 'to_char(amount, ''9D9'')',
    'to_char(amount, ''S9'')', 'to_char(at, ''YYYY'')', 'to_char(day, ''YYYY'')', 'date_trunc(''day'', at)',
    'label::date', 'day::text', 'at::text', 'at::date', 'day::timestamptz', 'span::text', 'price::text',
    'price::numeric', 'label::regclass', 'at + span', 'day = at', 'at > day::timestamp', 'day < now()', 'now()::date', 'CURRENT_DATE::text',
    'to_date(label, ''YYYY'')', 'zoned::text']) AS e;

-- Rows chosen or numbered without an order.
SELECT q, (refusal(q)).* FROM unnest(ARRAY[
    'SELECT id FROM leads LIMIT 3',
    'SELECT DISTINCT ON (customer_id) customer_id AS id, label FROM leads WHERE customer_id > 0',
    'SELECT DISTINCT ON (customer_id, stage) customer_id AS id, stage, label FROM leads WHERE customer_id > 0 ORDER BY customer_id, stage DESC',
    'SELECT c.id, x.label FROM customers c LEFT JOIN (SELECT DISTINCT ON (customer_id) * FROM leads ORDER BY customer_id) x ON x.customer_id = c.id',
    'SELECT customer_id AS id, row_number() OVER (PARTITION BY customer_id) AS n FROM leads',
    'SELECT id, lag(id) OVER (PARTITION BY id) AS n FROM leads',
    'SELECT id, (SELECT 1 + ntile(3) OVER (PARTITION BY customer_id) FROM leads m WHERE m.id = l.id) AS n FROM leads l',
    'SELECT id, first_value(label) OVER (PARTITION BY id) AS n FROM leads',
    'SELECT id, nth_value(label, 2) OVER (PARTITION BY id) AS n FROM leads',
    'SELECT id, sum(amount) OVER (PARTITION BY id ROWS 2 PRECEDING) AS n FROM leads']) AS q;
\t off
\pset format aligned
TRUNCATE shapes;
INSERT INTO shapes (shape, key, query) VALUES
    ('DISTINCT ON all columns', '{id}', 'SELECT DISTINCT ON (customer_id) customer_id AS id FROM leads WHERE customer_id > 0'),
    ('windows of whole partitions', '{id}',
        'SELECT id, customer_id, rank() OVER (PARTITION BY id) AS r, count(*) OVER (PARTITION BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS n FROM leads');
SELECT shape, e.* FROM shapes, LATERAL exercise(shape, key, query) e ORDER BY n;

-- Aggregates that depend on the order of rows.
CREATE TABLE weights (id integer PRIMARY KEY, lead_id integer, w float8, r real, n numeric);
CREATE AGGREGATE mine(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = 0);
SET client_min_messages = notice;
\set VERBOSITY default
CREATE VIEW unordered AS
    SELECT l.id, sum(w.w) AS total, avg(w.r) AS mean, round(corr(w.w, w.r)::numeric, 3) AS together,
        array_agg(w.id) AS list, string_agg(l.label, ', ') AS labels, json_agg(w.n) AS doc, mine(w.id) AS own,
        ARRAY(SELECT a.id FROM activities a WHERE a.lead_id = l.id) AS acts,
        (SELECT sum(v.w) FROM weights v WHERE v.lead_id = l.id) AS again
    FROM leads l LEFT JOIN weights w ON w.lead_id = l.id GROUP BY l.id HAVING sum(w.w) IS NULL OR sum(w.w) > 0;
SELECT freshcrm.create_projection('unordered', '{id}');
CREATE VIEW inner_one AS SELECT lead_id, sum(w) AS w, count(*) AS n, avg(r) OVER (PARTITION BY lead_id) AS r FROM weights GROUP BY lead_id, r;
CREATE VIEW outer_one AS
    WITH x AS (SELECT lead_id, max(w) AS w, array_agg(id) AS ids FROM weights GROUP BY lead_id)
    SELECT l.id, i.w, x.ids FROM leads l LEFT JOIN x ON x.lead_id = l.id LEFT JOIN inner_one i ON i.lead_id = l.id AND i.n > 9;
SELECT freshcrm.create_projection('outer_one', '{id}');
-- These do not.
CREATE VIEW ordered AS
    SELECT lead_id, sum(w ORDER BY id) AS total, sum(n) AS exact, avg(id) AS mean, min(w) AS least, max(r) AS most, count(w) AS n,
        array_agg(id ORDER BY id) AS list, array_agg(DISTINCT id) AS list_too, sum(DISTINCT w) AS several, mine(id ORDER BY id) AS own,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY w) AS middle, ARRAY(SELECT a.id FROM activities a WHERE a.lead_id = w.lead_id ORDER BY a.id) AS acts,
        sum(sum(w ORDER BY id)) OVER (PARTITION BY lead_id ORDER BY lead_id) AS running
    FROM weights w WHERE lead_id IS NOT NULL GROUP BY lead_id;
SELECT freshcrm.create_projection('ordered', '{lead_id}');

-- All tables that are not linked are named at once.
SELECT freshcrm.create_projection('SELECT l.id, (SELECT count(*) FROM owners o) + (SELECT count(*) FROM samples) AS n FROM leads l', '{id}', 'linked');

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP FUNCTION difference(regclass);
