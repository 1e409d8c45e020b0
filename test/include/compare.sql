-- Compares a projection with its view in both directions, tags included, with nothing of freshcrm but
-- row_etag(): null when they are the same, else what differs.
CREATE FUNCTION difference(projection regclass) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
    view regclass := (SELECT p.source FROM freshcrm.projection p WHERE p.target = difference.projection);
    columns text := (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
                     FROM pg_attribute WHERE attrelid = view AND attnum > 0);
    stored text := (SELECT string_agg(quote_ident(c), ', ' ORDER BY n) FROM freshcrm.projection p,
                    unnest(p.columns) WITH ORDINALITY c (c, n) WHERE p.target = difference.projection);
    missing bigint;
    extra bigint;
    wrong_tags bigint;
BEGIN
    IF view IS NULL THEN
        RETURN format('%s is no projection', projection);
    END IF;
    EXECUTE format('SELECT count(*) FROM (SELECT %1$s FROM %2$s EXCEPT ALL SELECT %4$s FROM %3$s) d',
                   columns, view, projection, stored) INTO missing;
    EXECUTE format('SELECT count(*) FROM (SELECT %4$s FROM %3$s EXCEPT ALL SELECT %1$s FROM %2$s) d',
                   columns, view, projection, stored) INTO extra;
    EXECUTE format('SELECT count(*) FROM %2$s h, LATERAL (SELECT %1$s) v '
                   'WHERE h.version_etag IS DISTINCT FROM freshcrm.row_etag(v)',
                   stored, projection) INTO wrong_tags;
    IF missing + extra + wrong_tags = 0 THEN
        RETURN NULL;
    END IF;
    RETURN format('%s missing, %s extra, %s wrong tags', missing, extra, wrong_tags);
END
$$;
