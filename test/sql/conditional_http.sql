-- Responses: set_http(), respond(), pre_request() as PostgREST calls it, page_etag() and conditional_get().
SET client_min_messages = warning;
CREATE SCHEMA api;
SET search_path = api, public;
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner text, status text, at timestamptz, score double precision);
CREATE INDEX ON leads (customer_id);
INSERT INTO customers VALUES (1, 'Acme'), (2, 'Byte');
INSERT INTO leads VALUES (1, 1, 'ann', 'new', '2026-01-01 12:00+00', 0.1), (2, 2, 'bob', 'new', NULL, 2), (3, 1, NULL, 'won', NULL, NULL);
CREATE VIEW live AS SELECT l.id, l.owner, l.status, l.at, l.score, c.name FROM leads l JOIN customers c ON c.id = l.customer_id;
SELECT freshcrm.create_projection('live', '{id}');
CREATE FUNCTION failure(statement text) RETURNS TABLE (state text, message jsonb, detail jsonb) LANGUAGE plpgsql AS $$
DECLARE
    message_text text;
    detail_text text;
BEGIN
    EXECUTE statement;
    state := 'none';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message_text = MESSAGE_TEXT, detail_text = PG_EXCEPTION_DETAIL;
    message := CASE WHEN message_text LIKE '{%' THEN message_text::jsonb ELSE to_jsonb(message_text) END;
    detail := CASE WHEN detail_text LIKE '{%' THEN detail_text::jsonb ELSE to_jsonb(nullif(detail_text, '')) END;
    RETURN NEXT;
END $$;
CREATE VIEW response AS SELECT current_setting('response.status', true) AS status, current_setting('response.headers', true) AS headers;

-- Headers, as an array of objects of one member, among those that are there.
BEGIN;
SELECT freshcrm.set_http(201);
TABLE response;
SELECT freshcrm.set_http(NULL, '{"X-Cache": "HIT", "vary": "Accept", "X-Rate": 45}');
TABLE response;
SELECT freshcrm.set_http(418, '[{"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2"}, {"x-cache": "MISS"}]');
SELECT freshcrm.set_http(NULL, '{"set-cookie": "c=3", "Cache-Control": "no-store", "X-Name": "Ä, \"quoted\"\t."}');
TABLE response;
SELECT freshcrm.set_http(NULL, NULL);
TABLE response;
COMMIT;
-- They are those of one transaction.
TABLE response;
BEGIN;
SET LOCAL response.headers = '[{"X-Other": "of the user"}]';
SELECT freshcrm.set_http(200);
TABLE response;
ROLLBACK;
SELECT headers, state, message FROM unnest(ARRAY['{"a b": "1"}', '{"": "1"}', '{"a:": "1"}', '{"ä": "1"}', '{"a": "1\r\nSet-Cookie: x=1"}', '{"a": "1\n"}', '{"a": "\u0001"}',
    '{"a": null}', '{"a": true}', '{"a": ["1"]}', '[{"a": "1", "b": "2"}]', '[{}]', '["a"]', '3', '"a"', 'null']) AS headers, failure(format('SELECT freshcrm.set_http(200, %L)', headers));
SELECT freshcrm.set_http(200, '{"a": "\u0000"}');
SELECT status, state, message FROM unnest(ARRAY[99, 600, -1, 100, 599]) AS status, failure(format('SELECT freshcrm.set_http(%s)', status));
BEGIN;
SET LOCAL response.headers = 'X-Other: of the user';
SELECT freshcrm.set_http(200);
ROLLBACK;

-- The documented form of errors for PostgREST.
SET freshcrm.http_dialect = postgrest;
SELECT * FROM failure($$SELECT freshcrm.raise_response(402, 'Payment "Required"', 'Quota exceeded', 'Upgrade', '{"X-Powered-By": "Nerd Rage"}')$$);
SELECT * FROM failure($$SELECT freshcrm.raise_response(429, 'slow down')$$);
SET freshcrm.http_dialect = plain;
SELECT * FROM failure($$SELECT freshcrm.raise_response(429, 'slow down', NULL, NULL, '{"Retry-After": "3"}')$$);
SELECT * FROM failure($$SELECT freshcrm.raise_response(600, 'none')$$);
SELECT * FROM failure($$SELECT freshcrm.raise_response(NULL, 'none')$$);
SELECT * FROM failure($$SELECT freshcrm.raise_response(500, NULL)$$);
RESET freshcrm.http_dialect;
SET freshcrm.http_dialect = other;

-- A request, as PostgREST tells of it: in a read-only transaction, with its schema first in the search_path.
CREATE FUNCTION request(method text, path text, headers jsonb DEFAULT '{}', OUT state text, OUT status text, OUT etag text, OUT headers_sent text) LANGUAGE plpgsql AS $$
DECLARE
    detail jsonb;
BEGIN
    PERFORM set_config('request.method', method, true), set_config('request.path', path, true), set_config('request.headers', headers::text, true),
        set_config('response.headers', '', true);
    SELECT f.state, f.detail INTO state, detail FROM failure('SELECT freshcrm.pre_request()') AS f;
    status := detail ->> 'status';
    etag := coalesce(detail #>> '{headers,ETag}',
        (SELECT e ->> 'ETag' FROM jsonb_array_elements(nullif(current_setting('response.headers'), '')::jsonb) AS e WHERE e ? 'ETag'));
    headers_sent := (SELECT string_agg(k, ', ' ORDER BY k) FROM (SELECT jsonb_object_keys(detail -> 'headers') UNION ALL
        SELECT jsonb_object_keys(e) FROM jsonb_array_elements(nullif(current_setting('response.headers'), '')::jsonb) AS e) AS h (k));
END $$;
BEGIN READ ONLY;
SELECT etag FROM request('GET', '/live_hot') \gset
SELECT :'etag' ~ '^W/"[0-9a-f]{64}"$' AS is_tag, state, status, headers_sent FROM request('GET', '/live_hot');
SELECT state, status, etag = :'etag' AS same, headers_sent FROM request('GET', '/live_hot', jsonb_build_object('if-none-match', :'etag'));
SELECT state, status, etag = :'etag' AS same FROM request('HEAD', '/live_hot', jsonb_build_object('if-none-match', '"x", ' || :'etag'));
SELECT state, status, etag = :'etag' AS same FROM request('GET', '/live_hot', '{"if-none-match": "\"x\""}');
SELECT state, status FROM request('GET', '/live_hot', '{"if-none-match": "malformed"}');
SELECT state, status, etag = :'etag' AS same, headers_sent FROM request('GET', '/live_hot', '{"if-match": "\"x\""}');
-- The error as a whole.
SELECT set_config('request.headers', jsonb_build_object('if-none-match', :'etag')::text, true) IS NOT NULL AS set;
SELECT state, jsonb_pretty(message) AS message, jsonb_pretty(detail #- '{headers,ETag}') AS detail FROM failure('SELECT freshcrm.pre_request()');
ROLLBACK;
-- Who else asks, and how, has another tag.
BEGIN READ ONLY;
SELECT headers, etag = :'etag' AS same FROM unnest(ARRAY['{"accept": "application/json"}', '{"accept": "text/csv"}', '{"accept": "application/vnd.pgrst.object+json, */*;q=0.1"}',
    '{"prefer": "count=exact"}', '{"range": "0-24", "range-unit": "items"}', '{"range": "25-49"}', '{"cookie": "a=1"}', '{"user-agent": "x"}']::jsonb[]) AS headers, request('GET', '/live_hot', headers);
SET LOCAL TimeZone = 'Europe/Berlin';
SELECT etag = :'etag' AS same FROM request('GET', '/live_hot');
ROLLBACK;
CREATE ROLE api_reader;
GRANT USAGE ON SCHEMA api TO api_reader;
GRANT SELECT ON live_hot, response TO api_reader;
SET ROLE api_reader;
SELECT state, etag = :'etag' AS same FROM request('GET', '/live_hot');
RESET ROLE;
-- What it says nothing about.
CREATE TABLE other (id integer);
CREATE SCHEMA api2;
SELECT method, path, headers, state, etag FROM (VALUES ('POST', '/live_hot', '{}'::jsonb), ('get', '/live_hot', '{}'), ('', '', '{}'), ('GET', '/leads', '{}'), ('GET', '/live', '{}'), ('GET', '/other', '{}'),
    ('GET', '/none', '{}'), ('GET', '/', '{}'), ('GET', 'live_hot', '{}'), ('GET', '/api/live_hot', '{}'), ('GET', '/rpc/live_hot', '{}'), ('GET', '/' || repeat('x', 100000), '{}'),
    ('GET', '/live_hot', '{"accept": "application/vnd.pgrst.plan+json"}'), ('GET', '/live_hot', '{"accept": "text/html, */*"}'), ('GET', '/live_hot', '{"prefer": "return=minimal, count=planned"}'),
    ('PATCH', '/live_hot', '{"if-match": "\"x\""}')) AS v (m, p, h), LATERAL (SELECT m AS method, left(p, 20) AS path, h AS headers, r.state, r.etag FROM request(m, p, h) AS r) AS r;
SET search_path = api2, api;
SELECT api.request('GET', '/live_hot');
SET search_path = none, api;
SELECT api.request('GET', '/live_hot');
BEGIN;
SET LOCAL search_path = '';
SET LOCAL request.method = 'GET';
SET LOCAL request.path = '/live_hot';
SELECT freshcrm.requested_projection() IS NULL AS none;
ROLLBACK;
SET search_path = api, public;
-- Where more than the rows could be asked for.
CREATE FUNCTION label(live_hot) RETURNS text LANGUAGE sql AS 'SELECT name FROM customers LIMIT 1';
SELECT etag FROM request('GET', '/live_hot');
DROP FUNCTION label(live_hot);
CREATE TABLE notes (lead integer);
ALTER TABLE notes ADD FOREIGN KEY (lead) REFERENCES live_hot;
SELECT etag FROM request('GET', '/live_hot');
DROP TABLE notes;
ALTER TABLE live_hot ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON live_hot USING (owner = current_user);
SELECT etag = :'etag' AS owner_sees_all FROM request('GET', '/live_hot');
SET ROLE api_reader;
SELECT etag FROM request('GET', '/live_hot');
SELECT freshcrm.page_etag('live_hot');
SELECT status, body FROM freshcrm.conditional_get('live_hot');
RESET ROLE;
ALTER TABLE live_hot DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON live_hot FROM api_reader;
SET ROLE api_reader;
SELECT etag FROM request('GET', '/live_hot');
RESET ROLE;
-- A customer's name is in the rows (X04); content that comes back has its tag again.
UPDATE customers SET name = 'Acme Ltd' WHERE id = 1;
SELECT state, etag = :'etag' AS same FROM request('GET', '/live_hot', jsonb_build_object('if-none-match', :'etag'));
UPDATE customers SET name = 'Acme' WHERE id = 1;
SELECT state, etag = :'etag' AS same FROM request('GET', '/live_hot', jsonb_build_object('if-none-match', :'etag'));

-- A function that PostgREST calls.
CREATE FUNCTION lead(wanted integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    found live_hot;
BEGIN
    SELECT * INTO found FROM live_hot WHERE id = wanted;
    PERFORM freshcrm.respond(found.version_etag, 'live_hot', "exists" => found.id IS NOT NULL);
    RETURN to_jsonb(found) - 'updated_at';
END $$;
BEGIN READ ONLY;
SET LOCAL request.method = 'GET';
SELECT lead(2) ->> 'name' AS name;
SELECT (headers::jsonb -> 0 ->> 'ETag') = format('"%s"', version_etag) AS strong_tag FROM response, live_hot WHERE id = 2;
SELECT set_config('request.headers', jsonb_build_object('if-none-match', headers::jsonb -> 0 ->> 'ETag')::text, true) IS NOT NULL AS sent FROM response;
SELECT state, detail ->> 'status' AS status FROM failure('SELECT api.lead(2)');
SELECT state FROM failure('SELECT api.lead(1)');
SET LOCAL request.headers = '{"if-match": "*"}';
SELECT state, detail ->> 'status' AS status FROM failure('SELECT api.lead(9)');
ROLLBACK;

-- Pages: everything that makes a page is in its tag.
SELECT count(DISTINCT tag), count(*) FROM unnest(ARRAY[
    freshcrm.page_etag('live_hot'), freshcrm.page_etag('live_hot', '{"owner": "ann"}'), freshcrm.page_etag('live_hot', sort => 'name'), freshcrm.page_etag('live_hot', sort => ''),
    freshcrm.page_etag('live_hot', page => '1'), freshcrm.page_etag('live_hot', page => '2'), freshcrm.page_etag('live_hot', sort => '1'),
    freshcrm.page_etag('live_hot', role => 'ann'), freshcrm.page_etag('live_hot', NULL), freshcrm.page_etag('live_hot', scope => '{"owner": "ann"}')]) AS tag;
SELECT freshcrm.page_etag('live_hot', '{"a": 1, "b": 2}') = freshcrm.page_etag('live_hot', '{"b": 2, "a": 1}') AS same_filter;
CREATE TABLE pages AS SELECT freshcrm.page_etag('live_hot', page => '1') AS all_rows, freshcrm.page_etag('live_hot', scope => '{"owner": "ann"}') AS of_ann;
UPDATE leads SET status = 'won' WHERE id = 2;
SELECT all_rows = freshcrm.page_etag('live_hot', page => '1') AS all_rows, of_ann = freshcrm.page_etag('live_hot', scope => '{"owner": "ann"}') AS of_ann FROM pages;
-- Names are in the JSON, and so in the tags: of columns, and of what is in them.
CREATE TYPE place AS (city text, zip text);
CREATE TYPE stay AS (places place[], nights integer);
CREATE DOMAIN visit AS stay;
CREATE TABLE visited (id integer PRIMARY KEY, v visit);
CREATE VIEW visits AS SELECT * FROM visited;
SELECT freshcrm.create_projection('visits', '{id}');
SELECT freshcrm.member_names('visits_hot');
SELECT freshcrm.page_etag('visits_hot') AS page_etag, etag FROM freshcrm.conditional_get('visits_hot') \gset
ALTER TYPE place RENAME ATTRIBUTE zip TO code CASCADE;
SELECT freshcrm.page_etag('visits_hot') = :'page_etag' AS page, etag = :'etag' AS rows FROM freshcrm.conditional_get('visits_hot');
SELECT freshcrm.drop_projection('visits_hot');
SELECT freshcrm.page_etag(NULL);
SELECT freshcrm.page_etag('leads');

-- Plain SQL.
SELECT etag, status, jsonb_pretty(body) AS body FROM freshcrm.conditional_get('live_hot'::regclass, '{"owner": "ann"}') \gset
SELECT :status AS status, regexp_replace(:'body', '"[0-9a-f]{64}"', 'the tag') AS body;
SELECT status, etag = :'etag' AS same, body FROM freshcrm.conditional_get('live_hot', '{"owner": "ann"}', :'etag');
-- Whatever the session's settings, the body is the same.
SET TimeZone = 'Asia/Tokyo';
SET extra_float_digits = 0;
SELECT status, etag = :'etag' AS same, jsonb_pretty(body) = :'body' AS same_body FROM freshcrm.conditional_get('live_hot', '{"owner": "ann"}');
RESET TimeZone;
RESET extra_float_digits;
UPDATE leads SET status = 'lost' WHERE id = 2;
SELECT status, body FROM freshcrm.conditional_get('live_hot', '{"owner": "ann"}', :'etag');
UPDATE leads SET status = 'lost' WHERE id = 1;
SELECT status, etag = :'etag' AS same, body -> 0 ->> 'status' AS now FROM freshcrm.conditional_get('live_hot', '{"owner": "ann"}', :'etag');
SELECT jsonb_path_query_array(body, '$[*].id') AS no_owner FROM freshcrm.conditional_get('live_hot', '{"owner": null}');
SELECT jsonb_path_query_array(body, '$[*].id') AS two_columns FROM freshcrm.conditional_get('live_hot', '{"status": "lost", "score": 2}');
SELECT status, body FROM freshcrm.conditional_get('live_hot', '{"owner": "O''Hara\\"}');
SELECT freshcrm.conditional_get('live_hot', '{"no": 1}');
SELECT freshcrm.conditional_get('live_hot', '[1]');
SELECT freshcrm.conditional_get('live_hot', '{"owner": ["ann"]}');
SELECT freshcrm.conditional_get('live_hot', '{"id": "x"}');
SELECT freshcrm.conditional_get('leads'::regclass);
SELECT freshcrm.conditional_get('nothing');
SELECT freshcrm.conditional_get(NULL::text), freshcrm.conditional_get(NULL::regclass);
SET ROLE api_reader;
SELECT freshcrm.conditional_get('api.live_hot');
RESET ROLE;

-- A query: read once for its tag, and again only for a body.
CREATE FUNCTION loud(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'read %', $1; RETURN upper($1); END $$;
SELECT etag AS query_etag, status, body FROM freshcrm.conditional_get('SELECT id, loud(name) AS name FROM live_hot WHERE owner = ''ann'' -- of hers') \gset
SELECT :'status' AS status, :'body' AS body;
SELECT status, etag = :'query_etag' AS same, body FROM freshcrm.conditional_get('SELECT id, loud(name) AS name FROM live_hot WHERE owner = ''ann'' -- of hers', if_none_match => :'query_etag');
SELECT status, body FROM freshcrm.conditional_get('SELECT id, name FROM live_hot ORDER BY id', '{"name": "Acme"}');
SELECT a.etag = b.etag AS same, c.etag = a.etag AS in_another_order FROM freshcrm.conditional_get('SELECT id FROM live_hot ORDER BY id') a,
    freshcrm.conditional_get('SELECT id FROM live_hot WHERE true ORDER BY id') b, freshcrm.conditional_get('SELECT id FROM live_hot ORDER BY id DESC') c;
SELECT status, body FROM freshcrm.conditional_get('SELECT 1 WHERE false');
-- It may only read, as who calls.
SELECT freshcrm.conditional_get('DELETE FROM leads RETURNING id');
SELECT freshcrm.conditional_get('WITH d AS (DELETE FROM leads RETURNING id) SELECT * FROM d');
SELECT freshcrm.conditional_get('SELECT 1) AS q; DELETE FROM api.leads; SELECT (1');
CREATE FUNCTION writes() RETURNS integer LANGUAGE sql AS 'INSERT INTO other VALUES (1) RETURNING 1';
SELECT freshcrm.conditional_get('SELECT writes()');
SELECT freshcrm.conditional_get('SELECT');
SELECT freshcrm.conditional_get('');
SET ROLE api_reader;
SELECT freshcrm.conditional_get('SELECT * FROM api.leads');
RESET ROLE;
INSERT INTO other VALUES (2);
SELECT (SELECT count(*) FROM other) AS others, (SELECT count(*) FROM leads) AS leads;

-- Whatever is written, and rolled back: the same tag is the same body, and the same body the same tag.
CREATE TABLE seen (what text, tag text, body jsonb);
DO $$
DECLARE
    what text;
BEGIN
    PERFORM setseed(0.25);
    FOR i IN 1 .. 400 LOOP
        BEGIN
            CASE floor(random() * 6)::integer
                WHEN 0 THEN UPDATE leads SET status = (ARRAY['new', 'won', 'lost'])[1 + floor(random() * 3)] WHERE id = 1 + floor(random() * 4);
                WHEN 1 THEN UPDATE leads SET owner = (ARRAY['ann', 'bob', NULL])[1 + floor(random() * 3)] WHERE id = 1 + floor(random() * 4);
                WHEN 2 THEN UPDATE customers SET name = (ARRAY['Acme', 'Acme Ltd'])[1 + floor(random() * 2)] WHERE id = 1 + floor(random() * 2);
                WHEN 3 THEN INSERT INTO leads VALUES (4 + floor(random() * 2), 1 + floor(random() * 2), 'ann', 'new') ON CONFLICT DO NOTHING;
                WHEN 4 THEN DELETE FROM leads WHERE id = 4 + floor(random() * 2);
                ELSE UPDATE leads SET customer_id = 3 - customer_id WHERE id = 1 + floor(random() * 4);
            END CASE;
            IF random() < 0.3 THEN
                RAISE EXCEPTION 'rolled back';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
        FOREACH what IN ARRAY ARRAY['{}', '{"owner": "ann"}', '{"owner": null, "name": "Acme"}'] LOOP
            INSERT INTO seen SELECT what, etag, body FROM freshcrm.conditional_get('live_hot'::regclass, what::jsonb);
        END LOOP;
        INSERT INTO seen SELECT 'query', etag, body FROM freshcrm.conditional_get('SELECT id, name FROM live_hot ORDER BY id');
        INSERT INTO seen SELECT 'request', (request('GET', '/live_hot')).etag, body FROM freshcrm.conditional_get('SELECT id, owner, status, at, score, name FROM live_hot ORDER BY id');
    END LOOP;
END $$;
SELECT count(DISTINCT tag) > 20 AS changes, bool_and(tag ~ '^(W/)?"[0-9a-f]{64}"$') AS tags, count(DISTINCT (what, tag)) = count(DISTINCT (what, body)) AS as_many,
    count(DISTINCT (what, tag)) = count(DISTINCT (what, tag, body)) AS one_to_one FROM seen;
SELECT what FROM seen GROUP BY what HAVING count(DISTINCT tag) < 10;

-- Nothing is counted here, and that is said.
SELECT * FROM freshcrm.conditional_stats;
SELECT freshcrm.count_response('live_hot', '{}', 304);
SET ROLE api_reader;
TABLE freshcrm.conditional_stats;
SELECT freshcrm.count_response('api.live_hot', '{}', 304);
RESET ROLE;
DROP OWNED BY api_reader;
DROP ROLE api_reader;
SET client_min_messages = error;
DROP SCHEMA api, api2 CASCADE;
