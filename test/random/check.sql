-- What the scripts of the random test call, in schema random of their database.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS freshcrm;
CREATE SCHEMA random;

-- Has the tags of collections kept, which verify_projection() compares, too: of the whole table, and by the last two
-- columns that can be scopes.
CREATE FUNCTION random.keep_collections(target regclass) RETURNS void
LANGUAGE plpgsql AS
$$
DECLARE
    scope name;
    kept integer := 0;
BEGIN
    PERFORM freshcrm.create_collection_etag(target, '{}');
    FOR scope IN
        SELECT c FROM freshcrm.projection AS p, unnest(columns) WITH ORDINALITY AS u (c, n)
        WHERE p.target = keep_collections.target ORDER BY n DESC
    LOOP
        EXIT WHEN kept = 2;
        BEGIN
            PERFORM freshcrm.create_collection_etag(target, ARRAY[scope]);
            kept := kept + 1;
        EXCEPTION WHEN feature_not_supported THEN
            NULL;  -- its equal values can differ in their bytes
        END;
    END LOOP;
END
$$;

-- "ok", or SQLSTATE, message and detail on one line.
CREATE FUNCTION random.create_projection(view regclass, key name[], mode text, on_error text) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
    message text;
    detail text;
BEGIN
    PERFORM random.keep_collections(freshcrm.create_projection(view, key, mode => mode, on_error => on_error));
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN replace(format('%s %s: %s', SQLSTATE, message, detail), E'\n', ' ');
END
$$;

-- The rows of one side that the other has not, with the tag that the view's row has and the one that the
-- table holds.
CREATE FUNCTION random.difference_query(view regclass, target regclass) RETURNS text
LANGUAGE sql AS
$$
    SELECT format(
        'WITH v AS MATERIALIZED (SELECT v.*, freshcrm.row_etag(v) AS etag FROM %1$s AS v), '
        't AS MATERIALIZED (SELECT %3$s, version_etag AS etag FROM %2$s) '
        'SELECT ''missing'' AS difference, d.* FROM (TABLE v EXCEPT ALL TABLE t) d UNION ALL '
        'SELECT ''extra'', d.* FROM (TABLE t EXCEPT ALL TABLE v) d',
        view, target, string_agg(quote_ident(attname), ', ' ORDER BY attnum))
    FROM pg_attribute WHERE attrelid = view AND attnum > 0
$$;

-- Has followed what can be: what a transaction has written for mode commit, what is committed for mode async and
-- with on_error stale. False where that fails, as the write would have in mode immediate.
CREATE FUNCTION random.follow() RETURNS boolean
LANGUAGE plpgsql AS
$$
BEGIN
    IF EXISTS (SELECT FROM freshcrm.projection WHERE mode = 'commit') THEN
        BEGIN
            PERFORM freshcrm.flush();
        EXCEPTION WHEN cardinality_violation OR integrity_constraint_violation OR data_exception THEN
            RETURN false;
        END;
    END IF;
    IF pg_current_xact_id_if_assigned() IS NULL AND EXISTS (SELECT FROM freshcrm.queue) THEN
        PERFORM freshcrm.wait_for(target, '30 s') FROM freshcrm.projection;
    END IF;
    RETURN true;
END
$$;

-- Makes random_check() in the current schema: the names of the views that differ from their tables, for
-- all projections there. One function with a static statement a view, so that plans are kept.
CREATE FUNCTION random.make_check() RETURNS void
LANGUAGE plpgsql AS
$$
DECLARE
    p record;
    body text := '';
BEGIN
    FOR p IN SELECT * FROM freshcrm.projection ORDER BY id LOOP
        body := body || format(
            'IF NOT EXISTS (SELECT FROM freshcrm.queue WHERE projection = %s AND error IS NOT NULL)%s THEN '
            'SELECT count(*) INTO n FROM (%s) d; IF n > 0 THEN RETURN NEXT %L; END IF; END IF; ',
            p.id, CASE p.mode WHEN 'async' THEN ' AND NOT in_transaction' ELSE '' END,
            random.difference_query(p.source, p.target), p.source);
    END LOOP;
    EXECUTE format('CREATE OR REPLACE FUNCTION random_check() RETURNS SETOF text LANGUAGE plpgsql AS '
                   '%L', 'DECLARE n bigint; in_transaction boolean := pg_current_xact_id_if_assigned() IS NOT NULL; '
                   'BEGIN IF NOT random.follow() THEN RETURN; END IF; ' || body || 'END');
END
$$;

-- The projections that verify_projection() finds wrong.
CREATE FUNCTION random.verify() RETURNS SETOF text
LANGUAGE sql AS
$$
    SELECT source::text FROM freshcrm.projection AS p
    WHERE NOT EXISTS (SELECT FROM freshcrm.queue AS q WHERE q.projection = p.id AND q.error IS NOT NULL)
      AND EXISTS (SELECT FROM freshcrm.verify_projection(target))
$$;

-- How many rows of projections were written since they were filled.
CREATE FUNCTION random.writes() RETURNS numeric
LANGUAGE sql AS
$$
    SELECT coalesce(sum(pg_stat_get_tuples_inserted(target) + pg_stat_get_tuples_updated(target)
                        + pg_stat_get_tuples_deleted(target)), 0)
    FROM freshcrm.projection
$$;

-- How many keys of the projections that are there were patched, recomputed narrowly, and as whole rows.
CREATE FUNCTION random.applied() RETURNS text
LANGUAGE sql AS
$$
    SELECT concat_ws(' ', coalesce(sum(keys_patched), 0), coalesce(sum(keys_narrow), 0), coalesce(sum(keys_whole_row), 0))
    FROM freshcrm.projections
$$;
