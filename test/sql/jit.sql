-- Functions of freshcrm inlined into JIT-compiled code: the results are the same, and the server lives.
CREATE FUNCTION tags() RETURNS TABLE (row_tag text, tag text, hex text)
LANGUAGE plpgsql AS
$$
BEGIN
    RETURN QUERY EXECUTE 'SELECT freshcrm.row_etag(r), freshcrm.etag(r.n, r.t), freshcrm.sha256_hex(r.t)
        FROM (SELECT g AS n, repeat(''x'', g) AS t FROM generate_series(1, 3) g) r';
END
$$;
SET jit = off;
CREATE TABLE without_jit AS SELECT * FROM tags();
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
CREATE TABLE with_jit AS SELECT * FROM tags();
SELECT count(*) FROM without_jit JOIN with_jit USING (row_tag, tag, hex);
CREATE TABLE things (id integer PRIMARY KEY, name text);
CREATE VIEW names AS SELECT id, upper(name) AS name FROM things;
SELECT freshcrm.create_projection('names', '{id}');
INSERT INTO things VALUES (1, 'one'), (2, 'two');
SELECT id, name FROM names_hot ORDER BY id;
DROP VIEW names CASCADE;
DROP TABLE things, without_jit, with_jit;
DROP FUNCTION tags();
-- An exception thrown in inlined code arrives as an error.
CREATE TABLE rights (who aclitem);
INSERT INTO rights VALUES (makeaclitem(10, 10, 'SELECT', false));
SELECT freshcrm.etag(who) FROM rights;
SELECT freshcrm.row_etag(rights) FROM rights;
DROP TABLE rights;
