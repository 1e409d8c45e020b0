
-- What a materialized view is made of. Stable: they read catalogs and settings.
CREATE FUNCTION freshcrm.matview_sources(
    matview regclass,
    OUT sources oid[],
    OUT never_skipped text,
    OUT definition bytea
) RETURNS record
LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'freshcrm_matview_sources';

COMMENT ON FUNCTION freshcrm.matview_sources(regclass) IS
'internal: the tables whose changes can change a materialized view (partitions and children, too), why it must be refreshed each time, if so, and a digest of all else that its rows depend on';

CREATE FUNCTION freshcrm.explain_refresh(
    matview regclass,
    OUT source regclass,
    OUT kind text,
    OUT watched boolean,
    OUT problem text
) RETURNS SETOF record
LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'freshcrm_explain_refresh';

COMMENT ON FUNCTION freshcrm.explain_refresh(regclass) IS
'the tables and materialized views that a materialized view is made of, through the views between, and whether their changes are recorded, so that a refresh can be skipped';

CREATE FUNCTION freshcrm.refresh_lints(
    matview regclass,
    OUT lint text,
    OUT message text,
    OUT hint text
) RETURNS SETOF record
LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'freshcrm_refresh_lints';

COMMENT ON FUNCTION freshcrm.refresh_lints(regclass) IS
'what makes refreshes of a materialized view slower, more frequent or more public than they need be, and what to do about it: no_unique_index, not_populated, never_skipped, row_security, not_watched';

REVOKE EXECUTE ON FUNCTION freshcrm.matview_sources(regclass), freshcrm.explain_refresh(regclass),
    freshcrm.refresh_lints(regclass) FROM PUBLIC;
