# The worker of mode async: it starts when there is something to do, survives what kills it, waits for nobody and
# makes nobody wait, and is in the way of no DROP.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('async');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_prepared_transactions = 5\nlog_statement = none\nrestart_after_crash = on\n");
$node->start;
my $schema = q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE customers (id integer PRIMARY KEY, name text, divisor integer NOT NULL DEFAULT 1);
    CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, value integer);
    CREATE INDEX ON leads (customer_id);
    INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 20) g;
    INSERT INTO leads SELECT g, 1 + g % 20, g FROM generate_series(1, 5000) g;
    CREATE VIEW live AS SELECT l.id, c.name, l.value / c.divisor AS share FROM leads l JOIN customers c ON c.id = l.customer_id;
    SELECT freshcrm.create_projection('live', '{id}', mode => 'async');
    CREATE VIEW names AS SELECT id, name FROM customers;
    SELECT freshcrm.create_projection('names', '{id}', mode => 'async');
};
$node->safe_psql('postgres', $schema);

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql); }
sub workers { return sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain' AND datname IS NOT NULL}); }
sub worker_pid { return sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'freshcrm drain' AND datname = 'postgres'}); }
sub becomes { my ($sql, $wanted) = @_; return $node->poll_query_until('postgres', $sql, $wanted); }
my $verify = q{SELECT (SELECT count(*) FROM freshcrm.verify_projection('live_hot')) + (SELECT count(*) FROM freshcrm.verify_projection('names_hot'))};
my $drained = q{SELECT count(*) FROM freshcrm.queue};

# Starts and leaves.
is(workers(), 0, 'no worker without work');
sql(q{UPDATE customers SET name = 'first' WHERE id = 1});
ok(becomes(q{SELECT count(*) FROM live_hot WHERE name = 'first'}, 250), 'a write is followed');
is(workers(), 1, 'by a worker');
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain'}, 0), 'which leaves');
is(sql($verify), 0, 'the tables equal their views');

# It may be woken for as long as it is registered, and does not leave before it has taken that back; one that cannot
# register comes again, though nobody wakes it a second time.
my $registry = $node->background_psql('postgres');
sql(q{UPDATE customers SET name = 'registered' WHERE id = 1});
ok(becomes(q{SELECT count(*) FROM freshcrm.worker WHERE pid IS NOT NULL}, 1), 'a worker is registered');
$registry->query_safe('BEGIN; LOCK TABLE freshcrm.worker IN SHARE MODE');
sleep 3;
is(workers(), 1, 'a worker that cannot take its registration back stays');
$registry->query_safe('ROLLBACK');
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain'}, 0), 'and leaves when it can');
$registry->query_safe('BEGIN; LOCK TABLE freshcrm.worker IN SHARE MODE');
sql(q{UPDATE customers SET name = 'unregistered' WHERE id = 1});
sleep 1.5;
is(sql(q{SELECT count(*) FROM live_hot WHERE name = 'unregistered'}), 0, 'one that cannot register does nothing');
$registry->query_safe('ROLLBACK');
$registry->quit;
ok(becomes(q{SELECT count(*) FROM live_hot WHERE name = 'unregistered'}, 250), 'and is started anew');

# Whoever writes needs no rights on what is of freshcrm, nor does who waits; others do.
sql(q{CREATE ROLE app LOGIN; GRANT SELECT, UPDATE ON customers TO app; GRANT SELECT ON live_hot TO app});
sql(q{SET ROLE app; UPDATE customers SET name = 'app' WHERE id = 2});
is(sql(q{SET ROLE app; SELECT freshcrm.wait_for('live_hot', '1 minute'); SELECT count(*) FROM live_hot WHERE name = 'app'}), "t\n250", 'by a role without rights');
my ($status, $out, $err) = $node->psql('postgres', 'SET ROLE app; CALL freshcrm.drain()');
like($err, qr/permission denied for procedure drain/, 'who may not drain');

# While somebody holds what the worker needs, writers go on, and wait_for() ends when its time is over.
my $holder = $node->background_psql('postgres');
$holder->query_safe(q{BEGIN; SELECT * FROM live_hot WHERE id = 1 FOR UPDATE});
my $begun = time;
sql(q{UPDATE leads SET value = 77 WHERE id = 1});
sql(q{UPDATE leads SET value = 88 WHERE id = 2});
cmp_ok(time - $begun, '<', 5, 'a writer does not wait for the row of the table');
$begun = time;
is(sql(q{SELECT freshcrm.wait_for('live_hot', '300 ms')}), 'f', 'wait_for() says that it is not shown yet');
cmp_ok(time - $begun, '>=', 0.3, 'at the end of its time');
is(sql(q{SELECT state || ' ' || (pending > 0) || ' ' || (lag > '0') FROM freshcrm.projections WHERE projection = 'live_hot'::regclass}),
    'behind true true', 'the lag is shown');

sql(q{UPDATE customers SET name = 'free' WHERE id = 20});
is(sql(q{SELECT freshcrm.wait_for('names_hot', '1 minute')}), 't', 'another projection does not wait for it');
is(sql(q{SELECT state FROM freshcrm.projections WHERE projection = 'live_hot'::regclass}), 'behind', 'nor is it an error');

# Killed in the middle, as by a crash: nobody writes after it.
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain' AND wait_event_type = 'Lock'}, 1), 'the worker waits for a lock');
kill 'KILL', worker_pid();
ok($node->poll_query_until('postgres', 'SELECT 1', 1), 'the server is up again');
ok(becomes($drained, 0), 'after kill -9 all is followed');
is(sql($verify), 0, 'after kill -9 the tables equal their views');
is(sql(q{SELECT share FROM live_hot WHERE id IN (1, 2) ORDER BY id}), "77\n88", 'nothing is lost');
eval { $holder->quit };

# Terminated by an administrator.
$holder = $node->background_psql('postgres');
$holder->query_safe(q{BEGIN; SELECT * FROM live_hot WHERE id = 1 FOR UPDATE});
sql(q{UPDATE leads SET value = 99 WHERE id = 1});
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain' AND wait_event_type = 'Lock'}, 1), 'it waits');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain'});
$holder->query_safe('ROLLBACK');
$holder->quit;
ok(becomes($drained, 0), 'after pg_terminate_backend all is followed');
is(sql($verify), 0, 'after pg_terminate_backend the tables equal their views');

# A transaction that takes long is neither waited for nor skipped: it has queued what it did, and has not committed.
sql(q{BEGIN; UPDATE customers SET name = 'prepared' WHERE id = 5; PREPARE TRANSACTION 'long'});
sql(q{UPDATE customers SET name = 'later' WHERE id = 6});
is(sql(q{SELECT freshcrm.wait_for('live_hot', '1 minute')}), 't', 'who committed later is shown first');
is(sql(q{SELECT count(*) FROM live_hot WHERE name = 'later'}), 250, 'indeed');
is(sql(q{SELECT count(*) FROM live_hot WHERE name = 'prepared'}), 0, 'the other is not');
sleep 2;
sql(q{COMMIT PREPARED 'long'});
ok(becomes(q{SELECT count(*) FROM live_hot WHERE name = 'prepared'}, 250), 'it is followed when it commits, by a worker that stayed for it');
sql(q{BEGIN; UPDATE customers SET name = 'restarted' WHERE id = 5; PREPARE TRANSACTION 'restart'});
sql(q{BEGIN; UPDATE customers SET name = 'rolled back' WHERE id = 6; PREPARE TRANSACTION 'never'});
$node->stop('immediate');
$node->start;
sql(q{ROLLBACK PREPARED 'never'});
sql(q{COMMIT PREPARED 'restart'});
is(sql(q{SELECT freshcrm.wait_for('live_hot', '1 minute')}), 't', 'after a restart and COMMIT PREPARED, who waits starts it');
is(sql(q{SELECT count(*) FROM live_hot WHERE name = 'restarted'}), 250, 'it is shown');
is(sql($verify), 0, 'the tables equal their views');

# Settings of the database that would be in its way.
sql(q{ALTER DATABASE postgres SET default_transaction_isolation = 'serializable';
      ALTER DATABASE postgres SET default_transaction_read_only = on;
      ALTER DATABASE postgres SET statement_timeout = '1ms';
      ALTER DATABASE postgres SET search_path = pg_temp;
      ALTER DATABASE postgres SET session_replication_role = replica});
{
    local $ENV{PGOPTIONS} = '-c session_replication_role=origin -c statement_timeout=0 -c default_transaction_read_only=off -c search_path=public';
    sql(q{UPDATE customers SET name = 'settings'});
    ok(becomes(q{SELECT count(*) FROM live_hot WHERE name <> 'settings'}, 0), 'settings of the database do not matter');
    sql('ALTER DATABASE postgres RESET ALL');
}

# Without a free slot for a worker.
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->restart;
sql(q{UPDATE customers SET name = 'no worker' WHERE id < 11});
is(sql(q{SELECT freshcrm.wait_for('live_hot', '0.2 s')}), 'f', 'without worker processes nothing is followed');
like(slurp_file($node->logfile), qr/could not start the worker that keeps projections of mode async/, 'the log says why');
# A backlog, and something of another projection after it.
sql(q{DO $$ BEGIN FOR i IN 1..8000 LOOP UPDATE leads SET value = value + 1 WHERE id = 1 + i % 5000; COMMIT; END LOOP; END $$});
sql(q{UPDATE customers SET name = 'fair' WHERE id = 20});
is(sql(q{SELECT pending > 8000 FROM freshcrm.projections WHERE projection = 'live_hot'::regclass}), 't', 'a backlog');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', '8');
$node->restart;
sql(q{SET client_min_messages = error; SELECT freshcrm.wait_for('names_hot', '1 minute')});
is(sql(q{SELECT (SELECT name FROM names_hot WHERE id = 20) || ' ' || (pending > 0) FROM freshcrm.projections WHERE projection = 'live_hot'::regclass}),
    'fair true', 'a projection does not wait for the backlog of another');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', '0');
$node->restart;
sql(q{CALL freshcrm.drain('names_hot')});
sql('CALL freshcrm.drain()');
is(sql($drained), 0, 'drain() does the work of the worker');
is(sql($verify), 0, 'the tables equal their views');
# In a transaction, and rolled back.
sql(q{UPDATE customers SET name = 'undone' WHERE id = 20});
is(sql(q{BEGIN; CALL freshcrm.drain(); SELECT count(*) FROM freshcrm.queue; ROLLBACK; SELECT count(*) FROM freshcrm.queue}), "0\n2", 'drain() can be rolled back');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', '8');
$node->restart;
sql('CALL freshcrm.drain()');
is(sql($verify), 0, 'the tables equal their views');

# Altered under load, by one who gets its way between the others.
my $script = $node->basedir . '/writes.sql';
append_to_file($script, q{
\set lead random(1, 500)
\set customer random(1, 20)
BEGIN;
UPDATE leads SET customer_id = :customer, value = value + 1 WHERE id = :lead;
UPDATE customers SET name = name || '.' WHERE id = :customer;
COMMIT;
});
my ($output, $errors) = ('', '');
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-T', 6, '--max-tries=1000', '-f', $script, $node->connstr('postgres') ], '>', \$output, '2>', \$errors);
for my $mode (qw(immediate async commit async immediate commit async))
{
    sleep 0.5;
    sql("SELECT freshcrm.alter_projection('live_hot', mode => '$mode')");
}
$load->finish;
like($output, qr/number of failed transactions: 0 /, 'no write failed while the mode was altered') or diag($errors);
is(sql(q{SELECT freshcrm.wait_for('live_hot', '1 minute'); SELECT freshcrm.wait_for('names_hot', '1 minute')}), "t\nt", 'all is followed');
is(sql($verify), 0, 'the tables equal their views');

# DROP DATABASE, also while something fails and is tried again.
sql('CREATE DATABASE other');
sql($schema, 'other');
sql(q{UPDATE customers SET name = 'dropped' WHERE id = 1}, 'other');
($status, $out, $err) = $node->psql('postgres', 'DROP DATABASE other');
is($status, 0, 'DROP DATABASE is not blocked') or diag($err);
sql('CREATE DATABASE other');
sql($schema, 'other');
sql(q{UPDATE customers SET divisor = 0 WHERE id = 1}, 'other');
ok($node->poll_query_until('other', q{SELECT state FROM freshcrm.projections WHERE projection = 'live_hot'::regclass}, 'stale'), 'what fails is shown');
sleep 1.5;
sql(q{UPDATE leads SET value = 7 WHERE customer_id = 2}, 'other');
ok($node->poll_query_until('other', q{SELECT count(*) FROM live_hot WHERE share = 7}, 251), 'the rest is followed');
# By itself, with no other write.
sql(q{UPDATE customers SET divisor = 1 WHERE id = 1}, 'other');
ok($node->poll_query_until('other', q{SELECT state FROM freshcrm.projections WHERE projection = 'live_hot'::regclass}, 'current'), 'and what failed, when it can be');
sql(q{UPDATE customers SET divisor = 0 WHERE id = 1}, 'other');
sleep 1;
($status, $out, $err) = $node->psql('postgres', 'DROP DATABASE other');
is($status, 0, 'DROP DATABASE is not blocked by what is tried again') or diag($err);

# DROP EXTENSION in the middle of it.
sql(q{DO $$ BEGIN FOR i IN 1..3000 LOOP UPDATE leads SET value = value + 1 WHERE id = 1 + i % 5000; COMMIT; END LOOP; END $$});
sql(q{SET client_min_messages = error; DROP EXTENSION freshcrm CASCADE});
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain'}, 0), 'DROP EXTENSION ends the worker');
is(sql('SELECT count(*) FROM live_hot'), 5000, 'the tables stay');
sleep 6;
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'freshcrm drain'}), 0, 'and none comes again');
my $log = slurp_file($node->logfile);
unlike($log, qr/(PANIC|TRAP|terminated by signal (?!9\b))/, 'nothing crashed');
unlike($log, qr/WARNING:  (relation|could not|cache lookup)/, 'the worker had no errors of its own');
done_testing();
