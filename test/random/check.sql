-- What the scripts of the random test call, in schema random of their database.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS freshcrm;
CREATE SCHEMA random;

-- "ok", or SQLSTATE, message and detail on one line.
CREATE FUNCTION random.create_projection(view regclass, key name[]) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
    message text;
    detail text;
BEGIN
    PERFORM freshcrm.create_projection(view, key);
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

-- Makes random_check() in the current schema: the names of the views that differ from their tables, for
-- all projections there. One function with a static statement a view, so that plans are kept.
CREATE FUNCTION random.make_check() RETURNS void
LANGUAGE plpgsql AS
$$
DECLARE
    p record;
    body text := '';
BEGIN
    FOR p IN SELECT source, target FROM freshcrm.projection ORDER BY id LOOP
        body := body || format('SELECT count(*) INTO n FROM (%s) d; IF n > 0 THEN RETURN NEXT %L; END IF; ',
                               random.difference_query(p.source, p.target), p.source);
    END LOOP;
    EXECUTE format('CREATE OR REPLACE FUNCTION random_check() RETURNS SETOF text LANGUAGE plpgsql AS '
                   '%L', 'DECLARE n bigint; BEGIN ' || body || 'END');
END
$$;

-- The projections that verify_projection() finds wrong.
CREATE FUNCTION random.verify() RETURNS SETOF text
LANGUAGE sql AS
$$
    SELECT source::text FROM freshcrm.projection WHERE EXISTS (SELECT FROM freshcrm.verify_projection(target))
$$;

-- How many rows of projections were written since they were filled.
CREATE FUNCTION random.writes() RETURNS numeric
LANGUAGE sql AS
$$
    SELECT coalesce(sum(pg_stat_get_tuples_inserted(target) + pg_stat_get_tuples_updated(target)
                        + pg_stat_get_tuples_deleted(target)), 0)
    FROM freshcrm.projection
$$;
