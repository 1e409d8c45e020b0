-- The time that one way takes in the server, as a prepared statement that has been carried out before, ms: the mean of
-- as many times as fit into a quarter of a second, at least three. psql script; variable: way.
\set ON_ERROR_STOP on
SELECT format('PREPARE way (uuid, timestamptz, timestamptz, uuid[], timestamptz) AS %s', statement) FROM bench.ways WHERE way = :'way' \gexec
CREATE FUNCTION pg_temp.ms() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  call text := (SELECT format('EXECUTE way (%L, %L, %L, %L, %L)', owner, cutoff_14d, cutoff_7d, leads, at) FROM bench.question);
  started timestamptz;
  times int := 0;
BEGIN
  -- Until then the server may plan each time.
  FOR i IN 1 .. 6 LOOP
    EXECUTE call;
  END LOOP;
  started := clock_timestamp();
  WHILE times < 3 OR clock_timestamp() < started + interval '250 ms' LOOP
    EXECUTE call;
    times := times + 1;
  END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - started) * 1000 / times;
END
$$;
SELECT pg_temp.ms();
