-- Entity tags: SHA-256 over a canonical form of values, the same whatever the session's settings.

-- Not STRICT: NULL is a value of its own.
CREATE FUNCTION freshcrm.etag(VARIADIC "any") RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_etag';

COMMENT ON FUNCTION freshcrm.etag("any") IS
'entity tag of a list of values: 64 hexadecimal characters that depend on the values, their types and their order, and on no setting';

-- STRICT: where there is no row, there is no tag. A row of NULLs is a row.
CREATE FUNCTION freshcrm.row_etag(record) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_row_etag';

COMMENT ON FUNCTION freshcrm.row_etag(record) IS
'entity tag of a row: that of etag() over its columns';

CREATE FUNCTION freshcrm.sha256_hex(text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_sha256_hex';

COMMENT ON FUNCTION freshcrm.sha256_hex(text) IS
'SHA-256 of the text in UTF-8, as 64 hexadecimal characters';

GRANT EXECUTE ON FUNCTION freshcrm.etag("any"), freshcrm.row_etag(record), freshcrm.sha256_hex(text)
TO PUBLIC;
