# The counts of how changes were applied: exact however many sessions begin at once, from 0 after a start, of no
# consequence when there is no room for them, and the same in a server that preloads the module.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 'keys_patched + keys_narrow + keys_whole_row';
my $schema = q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE leads (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status text);
    CREATE VIEW live AS SELECT id, status FROM leads;
    CREATE VIEW loud AS SELECT id, upper(status) AS status FROM leads;
    SELECT freshcrm.create_projection('live', '{id}'), freshcrm.create_projection('loud', '{id}');
};

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "fsync = off\nmax_connections = 50\nrestart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', $schema);

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql); }
# The numbers of keys of all projections, or where $where; empty where nothing is counted.
sub counts { my ($where, $db) = @_; return sql(qq{SELECT string_agg(coalesce(($keys)::text, 'NULL'), ' ' ORDER BY projection::text)
    FROM freshcrm.projections WHERE } . ($where // 'true'), $db); }

# Every client has 25 sessions, one a transaction, and the first ones find no counter.
my $script = $node->basedir . '/insert.sql';
append_to_file($script, "INSERT INTO leads (status) VALUES ('new');\n");
sub many_sessions {
    $node->command_ok(['pgbench', '-n', '-C', '-c', 8, '-j', 4, '-t', 25, '-f', $script, 'postgres'], '200 sessions');
}
$node->restart;
is(counts(), '0 0', 'from 0 after a start');
$node->restart;
many_sessions();
is(counts(), '200 200', 'each is counted once');

# Two that have found no counter, and look for those of what is gone at the same time.
$node->restart;
my @sessions = map { $node->background_psql('postgres') } 1 .. 2;
$_->query_safe(q{SELECT freshcrm.verify_projection('live_hot'), freshcrm.verify_projection('loud_hot')}) for @sessions;
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE freshcrm.projection');
$_->query_until(qr/begun/, "\\echo begun\nINSERT INTO leads (status) VALUES ('new');\n") for @sessions;
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_locks WHERE NOT granted});
$holder->query_safe('COMMIT');
$_->quit for @sessions, $holder;
is(counts(), '2 2', 'share one');

# A projection that is still being made looks as if it were gone: it loses its counter, and takes another
# for what is still to come.
sql('CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer PRIMARY KEY);
    CREATE VIEW va AS SELECT id FROM a; CREATE VIEW vb AS SELECT id FROM b');
my $maker = $node->background_psql('postgres');
$maker->query_safe(q{BEGIN; SELECT freshcrm.create_projection('va', '{id}'); INSERT INTO a VALUES (1)});
sql(q{SELECT freshcrm.create_projection('vb', '{id}')});
$maker->query_safe('INSERT INTO a VALUES (2); COMMIT');
$maker->quit;
is(counts(q{projection IN ('va_hot'::regclass, 'vb_hot'::regclass)}), '1 0', 'with the counter of no other');
sql(q{SELECT freshcrm.drop_projection('va_hot'), freshcrm.drop_projection('vb_hot')});

# In a parallel query nothing can be begun: it is NULL, and no error.
sql(q{CREATE FUNCTION wrapped(id integer) RETURNS bigint PARALLEL SAFE LANGUAGE plpgsql AS
    $$ BEGIN RETURN (SELECT whole_row FROM freshcrm.applied(id)); END $$});
is(sql('SET force_parallel_mode = on; SELECT coalesce(wrapped(1), -1)'), '-1', 'in a parallel query');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', "SELECT sum($keys), sum(recomputed_all) FROM freshcrm.projections"), '0|0', 'on a standby');
$standby->stop('immediate');

# Numbers are given again after CREATE EXTENSION.
my $before = sql('SELECT id FROM freshcrm.projection ORDER BY 1');
sql('DROP EXTENSION freshcrm CASCADE; DROP TABLE live_hot, loud_hot, leads CASCADE');
sql($schema);
is(sql('SELECT id FROM freshcrm.projection ORDER BY 1'), $before, 'projections of the numbers of before');
is(counts(), '0 0', 'begin at 0');

# More projections than there are counters, of which two are in use.
$node->safe_psql('postgres', 'CREATE DATABASE crowd');
sql(q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE t (id integer PRIMARY KEY);
    SET client_min_messages = warning;
    DO $$ BEGIN FOR i IN 1001..1130 LOOP
        EXECUTE format('CREATE VIEW v%s AS SELECT id FROM t', i);
        PERFORM freshcrm.create_projection(format('v%s', i)::regclass, '{id}');
    END LOOP; END $$;
    INSERT INTO t VALUES (1);
}, 'crowd');
my $full = sql("SELECT sum($keys), count($keys), count(*) FROM freshcrm.projections", 'crowd');
is($full, '126|126|130', 'those beyond the counters are not counted');
sql('INSERT INTO t VALUES (2)', 'crowd');
is(sql('SELECT count(*) FROM v1130_hot', 'crowd'), 2, 'but kept');
is(counts(), '0 0', 'and not in the counters of others');

# Those of dropped projections are given to others when they are wanted, also to a session that had none.
my $session = $node->background_psql('crowd');
$session->query_safe('INSERT INTO t VALUES (3)');
sql(q{SELECT freshcrm.drop_projection(format('v%s_hot', i)::regclass) FROM generate_series(1001, 1003) i}, 'crowd');
$session->query_safe('INSERT INTO t VALUES (4)');
$session->quit;
is(sql("SELECT count($keys), count(*) FROM freshcrm.projections", 'crowd'), '126|127', 'three more are counted');
is(counts(q{projection = 'v1004_hot'::regclass}, 'crowd'), '4', 'the others go on');
is(sql("SELECT sum($keys) FROM freshcrm.projections WHERE projection::text > 'v1127'", 'crowd'), '3', 'of which each began at 0');
sql('DROP DATABASE crowd');
sql(q{CREATE VIEW late AS SELECT id FROM leads; SELECT freshcrm.create_projection('late', '{id}'); INSERT INTO leads (status) VALUES ('new')});
is(counts(), '1 1 1', 'and those of a dropped database');

# Without shared memory.
$node->restart;
sql(q{CREATE FUNCTION take_shared_memory() RETURNS bigint LANGUAGE C AS '$libdir/freshcrm_boundary_test', 'freshcrm_boundary_take_shared_memory'});
cmp_ok(sql('SELECT take_shared_memory()'), '>', 0, 'there is no shared memory to spare');
my ($status, $out, $err) = $node->psql('postgres', q{INSERT INTO leads (status) VALUES ('none'); INSERT INTO leads (status) VALUES ('none')});
is("$status $err", '0 ', 'writes go on');
is(sql(q{SELECT count(*) FROM loud_hot WHERE status = 'NONE'}), 2, 'and are followed');
is(counts(), 'NULL NULL NULL', 'and not counted');

# Preloaded.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'freshcrm'\n");
$node->restart;
is(sql(q{SELECT count(*) FROM pg_shmem_allocations WHERE name LIKE 'freshcrm counts%'}), 1, 'preloaded, the memory is there from the start');
many_sessions();
is(counts(), '200 200 200', 'and all is counted');
cmp_ok(sql('SET force_parallel_mode = on; SELECT wrapped(1)'), '>=', 0, 'also in a parallel query');
my $victim = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $pid;
eval { $victim->quit };
$node->poll_query_until('postgres', 'SELECT true');
is(counts(), '0 0 0', 'from 0 after a crash');
sql(q{INSERT INTO leads (status) VALUES ('new')});
is(counts(), '1 1 1', 'and on');

done_testing();
