-- What is counted before and after a run: bytes of WAL, updates of the hot table, HOT ones among them, deadlocks.
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'), coalesce(pg_stat_get_tuples_updated(hot), 0),
       coalesce(pg_stat_get_tuples_hot_updated(hot), 0), pg_stat_get_db_deadlocks(d.oid)
  FROM pg_database AS d, to_regclass('crm.cockpit_leads_hot') AS hot WHERE datname = current_database();
