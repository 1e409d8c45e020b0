-- Statistics of the events of a lead. The same in both aggregates:
--
-- * A direction is inbound, outbound or, when it is anything else or NULL, other. Small and capital letters of ASCII
--   are the same, here as in channels and statuses.
-- * The window of a cutoff holds the events with created_at >= cutoff. So infinity is in every window, -infinity in
--   that of the cutoff -infinity alone, and an event whose time is NULL in none; it counts in totals. A cutoff that is
--   NULL is an empty window. Cutoffs that differ among the rows of a group: SQLSTATE 22023.
-- * Totals, channels, first and last times are those of all rows, whatever the windows; infinity can be a time.
-- * channels says how many different ones there are. All that are not known are one, "other"; NULL is none.

CREATE TYPE freshcrm.lead_event_stats AS (
    total_events bigint,  -- other directions, too
    inbound_total bigint,
    outbound_total bigint,
    inbound_14d bigint,
    outbound_14d bigint,
    inbound_7d bigint,
    outbound_7d bigint,
    last_inbound_at timestamptz,
    last_outbound_at timestamptz,
    channels int
);

COMMENT ON TYPE freshcrm.lead_event_stats IS
'what lead_event_stats() says of the events of a lead, in two windows';

-- None of the transition functions is STRICT: a NULL counts. The parts are called with the rights of the aggregate's
-- owner.

CREATE FUNCTION freshcrm.lead_event_stats_add(internal, text, text, timestamptz, timestamptz, timestamptz)
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_add';

COMMENT ON FUNCTION freshcrm.lead_event_stats_add(internal, text, text, timestamptz, timestamptz, timestamptz) IS
'part of lead_event_stats: adds an event';

CREATE FUNCTION freshcrm.lead_event_stats_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_combine';

COMMENT ON FUNCTION freshcrm.lead_event_stats_combine(internal, internal) IS
'part of lead_event_stats: joins the events of two states';

CREATE FUNCTION freshcrm.lead_event_stats_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_serialize';

COMMENT ON FUNCTION freshcrm.lead_event_stats_serialize(internal) IS 'part of lead_event_stats: a state as bytes';

CREATE FUNCTION freshcrm.lead_event_stats_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_deserialize';

COMMENT ON FUNCTION freshcrm.lead_event_stats_deserialize(bytea, internal) IS
'part of lead_event_stats: the state of these bytes';

CREATE FUNCTION freshcrm.lead_event_stats_final(internal) RETURNS freshcrm.lead_event_stats
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_final';

COMMENT ON FUNCTION freshcrm.lead_event_stats_final(internal) IS 'part of lead_event_stats: the result';

CREATE AGGREGATE freshcrm.lead_event_stats(
    direction text, channel text, created_at timestamptz, cutoff_14d timestamptz, cutoff_7d timestamptz
) (
    SFUNC = freshcrm.lead_event_stats_add, STYPE = internal, SSPACE = 176,
    FINALFUNC = freshcrm.lead_event_stats_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = freshcrm.lead_event_stats_combine,
    SERIALFUNC = freshcrm.lead_event_stats_serialize, DESERIALFUNC = freshcrm.lead_event_stats_deserialize,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.lead_event_stats(text, text, timestamptz, timestamptz, timestamptz) IS
'counts of events by direction in all and in two windows, last times and channels: the columns of calculate_lead_event_stats()';

-- What (stats).attribute says, in less time, for functions that take many rows apart.
CREATE FUNCTION freshcrm.lead_event_stats_count(stats freshcrm.lead_event_stats, attribute int) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_count';

COMMENT ON FUNCTION freshcrm.lead_event_stats_count(freshcrm.lead_event_stats, int) IS
'the attribute of that number, 1 to 7, which is a count';

CREATE FUNCTION freshcrm.lead_event_stats_time(stats freshcrm.lead_event_stats, attribute int) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_time';

COMMENT ON FUNCTION freshcrm.lead_event_stats_time(freshcrm.lead_event_stats, int) IS
'the attribute of that number, 8 or 9, which is a time';

CREATE FUNCTION freshcrm.lead_event_stats_channels(stats freshcrm.lead_event_stats) RETURNS int
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_lead_event_stats_channels';

COMMENT ON FUNCTION freshcrm.lead_event_stats_channels(freshcrm.lead_event_stats) IS
'the attribute channels';

CREATE TYPE freshcrm.event_statistics AS (
    total_events bigint,
    inbound_total bigint,
    outbound_total bigint,
    other_total bigint,
    inbound bigint[],  -- one element a cutoff, in the order of the cutoffs
    outbound bigint[],
    other bigint[],
    first_event_at timestamptz,
    last_event_at timestamptz,
    last_inbound_at timestamptz,
    last_outbound_at timestamptz,
    channels int,
    other_channel_events bigint,  -- of a channel that is not known, or that is "other"
    failed_total bigint,  -- of a status that is failed, bounced, undelivered or rejected
    reply_count bigint,
    reply_delay_median interval,  -- NULL without replies; as percentile_cont(0.5) of the delays
    reply_delay_mean interval  -- rounded to the nearest microsecond, half up
);

COMMENT ON TYPE freshcrm.event_statistics IS
'what event_stats() says of events, in any number of windows';

CREATE FUNCTION freshcrm.event_stats_add(internal, text, text, text, timestamptz, timestamptz[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_stats_add';

COMMENT ON FUNCTION freshcrm.event_stats_add(internal, text, text, text, timestamptz, timestamptz[]) IS
'part of event_stats: adds an event';

CREATE FUNCTION freshcrm.event_stats_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_stats_combine';

COMMENT ON FUNCTION freshcrm.event_stats_combine(internal, internal) IS
'part of event_stats: joins the events of two states';

CREATE FUNCTION freshcrm.event_stats_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_stats_serialize';

COMMENT ON FUNCTION freshcrm.event_stats_serialize(internal) IS 'part of event_stats: a state as bytes';

CREATE FUNCTION freshcrm.event_stats_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_stats_deserialize';

COMMENT ON FUNCTION freshcrm.event_stats_deserialize(bytea, internal) IS 'part of event_stats: the state of these bytes';

CREATE FUNCTION freshcrm.event_stats_final(internal) RETURNS freshcrm.event_statistics
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_event_stats_final';

COMMENT ON FUNCTION freshcrm.event_stats_final(internal) IS 'part of event_stats: the result';

-- With cutoffs as arguments or, with VARIADIC, as an array, which may be empty or NULL: then there are no windows, as
-- there are none where there are no rows. More than 1000 cutoffs: SQLSTATE 54000.
--
-- A reply is an inbound event that comes right after an outbound one; its delay runs from that one. So the last of
-- several outbound events is the one that is answered, and the first of several inbound ones is the answer. Of events
-- of the same time inbound ones come first. Outbound events that failed, other directions, and events whose time is
-- NULL or infinite take no part. So that the memory for a group has a bound, only the latest 4096 of those that take
-- part are looked at, which the order of rows and the division of work among processes have no influence on.
CREATE AGGREGATE freshcrm.event_stats(
    direction text, channel text, status text, created_at timestamptz, VARIADIC cutoffs timestamptz[]
) (
    SFUNC = freshcrm.event_stats_add, STYPE = internal, SSPACE = 512,
    FINALFUNC = freshcrm.event_stats_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = freshcrm.event_stats_combine,
    SERIALFUNC = freshcrm.event_stats_serialize, DESERIALFUNC = freshcrm.event_stats_deserialize,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE freshcrm.event_stats(text, text, text, timestamptz, timestamptz[]) IS
'counts of events by direction in all and in any number of windows, first and last times, channels, failures, and how fast replies come';

REVOKE EXECUTE ON FUNCTION
    freshcrm.lead_event_stats_add(internal, text, text, timestamptz, timestamptz, timestamptz),
    freshcrm.lead_event_stats_combine(internal, internal), freshcrm.lead_event_stats_serialize(internal),
    freshcrm.lead_event_stats_deserialize(bytea, internal), freshcrm.lead_event_stats_final(internal),
    freshcrm.event_stats_add(internal, text, text, text, timestamptz, timestamptz[]),
    freshcrm.event_stats_combine(internal, internal), freshcrm.event_stats_serialize(internal),
    freshcrm.event_stats_deserialize(bytea, internal), freshcrm.event_stats_final(internal)
FROM PUBLIC;

GRANT EXECUTE ON FUNCTION
    freshcrm.lead_event_stats(text, text, timestamptz, timestamptz, timestamptz),
    freshcrm.event_stats(text, text, text, timestamptz, timestamptz[]),
    freshcrm.lead_event_stats_count(freshcrm.lead_event_stats, int),
    freshcrm.lead_event_stats_time(freshcrm.lead_event_stats, int),
    freshcrm.lead_event_stats_channels(freshcrm.lead_event_stats)
TO PUBLIC;
