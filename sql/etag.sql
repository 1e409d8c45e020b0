-- Entity tags: SHA-256 over a canonical form of values, the same whatever the session's settings.

-- Not STRICT: NULL is a value of its own.
CREATE FUNCTION freshcrm.etag(VARIADIC "any") RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag';

COMMENT ON FUNCTION freshcrm.etag("any") IS
'entity tag of a list of values: 64 hexadecimal characters that depend on the values, their types and their order, and on no setting';

CREATE FUNCTION freshcrm.row_etag_support(internal) RETURNS internal
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_row_etag_support';

COMMENT ON FUNCTION freshcrm.row_etag_support(internal) IS
'planner support: row_etag() of a row whose columns are at hand is etag() of these';

REVOKE EXECUTE ON FUNCTION freshcrm.row_etag_support(internal) FROM PUBLIC;

-- STRICT: where there is no row, there is no tag. A row of NULLs is a row.
CREATE FUNCTION freshcrm.row_etag(record) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE SUPPORT freshcrm.row_etag_support
AS 'MODULE_PATHNAME', 'freshcrm_row_etag';

COMMENT ON FUNCTION freshcrm.row_etag(record) IS
'entity tag of a row: that of etag() over its columns';

CREATE FUNCTION freshcrm.sha256_hex(text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_sha256_hex';

COMMENT ON FUNCTION freshcrm.sha256_hex(text) IS
'SHA-256 of the text in UTF-8, as 64 hexadecimal characters';

-- Tags of collections of rows. Not STRICT: a NULL among them is an element of its own, and no row at all has
-- a tag, too. The parts are called with the rights of the aggregate's owner.

CREATE FUNCTION freshcrm.etag_agg_add(internal, record) RETURNS internal
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_agg_add';

COMMENT ON FUNCTION freshcrm.etag_agg_add(internal, record) IS 'part of etag_agg: adds a row';

CREATE FUNCTION freshcrm.etag_agg_final(internal) RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_agg_final';

COMMENT ON FUNCTION freshcrm.etag_agg_final(internal) IS 'part of etag_agg: the tag';

-- No combine function: workers would not keep the order.
CREATE AGGREGATE freshcrm.etag_agg(record) (
    SFUNC = freshcrm.etag_agg_add, STYPE = internal, SSPACE = 512,
    FINALFUNC = freshcrm.etag_agg_final, FINALFUNC_MODIFY = READ_ONLY,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.etag_agg(record) IS
'entity tag of a list of rows, of their contents and their order: use it with ORDER BY';

CREATE FUNCTION freshcrm.etag_set_add(internal, record) RETURNS internal
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_add';

COMMENT ON FUNCTION freshcrm.etag_set_add(internal, record) IS 'part of etag_set: adds a row';

CREATE FUNCTION freshcrm.etag_set_remove(internal, record) RETURNS internal
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_remove';

COMMENT ON FUNCTION freshcrm.etag_set_remove(internal, record) IS 'part of etag_set: takes a row away';

CREATE FUNCTION freshcrm.etag_set_add(internal, bytea) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_add_bytea';

COMMENT ON FUNCTION freshcrm.etag_set_add(internal, bytea) IS 'part of etag_set: adds a value';

CREATE FUNCTION freshcrm.etag_set_remove(internal, bytea) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_remove_bytea';

COMMENT ON FUNCTION freshcrm.etag_set_remove(internal, bytea) IS 'part of etag_set: takes a value away';

CREATE FUNCTION freshcrm.etag_set_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_combine';

COMMENT ON FUNCTION freshcrm.etag_set_combine(internal, internal) IS 'part of etag_set: joins two sets';

CREATE FUNCTION freshcrm.etag_set_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_serialize';

COMMENT ON FUNCTION freshcrm.etag_set_serialize(internal) IS 'part of etag_set: a set as 2056 bytes';

CREATE FUNCTION freshcrm.etag_set_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_deserialize';

COMMENT ON FUNCTION freshcrm.etag_set_deserialize(bytea, internal) IS 'part of etag_set: the set of 2056 bytes';

CREATE FUNCTION freshcrm.etag_set_final(internal) RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag_set_final';

COMMENT ON FUNCTION freshcrm.etag_set_final(internal) IS 'part of etag_set: the tag';

CREATE AGGREGATE freshcrm.etag_set(record) (
    SFUNC = freshcrm.etag_set_add, STYPE = internal, SSPACE = 2064,
    FINALFUNC = freshcrm.etag_set_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = freshcrm.etag_set_combine,
    SERIALFUNC = freshcrm.etag_set_serialize, DESERIALFUNC = freshcrm.etag_set_deserialize,
    MSFUNC = freshcrm.etag_set_add, MINVFUNC = freshcrm.etag_set_remove, MSTYPE = internal, MSSPACE = 2064,
    MFINALFUNC = freshcrm.etag_set_final, MFINALFUNC_MODIFY = READ_ONLY,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.etag_set(record) IS
'entity tag of a set of rows, whatever their order; the rows must differ, as rows with a key do';

CREATE AGGREGATE freshcrm.etag_set(bytea) (
    SFUNC = freshcrm.etag_set_add, STYPE = internal, SSPACE = 2064,
    FINALFUNC = freshcrm.etag_set_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = freshcrm.etag_set_combine,
    SERIALFUNC = freshcrm.etag_set_serialize, DESERIALFUNC = freshcrm.etag_set_deserialize,
    MSFUNC = freshcrm.etag_set_add, MINVFUNC = freshcrm.etag_set_remove, MSTYPE = internal, MSSPACE = 2064,
    MFINALFUNC = freshcrm.etag_set_final, MFINALFUNC_MODIFY = READ_ONLY,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.etag_set(bytea) IS
'entity tag of a set of values, whatever their order: that of etag_set(record) over rows of one value';

REVOKE EXECUTE ON FUNCTION
    freshcrm.etag_agg_add(internal, record), freshcrm.etag_agg_final(internal),
    freshcrm.etag_set_add(internal, record), freshcrm.etag_set_remove(internal, record),
    freshcrm.etag_set_add(internal, bytea), freshcrm.etag_set_remove(internal, bytea),
    freshcrm.etag_set_combine(internal, internal), freshcrm.etag_set_serialize(internal),
    freshcrm.etag_set_deserialize(bytea, internal), freshcrm.etag_set_final(internal)
FROM PUBLIC;

GRANT EXECUTE ON FUNCTION freshcrm.etag("any"), freshcrm.row_etag(record), freshcrm.sha256_hex(text),
    freshcrm.etag_agg(record), freshcrm.etag_set(record), freshcrm.etag_set(bytea)
TO PUBLIC;
