-- What materialized views are made of: matview_sources(), explain_refresh().
\set ECHO queries
\pset format unaligned
SET TimeZone = 'UTC';
CREATE SCHEMA src;
SET search_path = src, public;
CREATE TYPE stage AS ENUM ('new', 'won');
CREATE DOMAIN day AS date;
CREATE TABLE regions (code text PRIMARY KEY, name text);
CREATE TABLE customers (id integer PRIMARY KEY, name text, region text);
CREATE TABLE leads (id bigint PRIMARY KEY, customer_id integer, label text, stage stage, at timestamptz, local timestamp,
    due day, span interval, doc jsonb, spans daterange[], amount numeric, tod time, xml xml,
    balance money, weight float8, logo bytea);
CREATE TABLE acts (id bigint, lead_id bigint, at timestamptz, kind text) PARTITION BY LIST (kind);
CREATE TABLE acts_call PARTITION OF acts FOR VALUES IN ('call');
CREATE TABLE acts_rest PARTITION OF acts DEFAULT PARTITION BY RANGE (id);
CREATE TABLE acts_rest_1 PARTITION OF acts_rest FOR VALUES FROM (0) TO (1000);
CREATE TABLE notes (id integer, lead_id bigint);
CREATE TABLE pinned_notes (until date) INHERITS (notes);
CREATE VIEW named AS SELECT l.id, l.label, c.name, c.region FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;

-- Tables: through views, subqueries, WITH, sublinks, set operations; partitions, children and parents; not through
-- other materialized views. Each once.
CREATE FUNCTION sources(query text, OUT sources regclass[], OUT never_skipped text) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW m AS ' || query || ' WITH NO DATA';
    SELECT s.sources::regclass[], s.never_skipped INTO sources, never_skipped FROM freshcrm.matview_sources('m') s;
    DROP MATERIALIZED VIEW m;
END
$$;
CREATE MATERIALIZED VIEW per_region AS SELECT region, count(*) AS n FROM named GROUP BY 1;
CREATE VIEW over AS SELECT p.*, r.name FROM per_region p JOIN regions r ON r.code = p.region;
SELECT q.query, s.* FROM (VALUES
    ('SELECT 1'),
    ('SELECT id FROM leads'),
    ('SELECT * FROM named'),
    ('SELECT n.id FROM named n JOIN named o USING (id) JOIN leads l USING (id)'),
    ('WITH c AS (SELECT id FROM customers) SELECT id, (SELECT count(*) FROM acts_call) FROM c WHERE EXISTS (SELECT FROM regions)'),
    ('SELECT id FROM leads UNION ALL (SELECT id FROM customers EXCEPT SELECT 1 FROM regions)'),
    ('SELECT x.id FROM leads l, LATERAL (SELECT a.id FROM acts a WHERE a.lead_id = l.id LIMIT 1) x'),
    ('SELECT id FROM ONLY notes'),
    ('SELECT id FROM notes'),
    ('SELECT id FROM pinned_notes'),
    ('SELECT id FROM acts_rest_1'),
    ('SELECT id FROM acts_rest'),
    ('SELECT * FROM over'),
    ('WITH RECURSIVE r AS (SELECT 1::bigint AS i UNION ALL SELECT r.i + 1 FROM r JOIN leads l ON l.id = r.i) SELECT i FROM r')
) q (query), sources(q.query) s;

-- What is refreshed each time, and what is not.
CREATE FUNCTION mine(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION mine_stable(integer) RETURNS integer STABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION mine_volatile(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION rows_of(integer) RETURNS SETOF integer STABLE LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE mine_sum(integer) (SFUNC = int4pl, STYPE = integer);
CREATE FUNCTION step(integer, integer) RETURNS integer STABLE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE stable_sum(integer) (SFUNC = step, STYPE = integer);
CREATE FUNCTION latest(date, date) RETURNS date IMMUTABLE LANGUAGE sql AS 'SELECT greatest($1, $2)';
CREATE AGGREGATE since_today(date) (SFUNC = latest, STYPE = date, INITCOND = 'today');
CREATE FUNCTION same(integer, integer) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = same);
CREATE SEQUENCE counter;
CREATE FUNCTION reasons(VARIADIC expressions text[]) RETURNS TABLE (expression text, never_skipped text) LANGUAGE plpgsql AS
$$
BEGIN
    FOREACH expression IN ARRAY expressions LOOP
        never_skipped := (sources('SELECT ' || expression || CASE WHEN expression ~ '\mFROM leads\M' THEN '' ELSE ' FROM leads' END)).never_skipped;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM reasons('upper(label)', 'random()', 'now()', 'clock_timestamp()', 'statement_timestamp()', 'age(local)', 'age(at)', 'age(at, at)',
    'CURRENT_DATE', 'CURRENT_TIME', 'LOCALTIME', 'LOCALTIMESTAMP(0)', 'CURRENT_TIMESTAMP', 'CURRENT_USER', 'SESSION_USER', 'CURRENT_CATALOG', 'CURRENT_SCHEMA',
    'nextval(''counter'')', 'current_setting(''work_mem'')', 'pg_column_size(label)', 'has_table_privilege(''leads'', ''SELECT'')', 'version()', 'txid_current()');
SELECT * FROM reasons('mine(1)', 'mine_stable(1)', 'mine_volatile(1)', 'mine_sum(1)', 'stable_sum(1)', 'since_today(due)', 'stable_sum(1) OVER ()', '1 === 2', '1 === ANY (ARRAY[2])',
    'count(*) FILTER (WHERE mine_stable(1) > 0)', '(SELECT mine_stable(1))', 'label FROM leads ORDER BY mine_stable(1)', 'label FROM leads LIMIT mine_stable(1)', 'x FROM leads, rows_of(1) x',
    'x FROM leads, LATERAL (SELECT now() AS x) y', '1 FROM leads WHERE at > now()', '1 FROM leads JOIN customers c ON c.id = mine_stable(1)',
    'count(*) FROM leads GROUP BY mine_stable(1)', '1 FROM leads GROUP BY label HAVING max(at) > now()', 'sum(1) OVER (ORDER BY id ROWS mine_stable(1) PRECEDING) FROM leads',
    'sum(1) OVER (ORDER BY at RANGE ''1 day'' PRECEDING) FROM leads', 'ctid AS c FROM leads', 'xmin AS x FROM leads', 'tableoid AS t FROM leads', '1 FROM leads TABLESAMPLE system (50)',
    '1 FROM leads TABLESAMPLE system (50) REPEATABLE (7)', '1 FROM leads TABLESAMPLE system (mine_stable(50)) REPEATABLE (7)', '1 FROM leads FOR UPDATE');
-- Text that is read may be 'now'; a literal was read when the view was made. Functions that write text depend on the
-- types of what they write.
SELECT * FROM reasons('label::date', 'label::timestamptz', 'label::time', 'label::day', 'label::daterange', 'label::date[]', 'label::interval', 'label::integer', 'label::stage',
    'label::regclass', 'label::jsonb', 'label::leads', '''2026-01-01''::date', '(doc ->> ''due'')::timestamptz', 'to_date(label, ''YYYY'')', 'to_timestamp(label, ''YYYY'')',
    'x.a FROM leads, jsonb_to_record(doc) x (a date)', 'x.a FROM leads, jsonb_to_recordset(doc) x (a integer)', 'jsonb_populate_record(NULL::leads, doc)', 'jsonb_populate_record(NULL::regions, doc)',
    'x.a FROM leads, XMLTABLE(''/r'' PASSING xml COLUMNS a date) x', 'x.a FROM leads, XMLTABLE(''/r'' PASSING xml COLUMNS a text) x',
    'id::text', 'at::text', 'due::text', 'stage::text', 'spans::text', 'balance::text', 'weight::text', 'logo::text', 'id::regclass::text', 'concat(id, at)', 'concat(1::regclass)',
    'format(''%s'', leads)', 'to_jsonb(leads)', 'row_to_json(x) FROM (SELECT id, at FROM leads) x', 'row_to_json(x) FROM (SELECT 1::regclass FROM leads) x',
    'json_agg(x) FROM (SELECT id, at FROM leads) x', 'json_build_object(''a'', due, ''b'', ROW(id, at))', 'json_agg(y) FROM (SELECT x FROM (SELECT id FROM leads) x) y',
    'ROW(id, at)::text', 'ROW(1::regclass)::text', 'label || at', 'array_to_string(ARRAY[at], '','')', 'xmlelement(name a, at)', 'quote_literal(at)');
-- Settings only.
SELECT * FROM reasons('at::date', 'at::timestamp', 'local::timestamptz', 'at > local', 'at = due', 'at + span', 'at - span', 'at - at', 'date_trunc(''day'', at)', 'date_trunc(''day'', at, ''UTC'')', 'extract(year FROM at)',
    'date_part(''hour'', at)', 'to_char(at, ''YYYY'')', 'to_char(local, ''YYYY'')', 'to_char(amount, ''9D9'')', 'to_number(label, ''9'')', 'to_tsvector(label)', 'ts_headline(label, ''a''::tsquery)', 'balance::numeric', 'amount::money', 'at AT TIME ZONE ''UTC''',
    'convert_to(label, ''UTF8'')', 'sha256(convert_to(label, ''UTF8''))', 'generate_series(at, at, span)', 'tod::timetz', 'enum_range(stage)', '(at, at) OVERLAPS (at, span)', 'make_timestamptz(1, 1, 1, 1, 1, 1)');

-- Relations whose changes are not seen.
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE abroad (id integer) SERVER elsewhere;
CREATE UNLOGGED TABLE unlogged (id integer);
CREATE TABLE hidden (id integer);
CREATE TABLE mixed (id integer) PARTITION BY LIST (id);
CREATE FOREIGN TABLE mixed_abroad PARTITION OF mixed FOR VALUES IN (1) SERVER elsewhere;
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE TABLE family (id integer);
CREATE TEMP TABLE family_temp () INHERITS (family);
SELECT q.query, s.* FROM (VALUES ('SELECT id FROM abroad'), ('SELECT id FROM mixed'), ('SELECT id FROM unlogged'), ('SELECT relname FROM pg_class'),
    ('SELECT last_value FROM counter'), ('SELECT id FROM hidden')) q (query), sources(q.query) s;
SELECT regexp_replace((sources('SELECT id FROM family')).never_skipped, 'pg_temp_\d+', 'pg_temp');
DROP TABLE family_temp;
SELECT (sources('SELECT count(*) FROM information_schema.tables')).never_skipped IS NOT NULL AS never;
-- Row security holds for who reads: here the owner of the table, whom it does not concern, then one whom it does, then
-- the owner as well; who the reader is says the view that names the table.
CREATE ROLE freshcrm_reader;
GRANT USAGE, CREATE ON SCHEMA src TO freshcrm_reader;
GRANT SELECT ON hidden TO freshcrm_reader;
CREATE VIEW of_owner AS SELECT id FROM hidden;
CREATE VIEW of_invoker WITH (security_invoker) AS SELECT id FROM hidden;
GRANT SELECT ON of_owner, of_invoker TO freshcrm_reader;
CREATE MATERIALIZED VIEW direct AS SELECT id FROM hidden WITH NO DATA;
CREATE MATERIALIZED VIEW by_owner AS SELECT id FROM of_owner WITH NO DATA;
CREATE MATERIALIZED VIEW by_invoker AS SELECT id FROM of_invoker WITH NO DATA;
CREATE TABLE digests AS SELECT m, definition FROM unnest('{direct,by_owner,by_invoker}'::regclass[]) m, freshcrm.matview_sources(m);
CREATE VIEW now_secured AS SELECT d.m, never_skipped, s.definition <> d.definition AS changed FROM digests d, freshcrm.matview_sources(m) s;
SELECT * FROM now_secured;
ALTER MATERIALIZED VIEW direct OWNER TO freshcrm_reader;
ALTER MATERIALIZED VIEW by_owner OWNER TO freshcrm_reader;
ALTER MATERIALIZED VIEW by_invoker OWNER TO freshcrm_reader;
SELECT * FROM now_secured;
ALTER ROLE freshcrm_reader BYPASSRLS;
SELECT * FROM now_secured;
ALTER ROLE freshcrm_reader NOBYPASSRLS;
ALTER TABLE hidden DISABLE ROW LEVEL SECURITY;
SELECT * FROM now_secured;

-- The definition: what changes it, and what does not.
CREATE FUNCTION definition_changes(query text, VARIADIC commands text[]) RETURNS TABLE (command text, changed boolean, back boolean) LANGUAGE plpgsql AS
$$
DECLARE
    before bytea;
    meanwhile bytea;
BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW m AS ' || query || ' WITH NO DATA';
    FOREACH command IN ARRAY commands LOOP
        SELECT definition INTO before FROM freshcrm.matview_sources('m');
        BEGIN
            EXECUTE command;
            SELECT definition INTO meanwhile FROM freshcrm.matview_sources('m');
            changed := meanwhile <> before;
            RAISE EXCEPTION 'take back' USING ERRCODE = 'RB000';
        EXCEPTION WHEN SQLSTATE 'RB000' THEN
            SELECT definition = before INTO back FROM freshcrm.matview_sources('m');
        END;
        RETURN NEXT;
    END LOOP;
    DROP MATERIALIZED VIEW m;
END
$$;
-- Rows do not count, nor what ANALYZE and rights change, nor functions that are not called.
SELECT * FROM definition_changes('SELECT id, mine(1), label FROM named',
    'INSERT INTO leads (id) VALUES (1)', 'ANALYZE leads', 'GRANT SELECT ON leads TO freshcrm_reader', 'ALTER TABLE leads RENAME TO lead_s', 'SET LOCAL TimeZone = ''Europe/Berlin''',
    'CREATE OR REPLACE FUNCTION mine(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS ''SELECT $1 + 1''', 'ALTER FUNCTION mine STRICT', 'CREATE OR REPLACE FUNCTION mine_stable(integer) RETURNS integer STABLE LANGUAGE sql AS ''SELECT $1 + 1''',
    'CREATE OR REPLACE VIEW named AS SELECT l.id, l.label, c.name, c.region FROM leads l JOIN customers c ON c.id = l.customer_id', 'CREATE OR REPLACE VIEW over AS SELECT p.*, r.name || ''x'' AS name FROM per_region p JOIN regions r ON r.code = p.region',
    'CREATE TABLE leads_more () INHERITS (leads)');
SELECT * FROM definition_changes('SELECT mine_sum(1), count(*) FILTER (WHERE label < ANY (ARRAY[1::text])), 1 === 2 FROM acts JOIN leads USING (id)',
    'CREATE OR REPLACE FUNCTION same(integer, integer) RETURNS boolean STABLE LANGUAGE sql AS ''SELECT $1 <> $2''', 'CREATE OR REPLACE AGGREGATE mine_sum(integer) (SFUNC = int4mi, STYPE = integer)',
    'CREATE TABLE acts_rest_2 PARTITION OF acts_rest FOR VALUES FROM (1000) TO (2000)', 'ALTER TABLE acts DETACH PARTITION acts_call', 'CREATE TABLE other () INHERITS (notes)');
-- Two changes in one transaction are two.
BEGIN;
CREATE MATERIALIZED VIEW m AS SELECT mine(1) WITH NO DATA;
CREATE TEMP TABLE seen ON COMMIT DROP AS SELECT definition FROM freshcrm.matview_sources('m');
CREATE OR REPLACE FUNCTION mine(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
INSERT INTO seen SELECT definition FROM freshcrm.matview_sources('m');
CREATE OR REPLACE FUNCTION mine(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 2';
INSERT INTO seen SELECT definition FROM freshcrm.matview_sources('m');
SELECT count(DISTINCT definition) FROM seen;
ROLLBACK;
-- Of settings those that are read, only.
CREATE FUNCTION read_settings(expression text, OUT read text) LANGUAGE plpgsql AS
$$
DECLARE
    others CONSTANT text[][] := '{{TimeZone,Asia/Tokyo},{DateStyle,German},{IntervalStyle,iso_8601},{extra_float_digits,0},{bytea_output,escape},
        {lc_monetary,POSIX},{lc_numeric,POSIX},{lc_time,POSIX},{default_text_search_config,pg_catalog.german},{xmlbinary,hex},{xmloption,document},
        {array_nulls,off},{timezone_abbreviations,Australia},{work_mem,1MB}}';
    setting text[];
    kept text;
    before bytea;
    meanwhile bytea;
BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW m AS SELECT ' || expression || ' FROM leads WITH NO DATA';
    FOREACH setting SLICE 1 IN ARRAY others LOOP
        SELECT definition INTO before FROM freshcrm.matview_sources('m');
        kept := current_setting(setting[1]);
        PERFORM set_config(setting[1], setting[2], true);
        SELECT definition INTO meanwhile FROM freshcrm.matview_sources('m');
        PERFORM set_config(setting[1], kept, true);
        read := CASE WHEN meanwhile <> before THEN concat_ws(', ', read, setting[1]) ELSE read END;
    END LOOP;
    DROP MATERIALIZED VIEW m;
END
$$;
SELECT e AS expression, read FROM unnest(ARRAY['label', 'id::text', 'at::date', 'at::text', 'local::text', 'due::text', 'to_jsonb(due)', 'to_jsonb(at)', 'span::text', 'label::interval', 'weight::text', 'to_json(weight)',
    'logo::text', 'balance::text', 'to_char(amount, ''9D9'')', 'to_char(at, ''TMDay'')', 'to_tsvector(label)', 'xmlelement(name a, logo)', 'label::xml', 'label::integer[]', 'spans::text', 'concat(id, label)', 'concat(at)', 'leads::text',
    'row_to_json(leads)', 'point(1, 2)::text', 'sum(1) OVER (ORDER BY at RANGE ''1 day'' PRECEDING)', 'local AT TIME ZONE ''EST''']) e, read_settings(e);
-- The labels of enums, where they are written or read.
ALTER TYPE stage RENAME VALUE 'won' TO 'done';
SELECT * FROM definition_changes('SELECT stage::text FROM leads', 'ALTER TYPE stage RENAME VALUE ''new'' TO ''fresh''');
SELECT * FROM definition_changes('SELECT stage FROM leads', 'ALTER TYPE stage RENAME VALUE ''new'' TO ''fresh''');

-- One row a source.
CREATE MATERIALIZED VIEW all_kinds AS SELECT r.name FROM over r, acts a, notes n, abroad, mixed, pg_class, unlogged, counter WITH NO DATA;
SELECT * FROM freshcrm.explain_refresh('all_kinds');
SELECT freshcrm.watch_table(t) FROM unnest('{regions,acts,acts_call,acts_rest,acts_rest_1}'::regclass[]) t;
ALTER TABLE acts_call DISABLE TRIGGER freshcrm_watch;
DROP TRIGGER freshcrm_watch_replica ON regions;
SELECT * FROM freshcrm.explain_refresh('all_kinds') WHERE source::text ~ '^(regions|acts)';
-- What is no materialized view; who may.
SELECT * FROM freshcrm.explain_refresh('leads');
SELECT * FROM freshcrm.matview_sources('named');
SELECT * FROM freshcrm.matview_sources(1);
SELECT freshcrm.explain_refresh(NULL);
SET ROLE freshcrm_reader;
SELECT * FROM freshcrm.explain_refresh('src.direct');
SELECT * FROM freshcrm.matview_sources('src.direct');
SELECT * FROM freshcrm.refresh_lints('src.direct');
RESET ROLE;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA src CASCADE;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
DROP ROLE freshcrm_reader;
