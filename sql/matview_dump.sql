
-- Registered materialized views as dumps have them. A restore may make a view after it has loaded all tables (one that
-- groups by a primary key needs that first), where its name could not be read as a regclass yet.

CREATE TABLE freshcrm.matview_dump (
    name text PRIMARY KEY,
    matview oid NOT NULL,  -- 0: to come
    definition jsonb NOT NULL  -- the rest of the row of freshcrm.matview
);

COMMENT ON TABLE freshcrm.matview_dump IS
'what freshcrm.matview has, by name, so that restored databases keep it; written by triggers only';

SELECT pg_catalog.pg_extension_config_dump('freshcrm.matview_dump', '');

CREATE FUNCTION freshcrm.adopt_matview() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET intervalstyle = 'postgres'
AS $$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        new.matview := coalesce((SELECT c.oid FROM pg_class AS c WHERE c.oid = to_regclass(new.name) AND c.relkind = 'm'), 0);
        RETURN new;
    END IF;
    IF new.matview <> 0 THEN
        INSERT INTO freshcrm.matview
        SELECT r.* FROM jsonb_populate_record(
            NULL::freshcrm.matview, new.definition || jsonb_build_object('matview', new.matview::text)) AS r
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION freshcrm.adopt_matview() IS
'trigger function on freshcrm.matview_dump: registers a materialized view that a restore has made';

CREATE TRIGGER a_find BEFORE INSERT OR UPDATE ON freshcrm.matview_dump
FOR EACH ROW EXECUTE FUNCTION freshcrm.adopt_matview();
ALTER TABLE freshcrm.matview_dump ENABLE ALWAYS TRIGGER a_find;
CREATE TRIGGER b_adopt AFTER INSERT OR UPDATE ON freshcrm.matview_dump
FOR EACH ROW EXECUTE FUNCTION freshcrm.adopt_matview();
ALTER TABLE freshcrm.matview_dump ENABLE ALWAYS TRIGGER b_adopt;

CREATE FUNCTION freshcrm.keep_for_dumps() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET intervalstyle = 'postgres'
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM freshcrm.matview_dump AS d WHERE d.matview = old.matview;
    ELSE
        INSERT INTO freshcrm.matview_dump AS d (name, matview, definition)
        VALUES (new.matview::text, new.matview, to_jsonb(new) - 'matview')
            ON CONFLICT (name) DO UPDATE SET matview = excluded.matview, definition = excluded.definition
            WHERE (d.matview, d.definition) IS DISTINCT FROM (excluded.matview, excluded.definition);
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION freshcrm.keep_for_dumps() IS
'trigger function on freshcrm.matview: keeps freshcrm.matview_dump the same';

CREATE TRIGGER keep_for_dumps AFTER INSERT OR UPDATE OR DELETE ON freshcrm.matview
FOR EACH ROW EXECUTE FUNCTION freshcrm.keep_for_dumps();
ALTER TABLE freshcrm.matview ENABLE ALWAYS TRIGGER keep_for_dumps;

-- Whoever makes or renames a view or a schema: the tables are not his.
CREATE FUNCTION freshcrm.follow_matview_names() RETURNS event_trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TAG = 'CREATE MATERIALIZED VIEW' THEN
        UPDATE freshcrm.matview_dump AS d SET matview = to_regclass(d.name)
         WHERE d.matview = 0 AND to_regclass(d.name) IS NOT NULL;
    ELSE
        UPDATE freshcrm.matview_dump AS d SET name = d.matview::regclass::text
         WHERE d.matview <> 0 AND d.name <> d.matview::regclass::text;
    END IF;
END
$$;

COMMENT ON FUNCTION freshcrm.follow_matview_names() IS
'event trigger function: keeps the names in freshcrm.matview_dump, and registers what a restore has just made';

CREATE EVENT TRIGGER freshcrm_follow_matview_names ON ddl_command_end
WHEN TAG IN ('ALTER MATERIALIZED VIEW', 'ALTER SCHEMA', 'ALTER TABLE', 'CREATE MATERIALIZED VIEW')
EXECUTE FUNCTION freshcrm.follow_matview_names();
ALTER EVENT TRIGGER freshcrm_follow_matview_names ENABLE ALWAYS;

COMMENT ON EVENT TRIGGER freshcrm_follow_matview_names IS
'keeps the names in freshcrm.matview_dump, and registers what a restore has just made';

REVOKE ALL ON FUNCTION
    freshcrm.adopt_matview(), freshcrm.keep_for_dumps(), freshcrm.follow_matview_names()
FROM PUBLIC;
