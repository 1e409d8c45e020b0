
-- When a schedule is due. The fields are those of cron: minute (0-59), hour (0-23), day of the month (1-31), month
-- (1-12, jan-dec), day of the week (0-7, sun-sat; 0 and 7 are Sunday), each *, a value, a range a-b, either with a step
-- (*/n, a-b/n), or a list of these. Where neither field of days begins with * a day is one of either, else one of both.
-- @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually stand for what they say.
--
-- Where the clocks of the zone are changed, by less than three hours:
-- * a schedule of fixed times (neither minute nor hour begins with *) that falls into a time which clocks skip is due
--   as soon as they have skipped it, once; one that falls into a time which clocks show twice is due the first time;
-- * any other is due whenever clocks show its time: not in a time that they skip, twice in one that they show twice.
-- Larger changes are changes of the calendar, by which a time may be missing or be there twice.
CREATE FUNCTION freshcrm.next_runs(cron text, timezone text DEFAULT NULL, n integer DEFAULT 10,
                                   after timestamptz DEFAULT now())
RETURNS SETOF timestamptz
LANGUAGE C STABLE PARALLEL SAFE ROWS 10
AS 'MODULE_PATHNAME', 'freshcrm_next_runs';

COMMENT ON FUNCTION freshcrm.next_runs(text, text, integer, timestamptz) IS
'the first n times after a time at which a schedule of cron is due, by the clocks of a time zone (NULL: the session''s)';

GRANT EXECUTE ON FUNCTION freshcrm.next_runs(text, text, integer, timestamptz) TO PUBLIC;
