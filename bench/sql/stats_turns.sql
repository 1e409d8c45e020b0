-- The times that all ways take in the server, as prepared statements that have been carried out before, as lines of
-- CSV: turn, way, ms. In each turn every way is carried out, one after the other and another one first each time: once
-- to have what it reads at hand, and then as often as fits into 20 milliseconds. So what else the machine does in a turn
-- is the same for all. psql script; variables: first, the number of the first turn, and turns, how many.
\set ON_ERROR_STOP on
SELECT format('PREPARE %I (uuid, timestamptz, timestamptz, uuid[], timestamptz) AS %s', way, statement) FROM bench.ways \gexec
CREATE FUNCTION pg_temp.ms(call text, at_least interval) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz;
  times int := 0;
BEGIN
  EXECUTE call;
  started := clock_timestamp();
  LOOP
    EXECUTE call;
    times := times + 1;
    EXIT WHEN clock_timestamp() >= started + at_least;
  END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - started) * 1000 / times;
END
$$;
CREATE FUNCTION pg_temp.turns(first int, turns int) RETURNS TABLE (turn int, way text, ms float8) LANGUAGE plpgsql AS $$
DECLARE
  ways text[] := ARRAY(SELECT w.way FROM bench.ways AS w ORDER BY w.place);
  arguments text := (SELECT format('(%L, %L, %L, %L, %L)', owner, cutoff_14d, cutoff_7d, leads, at) FROM bench.question);
BEGIN
  -- Until then the server may plan each time.
  FOREACH way IN ARRAY ways LOOP
    FOR i IN 1 .. 6 LOOP
      EXECUTE format('EXECUTE %I %s', way, arguments);
    END LOOP;
  END LOOP;
  FOR t IN first .. first + turns - 1 LOOP
    FOR i IN 1 .. cardinality(ways) LOOP
      turn := t;
      way := ways[1 + (i + t) % cardinality(ways)];
      ms := pg_temp.ms(format('EXECUTE %I %s', way, arguments), '20 ms');
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$$;
\pset format csv
SELECT turn, way, round(ms::numeric, 4) AS ms FROM pg_temp.turns(:first, :turns);
