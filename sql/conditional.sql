
-- Conditional requests: RFC 9110, section 13.

-- Not STRICT: NULL is a header that was not sent, or a tag that is not known.
CREATE FUNCTION freshcrm.conditional(
    etag text,
    if_none_match text DEFAULT NULL,
    if_match text DEFAULT NULL,
    method text DEFAULT 'GET',
    "exists" boolean DEFAULT true
) RETURNS integer
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_conditional';

COMMENT ON FUNCTION freshcrm.conditional(text, text, text, text, boolean) IS
'status of a request with these headers for what has this tag: 200 to carry it out, 304, or 412; a tag is a version_etag or an entity tag with its quotes';

-- Volatile: it locks, and reads what others have committed meanwhile. Its cost makes a WHERE clause ask for the key
-- by itself first.
CREATE FUNCTION freshcrm.check_match(projection regclass, key "any", if_match text) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'freshcrm_check_match';

COMMENT ON FUNCTION freshcrm.check_match(regclass, "any", text) IS
'locks a row of a projection until the transaction ends and returns its version_etag; raises 412 when If-Match does not name it';

-- ---- Responses.

CREATE FUNCTION freshcrm.raise_response(
    status integer,
    message text,
    details text DEFAULT NULL,
    hint text DEFAULT NULL,
    headers jsonb DEFAULT '{}'
) RETURNS void
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_raise_response';

COMMENT ON FUNCTION freshcrm.raise_response(integer, text, text, text, jsonb) IS
'ends the statement with an HTTP response: an error of SQLSTATE PGRST as PostgREST reads it, or FC and the status (setting freshcrm.http_dialect)';

CREATE FUNCTION freshcrm.header_fields(headers jsonb, OUT name text, OUT value text) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    in_array CONSTANT boolean := jsonb_typeof(headers) = 'array';
    object jsonb;
    member record;
BEGIN
    FOR object IN SELECT e.item FROM jsonb_array_elements(CASE WHEN in_array THEN headers ELSE jsonb_build_array(headers) END) AS e (item) LOOP
        IF jsonb_typeof(object) <> 'object' OR (in_array AND (SELECT count(*) FROM jsonb_object_keys(object)) <> 1) THEN
            RAISE invalid_parameter_value USING
                MESSAGE = 'headers must be a JSON object, or an array of objects of one member each',
                HINT = 'For example {"X-Cache": "HIT"}, or [{"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2"}].';
        END IF;
        FOR member IN SELECT m.key, m.value, m.value #>> '{}' AS text FROM jsonb_each(object) AS m LOOP
            IF member.key COLLATE "C" !~ '^[!#$%&''*+.^_`|~0-9A-Za-z-]+$' THEN
                RAISE invalid_parameter_value USING
                    MESSAGE = format('%s is not the name of a header', to_json(member.key)),
                    HINT = 'Names are of letters, digits and !#$%&''*+-.^_`|~ alone.';
            END IF;
            IF jsonb_typeof(member.value) NOT IN ('string', 'number') OR member.text COLLATE "C" ~ '[\x01-\x08\x0a-\x1f\x7f]' THEN
                RAISE invalid_parameter_value USING
                    MESSAGE = format('the value of header "%s" cannot be sent', member.key),
                    HINT = 'Values are strings or numbers, without line breaks and other control characters.';
            END IF;
            name := member.key;
            value := member.text;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;

COMMENT ON FUNCTION freshcrm.header_fields(jsonb) IS
'the headers of a JSON object, or of an array of objects of one member, one a row; 22023 for what is no header';

CREATE FUNCTION freshcrm.set_http(status integer, headers jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before CONSTANT jsonb := coalesce(nullif(current_setting('response.headers', true), '')::jsonb, '[]');
    merged jsonb;
BEGIN
    IF status NOT BETWEEN 100 AND 599 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the status of a response is from 100 to 599, not %s', status);
    END IF;
    -- A header that is given takes the place of one of its name, but cookies, which come one a header.
    WITH given AS (
        SELECT name, value, lower(name) AS folded, n FROM freshcrm.header_fields(coalesce(headers, '{}')) WITH ORDINALITY AS h (name, value, n)
    ), kept AS (
        SELECT name, value, lower(name) AS folded, n FROM freshcrm.header_fields(before) WITH ORDINALITY AS h (name, value, n)
        WHERE lower(name) = 'set-cookie' OR lower(name) NOT IN (SELECT folded FROM given)
    ), named AS (
        SELECT 1 AS rank, * FROM kept UNION ALL SELECT 2, * FROM given
    ), complete AS (
        SELECT * FROM named
        UNION ALL
        SELECT 3, name, value, lower(name), n
        FROM (VALUES ('Cache-Control', 'private, no-cache', 1), ('Vary', 'Authorization, Accept', 2)) AS d (name, value, n)
        WHERE lower(name) NOT IN (SELECT folded FROM named)
    )
    SELECT jsonb_agg(jsonb_build_object(name, value) ORDER BY rank, n) INTO merged FROM complete;
    IF status IS NOT NULL THEN
        PERFORM set_config('response.status', status::text, true);
    END IF;
    PERFORM set_config('response.headers', merged::text, true);
END $$;

COMMENT ON FUNCTION freshcrm.set_http(integer, jsonb) IS
'sets status (NULL leaves it) and headers of the response of PostgREST, among those that are set already; adds Cache-Control and Vary where they are missing';

-- Volatile, and not in parallel workers, as is all that calls it: it counts. That is no change of the database: it
-- is done in read-only transactions and on standbys, too.
CREATE FUNCTION freshcrm.count_response(projection regclass, scope jsonb, status integer) RETURNS integer
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'freshcrm_count_response';

COMMENT ON FUNCTION freshcrm.count_response(regclass, jsonb, integer) IS
'counts an answer (200, 304 or 412) for freshcrm.conditional_stats, and returns it; for who may read the projection';

CREATE FUNCTION freshcrm.respond(
    etag text,
    projection regclass DEFAULT NULL,
    scope jsonb DEFAULT '{}',
    "exists" boolean DEFAULT true
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sent CONSTANT jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
    status CONSTANT integer := freshcrm.conditional(etag, sent ->> 'if-none-match', sent ->> 'if-match',
        coalesce(nullif(current_setting('request.method', true), ''), 'GET'), "exists");
    headers jsonb := CASE WHEN etag IS NULL THEN '{}' ELSE
        jsonb_build_object('ETag', CASE WHEN etag ~ '^(W/)?"' THEN etag ELSE format('"%s"', etag) END) END;
BEGIN
    IF projection IS NOT NULL THEN
        PERFORM freshcrm.count_response(projection, coalesce(scope, '{}'), status);
    END IF;
    IF status = 200 THEN
        PERFORM freshcrm.set_http(NULL, headers);
        RETURN;
    END IF;
    headers := headers || '{"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}';
    IF status = 304 THEN
        PERFORM freshcrm.raise_response(304, 'not modified', headers => headers);
    END IF;
    PERFORM freshcrm.raise_response(412, 'precondition failed', 'What the request asks for has another tag than it names.',
        'Read it again, and send the tag that it has now.', headers);
END $$;

COMMENT ON FUNCTION freshcrm.respond(text, regclass, jsonb, boolean) IS
'for functions that PostgREST calls: ends the request with 304 or 412 where its headers ask for that, else gives the response this ETag';

-- ---- Pages and requests.

-- What values look like in JSON and CSV beside what they are.
CREATE FUNCTION freshcrm.text_settings() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.concat_ws(' / ', pg_catalog.current_setting('TimeZone'), pg_catalog.current_setting('DateStyle'),
    pg_catalog.current_setting('IntervalStyle'), pg_catalog.current_setting('extra_float_digits'),
    pg_catalog.current_setting('bytea_output'), pg_catalog.current_setting('lc_monetary'));

COMMENT ON FUNCTION freshcrm.text_settings() IS
'the settings of the session on which the text of values depends';

-- A row's tag depends on no names, its JSON does: of the columns, and of the attributes of composite types in them.
CREATE FUNCTION freshcrm.member_names(relation regclass) RETURNS text[]
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_member_names';

COMMENT ON FUNCTION freshcrm.member_names(regclass) IS
'the names in the JSON of a row: of its columns, and of what is in them';

-- Not STRICT: an order or a page may be NULL.
CREATE FUNCTION freshcrm.page_etag(
    projection regclass,
    filter jsonb DEFAULT '{}',
    sort text DEFAULT NULL,
    page text DEFAULT NULL,
    role name DEFAULT current_user,
    scope jsonb DEFAULT '{}'
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF projection IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'argument "projection" must not be NULL';
    END IF;
    IF row_security_active(projection) THEN
        RAISE feature_not_supported USING
            MESSAGE = format('row-level security decides which rows of %s are seen', projection),
            DETAIL = 'Policies may depend on more than the rows and the role, which a tag of the collection does not show.',
            HINT = 'Use freshcrm.conditional_get() of the query, whose tag is that of what it returns.';
    END IF;
    RETURN freshcrm.etag('page'::text, projection::text, freshcrm.collection_etag(projection, coalesce(scope, '{}')),
        freshcrm.member_names(projection), filter, sort, page, role::text, freshcrm.text_settings());
END $$;

COMMENT ON FUNCTION freshcrm.page_etag(regclass, jsonb, text, text, name, jsonb) IS
'tag of a page of a list: of the rows of the projection in scope, and of filter, order, page and role, in whatever words the application has for them';

CREATE FUNCTION freshcrm.requested_projection() RETURNS regclass
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'freshcrm_requested_table';

COMMENT ON FUNCTION freshcrm.requested_projection() IS
'the projection whose rows alone decide how PostgREST will answer the request; else NULL';

CREATE FUNCTION freshcrm.answer_request(projection regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sent CONSTANT jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
    tag text;
BEGIN
    -- Of a media type with a handler of the user's, a plan and a count of the planner there is no tag.
    IF EXISTS (
        SELECT FROM regexp_split_to_table(lower(coalesce(nullif(sent ->> 'accept', ''), '*/*')), ',') AS r (range)
        WHERE btrim(split_part(range, ';', 1)) NOT IN ('*/*', 'application/*', 'application/json', 'text/csv',
            'application/vnd.pgrst.object+json', 'application/vnd.pgrst.array+json',
            'application/vnd.pgrst.object', 'application/vnd.pgrst.array')
    ) OR sent ->> 'prefer' ~* 'count\s*=\s*"?(planned|estimated)' THEN
        RETURN;
    END IF;
    -- A filter may say "today".
    tag := freshcrm.page_etag(projection,
        filter => jsonb_build_object('accept', sent -> 'accept', 'prefer', sent -> 'prefer', 'today', current_date),
        page => concat_ws(' ', sent ->> 'range-unit', sent ->> 'range'));
    -- Weak: updated_at is shown and does not count.
    PERFORM freshcrm.respond(format('W/"%s"', tag), projection);
END $$;

COMMENT ON FUNCTION freshcrm.answer_request(regclass) IS
'what pre_request() does for a request for rows of this projection';

-- Its body has no names left to look up: the search_path stays that of the request, which says where its path leads.
CREATE FUNCTION freshcrm.pre_request() RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT freshcrm.answer_request(freshcrm.requested_projection());
END;

COMMENT ON FUNCTION freshcrm.pre_request() IS
'for db-pre-request of PostgREST: answers GET and HEAD of a projection with 304 or 412 before the query runs, and gives other responses their ETag';

-- ---- Plain SQL.

CREATE FUNCTION freshcrm.scope_condition(projection regclass, scope jsonb) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_scope_condition';

COMMENT ON FUNCTION freshcrm.scope_condition(regclass, jsonb) IS
'a scope as a condition on the table under the alias t';

-- Stable: body and tag are of one snapshot, and nothing can be written. The settings make the body follow from the
-- rows alone.
CREATE FUNCTION freshcrm.conditional_get(
    projection regclass,
    scope jsonb DEFAULT '{}',
    if_none_match text DEFAULT NULL,
    OUT status integer,
    OUT etag text,
    OUT body jsonb
) RETURNS record
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, MDY'
SET IntervalStyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
DECLARE
    condition CONSTANT text := freshcrm.scope_condition(projection, coalesce(scope, '{}'));
    key_columns text;
    tag text;
BEGIN
    IF projection IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'argument "projection" must not be NULL';
    END IF;
    IF NOT has_table_privilege(projection, 'SELECT') THEN
        RAISE insufficient_privilege USING MESSAGE = format('permission denied for table %s', projection);
    END IF;
    SELECT string_agg(format('t.%I', k), ', ' ORDER BY n) INTO key_columns
        FROM freshcrm.projections AS p, unnest(p.key) WITH ORDINALITY AS u (k, n) WHERE p.projection = conditional_get.projection;
    -- Which rows policies let through is known when they have been read.
    IF row_security_active(projection) THEN
        EXECUTE format('SELECT freshcrm.etag(VARIADIC coalesce(array_agg(t.version_etag ORDER BY %s), ''{}'')) FROM ONLY %s AS t WHERE %s',
            key_columns, projection, condition) INTO tag;
    ELSE
        tag := freshcrm.collection_etag(projection, coalesce(scope, '{}'));
    END IF;
    etag := format('"%s"', freshcrm.etag('rows'::text, projection::text, coalesce(scope, '{}'), freshcrm.member_names(projection), tag));
    status := freshcrm.count_response(projection, coalesce(scope, '{}'), freshcrm.conditional(etag, if_none_match));
    IF status = 200 THEN
        EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(t) - ''updated_at'' ORDER BY %s), ''[]'') FROM ONLY %s AS t WHERE %s',
            key_columns, projection, condition) INTO body;
    END IF;
END $$;

COMMENT ON FUNCTION freshcrm.conditional_get(regclass, jsonb, text) IS
'the rows of a projection in a scope as JSON, with their entity tag; status 304 and no body when If-None-Match names it';

-- With the caller's search_path, as the query is the caller's: every name of its own is qualified. The tag is that of
-- the rows as they would be sent, of which 64 bytes each are kept.
CREATE FUNCTION freshcrm.conditional_get(
    query text,
    scope jsonb DEFAULT '{}',
    if_none_match text DEFAULT NULL,
    OUT status integer,
    OUT etag text,
    OUT body jsonb
) RETURNS record
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET transaction_read_only = on
AS $$
DECLARE
    source CONSTANT text := pg_catalog.concat(' FROM (SELECT pg_catalog.to_jsonb(q) AS j FROM (', query,
        E'\n) AS q) AS r WHERE pg_catalog.jsonb_contains(r.j, $1)');
    tag text;
BEGIN
    IF query IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'argument "query" must not be NULL';
    END IF;
    scope := COALESCE(scope, '{}');
    IF pg_catalog.textregexeq(query, '^\s*([[:alnum:]_$]+|"([^"]|"")+")(\.([[:alnum:]_$]+|"([^"]|"")+"))?\s*$') THEN
        SELECT g.status, g.etag, g.body INTO status, etag, body
            FROM freshcrm.conditional_get(query::pg_catalog.regclass, scope, if_none_match) AS g;
        RETURN;
    END IF;
    EXECUTE pg_catalog.concat('SELECT freshcrm.sha256_hex(pg_catalog.string_agg(freshcrm.sha256_hex(r.j::pg_catalog.text), ''''))', source)
        USING scope INTO tag;
    etag := pg_catalog.format('"%s"', freshcrm.etag('query'::pg_catalog.text, tag));
    status := freshcrm.conditional(etag, if_none_match);
    IF pg_catalog.int4eq(status, 200) THEN
        EXECUTE pg_catalog.concat('SELECT COALESCE(pg_catalog.jsonb_agg(r.j), ''[]'')', source) USING scope INTO body;
    END IF;
END $$;

COMMENT ON FUNCTION freshcrm.conditional_get(text, jsonb, text) IS
'the same of a query, which is run as the caller and may only read; or of a projection whose name is given as text';

-- ---- Counters.

CREATE FUNCTION freshcrm.response_counts(
    OUT projection regclass,
    OUT scope text,
    OUT not_modified bigint,
    OUT ok bigint,
    OUT precondition_failed bigint
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'freshcrm_response_counts';

COMMENT ON FUNCTION freshcrm.response_counts() IS
'how requests were answered since the server started, as freshcrm.conditional_stats shows it';

CREATE FUNCTION freshcrm.counts_responses() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_counts_responses';

COMMENT ON FUNCTION freshcrm.counts_responses() IS
'whether answers are counted: freshcrm is in shared_preload_libraries';

CREATE VIEW freshcrm.conditional_stats AS
SELECT
    c.projection,
    c.scope,
    c.not_modified,
    c.ok,
    c.precondition_failed,
    pg_catalog.round(c.not_modified / nullif(c.not_modified + c.ok, 0)::numeric, 4) AS hit_ratio,
    CASE WHEN c.projection IS NULL
        THEN 'There are more projections and scopes than counters: these are all others, of all databases.' END AS note
FROM freshcrm.response_counts() AS c
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL,
    'Nothing is counted: shared_preload_libraries does not name freshcrm.'
WHERE NOT freshcrm.counts_responses();

COMMENT ON VIEW freshcrm.conditional_stats IS
'how conditional requests were answered since the server started, for each projection and scope: 304, 200 and 412, and the part of reads that were 304';

GRANT EXECUTE ON FUNCTION
    freshcrm.conditional(text, text, text, text, boolean),
    freshcrm.check_match(regclass, "any", text),
    freshcrm.raise_response(integer, text, text, text, jsonb),
    freshcrm.header_fields(jsonb),
    freshcrm.set_http(integer, jsonb),
    freshcrm.count_response(regclass, jsonb, integer),
    freshcrm.respond(text, regclass, jsonb, boolean),
    freshcrm.text_settings(),
    freshcrm.member_names(regclass),
    freshcrm.page_etag(regclass, jsonb, text, text, name, jsonb),
    freshcrm.requested_projection(),
    freshcrm.answer_request(regclass),
    freshcrm.pre_request(),
    freshcrm.scope_condition(regclass, jsonb),
    freshcrm.conditional_get(regclass, jsonb, text),
    freshcrm.conditional_get(text, jsonb, text)
TO PUBLIC;
-- Scopes name people.
REVOKE ALL ON FUNCTION freshcrm.response_counts(), freshcrm.counts_responses() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION freshcrm.response_counts(), freshcrm.counts_responses() TO pg_monitor;
GRANT SELECT ON freshcrm.conditional_stats TO pg_monitor;
