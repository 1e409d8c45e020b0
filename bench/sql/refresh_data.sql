-- What `make bench-refresh` measures, over the generated CRM. psql script.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

-- The large view (the hot table was a projection before, see variants/matview.sql), and one beside it that is tiny.
CREATE MATERIALIZED VIEW crm.some_customers AS SELECT id, name FROM crm.customers ORDER BY id LIMIT 10;
CREATE UNIQUE INDEX ON crm.some_customers (id);
SELECT freshcrm.schedule(c, '0 3 1 1 *') FROM unnest('{crm.cockpit_leads_hot,crm.some_customers}'::regclass[]) AS c \g /dev/null
-- In a later transaction, so that it is known what they have seen.
SELECT freshcrm.refresh('crm.some_customers') \g /dev/null

-- One in a hundred leads gets another status.
CREATE PROCEDURE bench.change_some(round int, lead_count int) LANGUAGE sql AS $$
    UPDATE crm.leads SET status = 'round ' || round, updated_at = now()
     WHERE id IN (SELECT bench.lead(n) FROM generate_series(1 + round % 100, lead_count, 100) AS n)
$$;

-- A copy of the leads for each variant of the writes, with room for updates, and with a view of one lead, which costs next
-- to nothing to refresh.
CREATE TABLE bench.variants (place int, variant text PRIMARY KEY, what text);
INSERT INTO bench.variants VALUES
  (1, 'unwatched', 'not watched'), (2, 'watched', 'watched, changed before'),
  (3, 'refreshed', 'watched, view refreshed every second'), (4, 'handmade', 'trigger that counts in a row');
SELECT format('CREATE SCHEMA %1$I', variant), format('CREATE TABLE %1$I.leads (LIKE crm.leads INCLUDING ALL) WITH (fillfactor = 80)', variant),
       format('INSERT INTO %1$I.leads TABLE crm.leads', variant),
       format('CREATE MATERIALIZED VIEW %1$I.one_lead AS SELECT id, status FROM %1$I.leads WHERE id = %2$L', variant, bench.lead(1)),
       format('CREATE UNIQUE INDEX ON %1$I.one_lead (id)', variant)
  FROM bench.variants ORDER BY place \gexec
SELECT freshcrm.schedule(c, '0 3 1 1 *') FROM unnest('{watched.one_lead,refreshed.one_lead}'::regclass[]) AS c \g /dev/null

-- What one would write without freshcrm.
CREATE TABLE handmade.change_counter (relation oid PRIMARY KEY, changes bigint NOT NULL);
CREATE FUNCTION handmade.count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO handmade.change_counter AS c VALUES (TG_RELID, 1)
  ON CONFLICT (relation) DO UPDATE SET changes = c.changes + 1;
  RETURN NULL;
END
$$;
CREATE TRIGGER count_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON handmade.leads
FOR EACH STATEMENT EXECUTE FUNCTION handmade.count_change();
VACUUM ANALYZE;
