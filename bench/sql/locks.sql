-- The price of freshcrm's locks in a write of one client, in two ways that know nothing of each other. One line of CSV for
-- each kind of write: kind, locks held after it, µs a lock, µs a write with locks, and without.
--
-- By price: locks of the same class (advisory), taken and given back at the end of the transaction, less the same
-- statement with a function that does nothing. By difference: a transaction that has recomputed more keys than
-- max_locks_per_transaction holds the whole projection and takes no locks on keys and links any more; its writes are
-- timed beside those of one that has recomputed few. (Giving locks back, at the commit, is in the first alone.)
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET synchronous_commit = off;

CREATE PROCEDURE bench.price_of_a_lock(rounds int, INOUT us float8 DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz;
  locked float8[];
  unlocked float8[];
BEGIN
  FOR round IN 1 .. rounds LOOP
    started := clock_timestamp();
    PERFORM count(pg_advisory_xact_lock(15, n)) FROM generate_series(1, 50) AS n;
    COMMIT;
    locked[round] := extract(epoch FROM clock_timestamp() - started) * 1e6;
    started := clock_timestamp();
    PERFORM count(int4pl(15, n)) FROM generate_series(1, 50) AS n;
    COMMIT;
    unlocked[round] := extract(epoch FROM clock_timestamp() - started) * 1e6;
  END LOOP;
  us := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY l - u) / 50 FROM unnest(locked, unlocked) AS t (l, u));
END
$$;

CREATE PROCEDURE bench.write(kind text, lead uuid, value int) LANGUAGE plpgsql AS $$
BEGIN
  IF kind = 'status' THEN
    UPDATE crm.leads SET status = 'stage ' || value, updated_at = now() WHERE id = lead;
  ELSE
    INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (lead, 'call', clock_timestamp());
  END IF;
END
$$;

CREATE FUNCTION bench.time_writes(kind text, round int, leads int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz := clock_timestamp();
BEGIN
  FOR n IN 1 .. 20 LOOP
    CALL bench.write(kind, bench.lead(((round::bigint * 20 + n) * 7919 % leads + 1)::int), round);
  END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - started) * 1e6 / 20;
END
$$;

CREATE PROCEDURE bench.compare(kind text, rounds int, INOUT locked float8 DEFAULT NULL, INOUT unlocked float8 DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
  leads int := (SELECT count(*) FROM crm.leads);
  many int := 2 * current_setting('max_locks_per_transaction')::int;
  times float8[] := '{}';
BEGIN
  FOR round IN 1 .. rounds LOOP
    PERFORM freshcrm.recompute('crm.cockpit_leads_hot', ARRAY(
      SELECT bench.lead(n) FROM generate_series(1, CASE round % 2 WHEN 0 THEN 2 ELSE many END) AS n));
    times := times || bench.time_writes(kind, round, leads);
    COMMIT;
  END LOOP;
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE n % 2 = 0),
         percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE n % 2 = 1)
    INTO locked, unlocked FROM unnest(times) WITH ORDINALITY AS t (us, n);
END
$$;

CREATE PROCEDURE bench.locks_held(kind text, INOUT held int DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
  CALL bench.write(kind, bench.lead(1), -1);
  held := (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory');
  COMMIT;
END
$$;

CALL bench.price_of_a_lock(2000) \gset
CALL bench.locks_held('status') \gset
CALL bench.compare('status', 2000) \gset
SELECT concat_ws(',', 'status', :held, :us, :locked, :unlocked);
CALL bench.locks_held('activity') \gset
CALL bench.compare('activity', 2000) \gset
SELECT concat_ws(',', 'activity', :held, :us, :locked, :unlocked);
DROP PROCEDURE bench.price_of_a_lock, bench.compare, bench.locks_held, bench.write;
DROP FUNCTION bench.time_writes;
