-- Collections: the tag of a list of rows of a projection, without reading the list.

-- STABLE: it says what the statement's snapshot sees. Restricted, since it runs a query where the tag is not kept.
CREATE FUNCTION freshcrm.collection_etag(projection regclass, scope jsonb DEFAULT '{}') RETURNS text
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'freshcrm_collection_etag';

COMMENT ON FUNCTION freshcrm.collection_etag(regclass, jsonb) IS
'entity tag of the rows of a projection that have these values ({"column": value, …}; null: IS NULL; {}: all rows): 64 hexadecimal characters that change when one of them does, comes or goes';

-- It tells no more than SELECT on the table does, which it demands.
GRANT EXECUTE ON FUNCTION freshcrm.collection_etag(regclass, jsonb) TO PUBLIC;
