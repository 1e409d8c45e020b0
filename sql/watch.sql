-- Watched tables: whether they have changed since a snapshot (src/watch/changes.hpp).

CREATE TABLE freshcrm.table_change (
    relation oid NOT NULL,
    xid xid8 NOT NULL,  -- the top transaction that made the change
    changed_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE INDEX table_change_relation ON freshcrm.table_change (relation, xid);

COMMENT ON TABLE freshcrm.table_change IS
'changes of watched tables that materialized views may not have seen: not each of them, but at least one that a refresh has not seen, if there is any';

CREATE FUNCTION freshcrm.note_change() RETURNS trigger
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'freshcrm_note_change';

COMMENT ON FUNCTION freshcrm.note_change() IS
'trigger function on watched tables: records that the transaction has changed the table';

CREATE FUNCTION freshcrm.watch_table(relation regclass, for_role regrole DEFAULT NULL) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_watch_table';

COMMENT ON FUNCTION freshcrm.watch_table(regclass, regrole) IS
'makes and enables the triggers that watch a table, if the role (NULL: the caller) may put some on it; true when there was anything to do';

CREATE FUNCTION freshcrm.unwatch_table(relation regclass) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_unwatch_table';

COMMENT ON FUNCTION freshcrm.unwatch_table(regclass) IS
'drops the triggers that watch a table; false when there were none';

CREATE FUNCTION freshcrm.watch_problem(relation oid) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'freshcrm_watch_problem';

COMMENT ON FUNCTION freshcrm.watch_problem(oid) IS
'why changes of a relation are not noted; NULL: they are';

CREATE FUNCTION freshcrm.see_changes(relations oid[]) RETURNS pg_snapshot
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_see_changes';

COMMENT ON FUNCTION freshcrm.see_changes(oid[]) IS
'the snapshot of a statement that comes after it in its transaction, for first_unseen_change(); NULL when that would not be exact, as above READ COMMITTED';

CREATE FUNCTION freshcrm.first_unseen_change(seen pg_snapshot, relations oid[]) RETURNS timestamptz
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_first_unseen_change';

COMMENT ON FUNCTION freshcrm.first_unseen_change(pg_snapshot, oid[]) IS
'when the first change of watched tables was recorded that is committed and that a snapshot of see_changes() does not see; NULL: they are unchanged';

CREATE FUNCTION freshcrm.forget_seen_changes() RETURNS bigint
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'freshcrm_forget_seen_changes';

COMMENT ON FUNCTION freshcrm.forget_seen_changes() IS
'deletes the changes that the last refresh of each materialized view has seen, and those of tables that none reads; none while a refresh is under way';

CREATE FUNCTION freshcrm.note_command() RETURNS event_trigger
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'freshcrm_note_command';

COMMENT ON FUNCTION freshcrm.note_command() IS
'event trigger function: a command on a watched table, or on a partition or child of one, counts as a change of it';

CREATE EVENT TRIGGER freshcrm_note_command ON ddl_command_end
WHEN TAG IN ('ALTER FOREIGN TABLE', 'ALTER TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'CREATE TABLE')
EXECUTE FUNCTION freshcrm.note_command();
ALTER EVENT TRIGGER freshcrm_note_command ENABLE ALWAYS;

COMMENT ON EVENT TRIGGER freshcrm_note_command IS
'a command on a watched table, or on a partition or child of one, counts as a change of it';

REVOKE ALL ON FUNCTION
    freshcrm.watch_table(regclass, regrole),
    freshcrm.unwatch_table(regclass),
    freshcrm.see_changes(oid[]),
    freshcrm.first_unseen_change(pg_snapshot, oid[]),
    freshcrm.forget_seen_changes(),
    freshcrm.note_command()
FROM PUBLIC;
