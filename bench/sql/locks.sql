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

-- `n` counts the writes.
CREATE PROCEDURE bench.write(kind text, n int, leads int, fours int) LANGUAGE plpgsql AS $$
DECLARE
  lead uuid := bench.lead((n::bigint * 7919 % leads + 1)::int);
BEGIN
  IF kind = 'status' THEN
    UPDATE crm.leads SET status = 'stage ' || n, updated_at = now() WHERE id = lead;
  ELSIF kind = 'activity' THEN
    INSERT INTO crm.activities (lead_id, kind, created_at) VALUES (lead, 'call', clock_timestamp());
  ELSE  -- of one with four leads
    UPDATE crm.customers SET name = 'Customer ' || n, updated_at = now()
     WHERE id = bench.customer(2 + n % fours);
  END IF;
END
$$;

CREATE FUNCTION bench.time_writes(kind text, round int, leads int, fours int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz := clock_timestamp();
BEGIN
  FOR n IN 1 .. 20 LOOP
    CALL bench.write(kind, round * 20 + n, leads, fours);
  END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - started) * 1e6 / 20;
END
$$;

CREATE PROCEDURE bench.compare(kind text, rounds int, INOUT locked float8 DEFAULT NULL, INOUT unlocked float8 DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
  leads int := (SELECT count(*) FROM crm.leads);
  fours int := (SELECT count(*) / 5 FROM crm.customers);
  many uuid[] := ARRAY(SELECT bench.lead(n)
                         FROM generate_series(1, 2 * current_setting('max_locks_per_transaction')::int) AS n);
  times float8[] := '{}';
BEGIN
  FOR round IN 1 .. rounds LOOP
    PERFORM freshcrm.recompute('crm.cockpit_leads_hot', many);
    IF round % 2 = 0 THEN  -- and forgets that lock
      COMMIT;
      PERFORM freshcrm.recompute('crm.cockpit_leads_hot', many[1:2]);
    END IF;
    times := times || bench.time_writes(kind, round, leads, fours);
    COMMIT;
  END LOOP;
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE n % 2 = 0),
         percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE n % 2 = 1)
    INTO locked, unlocked FROM unnest(times) WITH ORDINALITY AS t (us, n);
END
$$;

CREATE PROCEDURE bench.locks_held(kind text, INOUT held int DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
  CALL bench.write(kind, 1, 1000, 100);
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
CALL bench.locks_held('rename') \gset
CALL bench.compare('rename', 1000) \gset
SELECT concat_ws(',', 'rename', :held, :us, :locked, :unlocked);
DROP PROCEDURE bench.price_of_a_lock, bench.compare, bench.locks_held, bench.write;
DROP FUNCTION bench.time_writes;
