-- What projections follow after the transaction that made the changes: mode async, and on_error stale.

CREATE TABLE freshcrm.queue (
    projection integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    source regclass,  -- the table that changed; NULL: of keys that could not be recomputed
    xact xid8,  -- which transaction made the changes; NULL: several
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What the content means: src/projection/packed.hpp.
    shape bigint NOT NULL,
    everything boolean NOT NULL,
    null_key boolean NOT NULL,
    new_rows boolean NOT NULL,
    new_links boolean NOT NULL,
    changes integer NOT NULL,  -- how many values the content has
    content bytea,
    attempts integer NOT NULL DEFAULT 0,
    attempted_at timestamptz,
    retry_at timestamptz,
    error text,
    PRIMARY KEY (projection, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX queue_failed ON freshcrm.queue (projection, retry_at) WHERE error IS NOT NULL;

COMMENT ON TABLE freshcrm.queue IS
'changes that projections have still to follow, until they have: written by triggers, read by the worker and by drain()';

-- Not logged: after a crash there is no worker.
CREATE UNLOGGED TABLE freshcrm.worker (
    pid integer,
    next_start timestamptz
);

COMMENT ON TABLE freshcrm.worker IS
'the background worker of this database, and when the next one starts to try again what failed';

CREATE FUNCTION freshcrm.retry_delay(attempts integer) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN least(pg_catalog.power(2, least(attempts, 10) - 1), 60) * interval '1 second';

COMMENT ON FUNCTION freshcrm.retry_delay(integer) IS
'how long what has failed so often waits: 1, 2, 4 ... seconds, at most a minute';

CREATE PROCEDURE freshcrm.drain(projection regclass DEFAULT NULL)
LANGUAGE C
AS 'MODULE_PATHNAME', 'freshcrm_drain';

COMMENT ON PROCEDURE freshcrm.drain(regclass) IS
'follows what is queued for projections (mode async, on_error stale), as the background worker does, and tries what failed again';

CREATE FUNCTION freshcrm.wait_for(projection regclass, timeout interval DEFAULT '5 seconds') RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_wait_for';

COMMENT ON FUNCTION freshcrm.wait_for(regclass, interval) IS
'waits until a projection of mode async shows what was committed before; false when it does not by the end of the timeout';

REVOKE ALL ON PROCEDURE freshcrm.drain(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION freshcrm.retry_delay(integer) FROM PUBLIC;
