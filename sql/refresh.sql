
-- Refresh of materialized views: which ones, what is known of them, and what became of each refresh.

CREATE TABLE freshcrm.matview (
    matview regclass PRIMARY KEY,
    cron text,  -- NULL: refreshed when it is too stale, or by hand
    timezone text NOT NULL,
    job_name text NOT NULL UNIQUE,
    max_staleness interval,
    jitter interval NOT NULL DEFAULT '0',
    mode text NOT NULL DEFAULT 'auto' CHECK (mode IN ('auto', 'concurrently', 'plain')),
    statement_timeout interval,  -- NULL: none
    lock_timeout interval NOT NULL DEFAULT '10 s',
    max_attempts integer NOT NULL DEFAULT 10 CHECK (max_attempts > 0),
    refreshers name[] NOT NULL DEFAULT '{}',  -- roles that may refresh it beside its owner; public is everybody
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

COMMENT ON TABLE freshcrm.matview IS
'the registered materialized views and their schedules; restored databases keep them (freshcrm.matview_dump); change it with the functions only';

-- True of this server alone, so it is not dumped: a restored database knows nothing of its views.
CREATE TABLE freshcrm.matview_state (
    matview oid PRIMARY KEY,
    -- Of the last refresh, for the question whether another would change anything: the cluster, the snapshot before
    -- what it read (NULL: not known), the digest of the definition, and the relations read.
    system bigint,
    seen pg_snapshot,
    definition bytea,
    sources oid[],
    refreshed_at timestamptz,
    checked_at timestamptz,  -- refreshed, or found unchanged
    rows bigint,
    -- Of the schedule. NULL: the next tick is to find it out.
    next_due timestamptz,
    failures integer NOT NULL DEFAULT 0,  -- in a row
    given_up boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE freshcrm.matview_state IS
'what is known of the content of registered materialized views, and when they are due';

CREATE TABLE freshcrm.refresh_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    matview oid NOT NULL,
    name text NOT NULL,  -- as it was then
    status text NOT NULL CHECK (
        status IN ('running', 'refreshed', 'unchanged', 'failed', 'skipped', 'interrupted')
    ),
    trigger text NOT NULL CHECK (trigger IN ('schedule', 'retry', 'staleness', 'call', 'statement')),
    mode text,
    due_at timestamptz,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    rows_inserted bigint,
    rows_updated bigint,
    rows_deleted bigint,
    sqlstate text,
    error text,
    pid integer
);
CREATE INDEX refresh_history_matview ON freshcrm.refresh_history (matview, id);

COMMENT ON TABLE freshcrm.refresh_history IS
'the refreshes of registered materialized views: by schedule, for another try, since a view was too stale, by a call of refresh(), or by a statement REFRESH';

-- Whoever calls it: it knows by itself who may.
CREATE FUNCTION freshcrm.refresh(
    matview regclass,
    mode text DEFAULT 'auto',
    OUT status text,
    OUT mode text,
    OUT rows_inserted bigint,
    OUT rows_updated bigint,
    OUT rows_deleted bigint,
    OUT milliseconds double precision
) RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_refresh';

COMMENT ON FUNCTION freshcrm.refresh(regclass, text) IS
'refreshes a registered materialized view, for its owner and the roles that grant_refresh() names: auto leaves alone what no change can be seen of, and takes concurrently where that is possible; says refreshed, unchanged, running (by somebody else) or failed';

CREATE FUNCTION freshcrm.refresh_run(
    matview oid,
    history bigint,
    OUT status text,
    OUT mode text,
    OUT rows_inserted bigint,
    OUT rows_updated bigint,
    OUT rows_deleted bigint,
    OUT milliseconds double precision
) RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_refresh_run';

COMMENT ON FUNCTION freshcrm.refresh_run(oid, bigint) IS
'refreshes a registered materialized view as it is scheduled, and completes the row of freshcrm.refresh_history that says it is running';

CREATE FUNCTION freshcrm.grant_refresh(matview regclass, grantee name) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_grant_refresh';

COMMENT ON FUNCTION freshcrm.grant_refresh(regclass, name) IS
'lets a role, or everybody (public), refresh a registered materialized view by freshcrm.refresh(); for its owner';

CREATE FUNCTION freshcrm.revoke_refresh(matview regclass, grantee name) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_revoke_refresh';

COMMENT ON FUNCTION freshcrm.revoke_refresh(regclass, name) IS
'takes back what grant_refresh() gave';

CREATE FUNCTION freshcrm.follow_refresh() RETURNS event_trigger
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'freshcrm_follow_refresh';

COMMENT ON FUNCTION freshcrm.follow_refresh() IS
'event trigger function: takes note of a REFRESH MATERIALIZED VIEW that is not one of freshcrm.refresh()';

CREATE EVENT TRIGGER freshcrm_follow_refresh ON ddl_command_end
WHEN TAG IN ('REFRESH MATERIALIZED VIEW')
EXECUTE FUNCTION freshcrm.follow_refresh();
ALTER EVENT TRIGGER freshcrm_follow_refresh ENABLE ALWAYS;

COMMENT ON EVENT TRIGGER freshcrm_follow_refresh IS
'takes note of a REFRESH MATERIALIZED VIEW that is not one of freshcrm.refresh()';

CREATE FUNCTION freshcrm.forget_dropped_matviews() RETURNS event_trigger
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'freshcrm_forget_dropped_matviews';

COMMENT ON FUNCTION freshcrm.forget_dropped_matviews() IS
'event trigger function: removes what is known of materialized views that have been dropped';

CREATE EVENT TRIGGER freshcrm_forget_dropped_matviews ON sql_drop
EXECUTE FUNCTION freshcrm.forget_dropped_matviews();
ALTER EVENT TRIGGER freshcrm_forget_dropped_matviews ENABLE ALWAYS;

COMMENT ON EVENT TRIGGER freshcrm_forget_dropped_matviews IS
'removes what is known of materialized views that have been dropped';

REVOKE ALL ON FUNCTION
    freshcrm.refresh_run(oid, bigint),
    freshcrm.follow_refresh(),
    freshcrm.forget_dropped_matviews()
FROM PUBLIC;
