-- What is dropped takes its projections along, and writes to what is left go on; the extension leaves ordinary tables.
SET client_min_messages = warning;
CREATE ROLE freshcrm_dropper;
CREATE SCHEMA base;
CREATE SCHEMA views;
CREATE SCHEMA owned AUTHORIZATION freshcrm_dropper;
CREATE TABLE base.a (id integer PRIMARY KEY, x text);
CREATE TABLE base.b (id integer PRIMARY KEY, a_id integer, y text);
GRANT USAGE ON SCHEMA base TO freshcrm_dropper;
GRANT SELECT, TRIGGER ON base.a, base.b TO freshcrm_dropper;
INSERT INTO base.a SELECT g, 'a' || g FROM generate_series(1, 3) g;
INSERT INTO base.b SELECT g, g, 'b' || g FROM generate_series(1, 3) g;

CREATE PROCEDURE make(schema name) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE VIEW %1$I.v AS SELECT a.id, a.x, b.y FROM base.a LEFT JOIN base.b ON b.a_id = a.id', schema);
    EXECUTE format('ALTER VIEW %I.v OWNER TO %I', schema, (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = schema));
    PERFORM freshcrm.create_projection(format('%I.v', schema)::regclass, '{id}');
    EXECUTE format('CREATE VIEW %1$I.over AS SELECT id, x || coalesce(y, '''') AS xy FROM %1$I.v_hot', schema);
    EXECUTE format('ALTER VIEW %I.over OWNER TO %I', schema, (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = schema));
    PERFORM freshcrm.create_projection(format('%I.over', schema)::regclass, '{id}');
END $$;
-- What there is, after writes to what is left of the base tables.
CREATE FUNCTION left_over() RETURNS TABLE (projections text, triggers bigint, differences bigint) LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('base.a') IS NOT NULL THEN
        UPDATE base.a SET x = x || '+';
        INSERT INTO base.a VALUES (9, 'a9');
        DELETE FROM base.a WHERE id = 9;
    END IF;
    UPDATE base.b SET y = y || '+';
    RETURN QUERY SELECT string_agg(p.projection::text, ' ' ORDER BY p.projection::text), (SELECT count(*) FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc),
        (SELECT count(*) FROM freshcrm.projections q, freshcrm.verify_projection(q.projection)) FROM freshcrm.projections p;
END $$;
CALL make('views');
CALL make('owned');
SELECT * FROM left_over();

BEGIN; DROP VIEW views.v; SELECT * FROM left_over(); ROLLBACK;
-- Its table has become an ordinary one.
BEGIN; DROP VIEW views.v; DELETE FROM views.v_hot WHERE id = 1; SELECT id, x FROM views.v_hot ORDER BY id; ROLLBACK;
BEGIN; DROP TABLE views.v_hot; ROLLBACK;
BEGIN; DROP TABLE views.v_hot CASCADE; SELECT * FROM left_over(); ROLLBACK;
BEGIN; DROP TABLE views.over_hot; SELECT * FROM left_over(); ROLLBACK;
BEGIN; DROP TABLE base.a; ROLLBACK;
BEGIN; DROP TABLE base.a CASCADE; SELECT * FROM left_over(); ROLLBACK;
BEGIN; DROP SCHEMA views CASCADE; SELECT * FROM left_over(); ROLLBACK;
BEGIN; DROP SCHEMA base CASCADE; SELECT count(*) FROM freshcrm.projection; ROLLBACK;
BEGIN; DROP OWNED BY freshcrm_dropper; SELECT * FROM left_over(); ROLLBACK;
-- A savepoint brings it back.
BEGIN; SAVEPOINT s; DROP SCHEMA views CASCADE; ROLLBACK TO s; SELECT * FROM left_over(); ROLLBACK;
-- Rights that are taken away stop the writes that it would have to follow.
BEGIN; REVOKE SELECT ON base.b FROM freshcrm_dropper; UPDATE base.b SET y = 'not seen' WHERE id = 1; ROLLBACK;
SELECT * FROM left_over();

-- The extension: it needs CASCADE, for the triggers, and leaves tables with their rows.
\set VERBOSITY terse
DROP EXTENSION freshcrm;
DROP EXTENSION freshcrm CASCADE;
\set VERBOSITY default
SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN ('base.a'::regclass, 'base.b'::regclass, 'views.v_hot'::regclass, 'views.over_hot'::regclass, 'owned.v_hot'::regclass);
CREATE TABLE tags AS SELECT id, version_etag, updated_at FROM views.v_hot;
SELECT id, x, y FROM views.v_hot ORDER BY id;
UPDATE base.a SET x = 'without' WHERE id = 1;
INSERT INTO views.v_hot VALUES (77, 'by hand', NULL, now(), 'none');
DELETE FROM views.v_hot WHERE id = 3;
DROP TABLE owned.over_hot;
CREATE EXTENSION freshcrm;
-- The tables are adopted again: what is right stays as it is.
SELECT freshcrm.create_projection('views.v', '{id}', 'v_hot'), freshcrm.create_projection('views.over', '{id}'), freshcrm.create_projection('owned.v', '{id}');
SELECT h.id, h.x, h.y, h.version_etag = t.version_etag AS same_tag, h.updated_at = t.updated_at AS untouched FROM views.v_hot h LEFT JOIN tags t USING (id) ORDER BY h.id;
SELECT * FROM left_over();

DROP OWNED BY freshcrm_dropper;
DROP SCHEMA base, views CASCADE;
SELECT count(*) FROM freshcrm.projection;
DROP TABLE tags;
DROP PROCEDURE make;
DROP FUNCTION left_over;
DROP ROLE freshcrm_dropper;
