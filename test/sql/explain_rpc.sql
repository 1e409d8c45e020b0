-- explain_rpc: the plans inside a function, where EXPLAIN shows a Function Scan (X23).
CREATE SCHEMA explain_rpc;
SET search_path = explain_rpc;
CREATE TABLE event (id int PRIMARY KEY, owner text, lead int, at timestamptz, note text);
INSERT INTO event SELECT n, CASE WHEN n % 2 = 0 THEN 'explain_rpc_reader' ELSE 'nobody' END, n % 100, '2026-01-01Z'::timestamptz + n * interval '1 hour'
  FROM generate_series(1, 10000) AS n;
CREATE INDEX event_lead ON event (lead, at);
ANALYZE event;
-- How many rows are fetched would depend on when the table was vacuumed.
SET enable_indexonlyscan = off;

CREATE FUNCTION of_lead(p_lead int, p_since timestamptz DEFAULT '2026-01-01Z') RETURNS SETOF event LANGUAGE sql STABLE
  AS 'SELECT * FROM event WHERE event.lead = p_lead AND at >= p_since ORDER BY at';
CREATE FUNCTION total(p_lead int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM event WHERE lead = $1';
CREATE FUNCTION total_atomic(p_lead int) RETURNS bigint LANGUAGE sql STABLE
BEGIN ATOMIC SELECT count(*) FROM event WHERE lead = p_lead; END;
CREATE FUNCTION of_lead_plpgsql(p_lead int) RETURNS SETOF event LANGUAGE plpgsql STABLE
  AS 'BEGIN RETURN QUERY SELECT * FROM event WHERE event.lead = p_lead; END';

-- EXPLAIN of the call shows nothing of what is inside
EXPLAIN (COSTS OFF) SELECT * FROM of_lead_plpgsql(7);
EXPLAIN (COSTS OFF) SELECT total(7);

-- A query that the planner puts into the call, with the values of the arguments
\pset format unaligned
\pset tuples_only on
SELECT freshcrm.explain_rpc_with('of_lead', '{"p_lead": 7}', '{"costs": false}');
SELECT freshcrm.explain_rpc_with('of_lead', '[7, "2026-02-01Z"]', '{"costs": false}');
SELECT freshcrm.explain_rpc_with('explain_rpc.of_lead', '{"p_since": "2026-02-01Z", "p_lead": "7"}', '{"costs": false}');
-- A function that is called as a whole: planned once for all arguments
SELECT freshcrm.explain_rpc_with('total', '{"p_lead": 7}', '{"costs": false}');
SELECT freshcrm.explain_rpc_with('total_atomic', '{"p_lead": 7}', '{"costs": false}');
-- By position, as a call is written, with the costs of EXPLAIN
SELECT regexp_replace(line, '=[\d.]+', '=N', 'g') FROM freshcrm.explain_rpc('of_lead', 7, '2026-02-01Z') AS e (line);
SELECT regexp_replace(line, '=[\d.]+', '=N', 'g') FROM freshcrm.explain_rpc('of_lead', 7::smallint) AS e (line) LIMIT 2;
SELECT regexp_replace(line, '=[\d.]+', '=N', 'g') FROM freshcrm.explain_rpc('of_lead', VARIADIC '{7, 2026-02-01Z}'::text[]) AS e (line) LIMIT 2;
SELECT count(*) > 1 FROM freshcrm.explain_rpc('pg_catalog.pg_ls_logdir') WHERE false;

-- Several statements, writes and rules; nothing is run
CREATE TABLE log (at timestamptz, lead int);
CREATE FUNCTION look(p_lead int) RETURNS SETOF int LANGUAGE sql VOLATILE AS '
  INSERT INTO log VALUES (now(), p_lead);
  DELETE FROM log WHERE log.lead = look.p_lead AND at < now() - interval ''1 day'';
  SELECT id FROM event WHERE event.lead = p_lead';
SELECT freshcrm.explain_rpc_with('look', '[7]', '{"costs": false}');
SELECT count(*) FROM log;
CREATE FUNCTION ddl() RETURNS void LANGUAGE sql AS 'CREATE TEMP TABLE x (); ANALYZE event';
SELECT freshcrm.explain_rpc_with('ddl', '{}', '{"costs": false}');
-- The plan of the body is the one that runs
SELECT freshcrm.explain_rpc_with('total', '[7]', '{"costs": false, "analyze": true, "timing": false, "summary": false}');

-- PL/pgSQL: known only when it runs
SELECT freshcrm.explain_rpc('of_lead_plpgsql', 7);
SELECT freshcrm.explain_rpc_with('of_lead_plpgsql', '{"p_lead": 7}', '{"costs": false, "analyze": true, "timing": false, "summary": false}');
-- A loop is shown once, an error inside is survived, and what is below is told apart
CREATE FUNCTION report(p_from int, p_to int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE sum bigint := 0; more bigint;
BEGIN
  FOR i IN p_from..p_to LOOP
    SELECT count(*) INTO more FROM event WHERE lead = i;
    sum := sum + more;
  END LOOP;
  BEGIN
    PERFORM 1 / (count(*) - count(*)) FROM event WHERE id < 10;
  EXCEPTION WHEN division_by_zero THEN
    PERFORM total(5) FROM event WHERE id = 1;
  END;
  RETURN sum;
END $$;
SELECT freshcrm.explain_rpc_with('report', '[1, 3]', '{"costs": false, "analyze": true, "timing": false, "summary": false}');
-- With analyze it does what it does
SELECT count(*) > 10 FROM freshcrm.explain_rpc_with('look', '[7]', '{"analyze": true}');
SELECT lead FROM log;
BEGIN READ ONLY;
SELECT count(*) > 0 FROM freshcrm.explain_rpc('look', 7);
SELECT count(*) FROM freshcrm.explain_rpc_with('look', '[7]', '{"analyze": true}');
ROLLBACK;
-- Formats: a document a statement
SELECT jsonb_path_query_array(d::jsonb, '$[*]."Query Text"'), jsonb_path_query_array(d::jsonb, '$.**."Index Name"'), jsonb_path_query_array(d::jsonb, '$[*].Inlined')
  FROM freshcrm.explain_rpc_with('look', '[7]', '{"format": "json"}') AS e (d);
SELECT jsonb_path_query_array(d::jsonb, '$[*].Calls'), jsonb_path_query_array(d::jsonb, '$[*].Plan."Node Type"')
  FROM freshcrm.explain_rpc_with('report', '[1, 3]', '{"format": "json", "analyze": true}') AS e (d);
SELECT count(*), bool_and(xmlparse(DOCUMENT d) IS DOCUMENT) FROM freshcrm.explain_rpc_with('look', '[7]', '{"format": "xml"}') AS e (d);
SELECT count(*) FROM freshcrm.explain_rpc_with('look', '[7]', '{"format": "yaml"}') AS e (d) WHERE d ~ 'Query Text: ';

-- The settings of the function, and no others
CREATE SCHEMA explain_rpc_other;
CREATE TABLE explain_rpc_other.event (id int);
CREATE FUNCTION elsewhere() RETURNS SETOF int LANGUAGE sql STABLE SET search_path = explain_rpc_other SET enable_seqscan = off
  AS 'SELECT id FROM event WHERE id = 1';
SELECT freshcrm.explain_rpc_with('elsewhere', '{}', '{"costs": false, "verbose": true, "settings": true}');
SHOW search_path;
SHOW enable_seqscan;
CREATE FUNCTION broken() RETURNS SETOF int LANGUAGE sql STABLE SET search_path = explain_rpc_other SET check_function_bodies = off AS 'SELECT nothing FROM event';
SELECT freshcrm.explain_rpc('broken');
SHOW search_path;

-- Partitions: left out by the values of the arguments though the plan is for all of them
CREATE TABLE part (k int, v int) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2);
CREATE TABLE part3 PARTITION OF part FOR VALUES IN (3);
CREATE FUNCTION of_part(p int DEFAULT 2) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM part WHERE k = p';
SELECT freshcrm.explain_rpc_with('of_part', '{}', '{"costs": false}');
-- Polymorphic, variadic, arrays, composites, JSON, immutable
CREATE FUNCTION any_of(p_lead int, VARIADIC ids int[]) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM event WHERE id = ANY (ids) AND lead = p_lead';
SELECT freshcrm.explain_rpc_with('any_of', '[7, 1, 2]', '{"costs": false}');
SELECT freshcrm.explain_rpc_with('any_of', '{"ids": [1, 2, 3], "p_lead": 7}', '{"costs": false}');
CREATE FUNCTION same(a anyelement) RETURNS SETOF anyelement LANGUAGE sql STABLE AS 'SELECT a FROM event WHERE id = 1 AND note = a::text';
SELECT line FROM freshcrm.explain_rpc('same', 7::bigint) AS e (line) WHERE line ~ 'Filter|Inlined';
CREATE FUNCTION of_json(j jsonb, e event) RETURNS SETOF int LANGUAGE sql STABLE AS $$SELECT id FROM event WHERE id = (j->>'id')::int AND lead = (e).lead$$;
SELECT freshcrm.explain_rpc_with('of_json', '{"j": {"id": 5}, "e": {"lead": 3}}', '{"costs": false}');
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN n > 0 THEN (SELECT n * 2) ELSE 0 END';
SELECT freshcrm.explain_rpc_with('twice', '[21]', '{"costs": false, "verbose": true}');
CREATE FUNCTION rows_of() RETURNS SETOF record LANGUAGE sql STABLE AS 'SELECT id, lead FROM event WHERE id = 1';
SELECT freshcrm.explain_rpc_with('rows_of', '{}', '{"costs": false}');

-- As the calling role
CREATE ROLE explain_rpc_reader;
GRANT USAGE ON SCHEMA explain_rpc TO explain_rpc_reader;
SET ROLE explain_rpc_reader;
SELECT freshcrm.explain_rpc('of_lead', 7);
SELECT freshcrm.explain_rpc('total', 7);
RESET ROLE;
GRANT SELECT ON event TO explain_rpc_reader;
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON event USING (owner = current_user);
SET ROLE explain_rpc_reader;
SELECT freshcrm.explain_rpc_with('of_lead', '[7]', '{"costs": false}');
SELECT freshcrm.explain_rpc_with('total', '[7]', '{"costs": false}');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION of_lead FROM PUBLIC;
CREATE FUNCTION secret(p_lead int) RETURNS SETOF event LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT * FROM event WHERE lead = p_lead';
CREATE FUNCTION calls_secret(p_lead int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM secret(p_lead)); END';
SET ROLE explain_rpc_reader;
SELECT freshcrm.explain_rpc('of_lead', 7);
SELECT freshcrm.explain_rpc('secret', 7);
SELECT freshcrm.explain_rpc_with('secret', '[7]', '{"analyze": true}');
-- (what runs inside with rights that the caller has not is counted, not shown)
SELECT freshcrm.explain_rpc_with('calls_secret', '[7]', '{"costs": false, "analyze": true, "timing": false, "summary": false}');
RESET ROLE;
SELECT freshcrm.explain_rpc_with('secret', '[7]', '{"costs": false}');
SELECT count(*) FROM freshcrm.explain_rpc_with('calls_secret', '[7]', '{"analyze": true, "format": "json"}');
ALTER FUNCTION secret OWNER TO explain_rpc_reader;
SELECT freshcrm.explain_rpc_with('secret', '[7]', '{"costs": false}');

-- Nested, and after an error
CREATE FUNCTION nested() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count(*) FROM freshcrm.explain_rpc_with('report', '[1, 1]', '{"analyze": true}');
  RETURN (SELECT count(*) FROM event WHERE id = 3);
END $$;
SELECT jsonb_path_query_array(d::jsonb, '$[*]."Query Text"') FROM freshcrm.explain_rpc_with('nested', '{}', '{"format": "json", "analyze": true}') AS e (d);
CREATE FUNCTION fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM id FROM event WHERE id = 1; RETURN 1 / 0; END $$;
SELECT freshcrm.explain_rpc_with('fails', '{}', '{"analyze": true}');
DO $$ BEGIN
  PERFORM freshcrm.explain_rpc_with('fails', '{}', '{"analyze": true}');
EXCEPTION WHEN division_by_zero THEN
  PERFORM id FROM event WHERE id = 1;
END $$;
SELECT freshcrm.explain_rpc_with('total', '[7]', '{"costs": false, "analyze": true, "timing": false, "summary": false}');
-- More statements than are kept
CREATE FUNCTION many() RETURNS void LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
  FOR i IN 1..150 LOOP EXECUTE 'SELECT ' || i INTO n; END LOOP;
END $$;
SELECT line FROM freshcrm.explain_rpc_with('many', '{}', '{"analyze": true}') AS e (line) WHERE line ~ 'Not Shown';

-- What cannot be explained
CREATE FUNCTION overloaded(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION overloaded(a date) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE PROCEDURE proc(a int) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
\set ECHO none
CREATE FUNCTION error_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE code text; message text; detail text; hint text; context text;
BEGIN
  EXECUTE query;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
  RETURN NEXT code || ': ' || message;
  RETURN NEXT '  ' || detail || ' | ' || hint || ' | ' || coalesce(substring(context FROM 'argument[^\n]*'), '');
END $$;
\set ECHO all
SELECT error_of(query) FROM (VALUES
  ($$SELECT freshcrm.explain_rpc('no_such', 1)$$),
  ($$SELECT freshcrm.explain_rpc('nowhere.no_such', 1)$$),
  ($$SELECT freshcrm.explain_rpc('of_lead')$$),
  ($$SELECT freshcrm.explain_rpc('of_lead', 1, now(), 3)$$),
  ($$SELECT freshcrm.explain_rpc('of_lead', true)$$),
  ($$SELECT freshcrm.explain_rpc_with('of_lead', '{"p_leed": 1}')$$),
  ($$SELECT freshcrm.explain_rpc('of_lead', 'seven')$$),
  ($$SELECT freshcrm.explain_rpc_with('of_lead', '{"p_lead": 7, "p_since": "soon"}')$$),
  ($$SELECT freshcrm.explain_rpc_with('of_lead', '{"p_lead": [7]}')$$),
  ($$SELECT freshcrm.explain_rpc('overloaded', NULL)$$),
  ($$SELECT freshcrm.explain_rpc('overloaded(text)', NULL)$$),
  ($$SELECT freshcrm.explain_rpc('count', 1)$$),
  ($$SELECT freshcrm.explain_rpc('row_number')$$),
  ($$SELECT freshcrm.explain_rpc('proc', 1)$$),
  ($$SELECT freshcrm.explain_rpc('trig')$$),
  ($$SELECT freshcrm.explain_rpc('')$$),
  ($$SELECT freshcrm.explain_rpc(NULL)$$),
  ($$SELECT freshcrm.explain_rpc_with('total', '7')$$),
  ($$SELECT freshcrm.explain_rpc_with('total', '[7]', '[]')$$),
  ($$SELECT freshcrm.explain_rpc_with('total', '[7]', '{"analyse": true}')$$),
  ($$SELECT freshcrm.explain_rpc_with('total', '[7]', '{"analyze": 1}')$$),
  ($$SELECT freshcrm.explain_rpc_with('total', '[7]', '{"format": "html"}')$$)
) AS q (query);
-- The types tell which of them is meant
SELECT line FROM freshcrm.explain_rpc('overloaded(date)', NULL) AS e (line) LIMIT 1;
SELECT line FROM freshcrm.explain_rpc('overloaded', NULL::int) AS e (line) LIMIT 1;
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA explain_rpc, explain_rpc_other CASCADE;
DROP ROLE explain_rpc_reader;
