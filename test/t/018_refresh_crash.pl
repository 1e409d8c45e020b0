# What is killed in the middle of a refresh: sessions, ticks, the server; two ticks at once; and dumps.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('refresh');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\ntimezone = 'UTC'\n");
$node->start;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql); }
sub becomes { my ($sql, $wanted) = @_; return $node->poll_query_until('postgres', $sql, $wanted); }

# slow takes as long as it is told; after reads it, beside has nothing to do with either.
sql(q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE knob (seconds double precision);
    INSERT INTO knob VALUES (0);
    CREATE TABLE leads (id integer PRIMARY KEY, name text);
    INSERT INTO leads SELECT g, 'lead ' || g FROM generate_series(1, 100) AS g;
    CREATE MATERIALIZED VIEW slow AS SELECT l.id, pg_sleep(k.seconds / 100)::text AS slept FROM leads AS l, knob AS k;
    CREATE UNIQUE INDEX ON slow (id);
    CREATE MATERIALIZED VIEW after AS SELECT count(*) FROM slow;
    CREATE MATERIALIZED VIEW beside AS SELECT count(*) FROM leads;
    SELECT freshcrm.schedule('slow', '0 0 * * *'), freshcrm.schedule('after', '0 0 * * *'), freshcrm.schedule('beside', '0 0 * * *');
});
my $all_due = q{UPDATE freshcrm.matview_state SET next_due = now(), failures = 0;};
my $state = q{SELECT state FROM freshcrm.matview_status WHERE matview = 'slow'::regclass};
my $last = q{SELECT status FROM freshcrm.refresh_history WHERE matview = 'slow'::regclass ORDER BY id DESC LIMIT 1};
my $running_pid = q{SELECT pid FROM freshcrm.refresh_history WHERE status = 'running' ORDER BY id DESC LIMIT 1};
my @ticks;

# A tick that comes to slow and stays there. (psql ends when its session does.)
sub start_tick {
    sql("UPDATE knob SET seconds = 600; $all_due");
    my $tick = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'CALL freshcrm.tick()' ],
        '<', \undef, '>', '/dev/null', '2>', '/dev/null');
    push @ticks, $tick;
    ok(becomes($state, 'running'), 'a tick is refreshing');
    ok(becomes(q{SELECT count(*) FROM pg_locks WHERE relation = 'slow'::regclass AND mode = 'ExclusiveLock'}, 1), 'it has begun to');
    return $tick;
}

# How killed ticks end, whatever kills them.
sub is_interrupted {
    my ($how) = @_;
    is(sql($last), 'running', "$how: the history says what was going on");
    isnt(sql($state), 'running', 'the status knows better');
    is(sql(q{SELECT freshcrm.health()->'components'->'refresh'->>'interrupted'}), 1, 'health tells it');
    sql('UPDATE knob SET seconds = 0');
    sql('CALL freshcrm.tick()');
    is(sql($last), 'interrupted', 'the next tick says that it was killed');
    is(sql(q{SELECT failures FROM freshcrm.matview_state WHERE matview = 'slow'::regclass}), 1, 'as a failure, not tried again at once');
    sql(q{CALL freshcrm.tick(now() + interval '2 minutes')});
    is(sql($last), 'refreshed', 'and then again');
    is(sql(q{SELECT count(*) FROM slow}), 100, 'the view is whole');
    return;
}

# The server ends all sessions when one is killed, and recovers.
my $tick = start_tick();
kill 'KILL', sql($running_pid);
$tick->finish;
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is there again');
is_interrupted('kill -9');
$tick = start_tick();
sql("SELECT pg_terminate_backend(($running_pid))");
$tick->finish;
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE query = 'CALL freshcrm.tick()'}, 0), 'its session has ended');
is_interrupted('terminated');
$tick = start_tick();
sql("SELECT pg_cancel_backend(($running_pid))");
$tick->finish;
ok(becomes(q{SELECT count(*) FROM pg_stat_activity WHERE query = 'CALL freshcrm.tick()'}, 0), 'its session has ended');
is_interrupted('cancelled');
$tick = start_tick();
$node->stop('immediate');
$tick->finish;
$node->start;
is_interrupted('the server stopped');

# Another tick beside it: no view twice; what does not read it is not held up.
$tick = start_tick();
my $history = sql('SELECT max(id) FROM freshcrm.refresh_history');
sql("UPDATE freshcrm.matview_state SET next_due = now() WHERE matview = 'beside'::regclass");
sql('CALL freshcrm.tick()');
is(sql("SELECT string_agg(name || ' ' || status || coalesce(': ' || error, ''), ', ' ORDER BY name) FROM freshcrm.refresh_history WHERE id > $history"),
    'public.after skipped: reads public.slow, which is being refreshed, public.beside unchanged', 'two ticks at once');
is(sql(q{SELECT count(*) FROM freshcrm.refresh_history WHERE status = 'running'}), 1, 'the first goes on');
is(sql(q{SELECT (freshcrm.refresh('slow')).status}), 'running', 'and so finds who refreshes by hand');
sql("SELECT pg_terminate_backend(($running_pid))");
$tick->finish;
sql('UPDATE knob SET seconds = 0');
sql(q{CALL freshcrm.tick(now() + interval '2 minutes')});
sql(q{CALL freshcrm.tick(now() + interval '4 minutes')});
is(sql(q{SELECT string_agg(state, ' ') FROM freshcrm.matview_status}), 'scheduled scheduled scheduled', 'all is well again');
is(sql('SELECT count FROM after'), 100);

# Dumped and restored, schedules are kept, also of views that a restore makes late, since they need a primary key.
sql(q{CREATE MATERIALIZED VIEW late AS SELECT id, name, count(*) FROM leads GROUP BY id;
    CREATE UNIQUE INDEX ON late (id);
    SELECT freshcrm.schedule('late', '30 1 * * *', 'nightly', 'Europe/Berlin', '1 hour', '5 min', 'concurrently', '1 min', '5 s', 7);
    CREATE ROLE reader; SELECT freshcrm.grant_refresh('late', 'reader');});
my $schedules = q{SELECT matview, cron, timezone, job_name, max_staleness, jitter, mode, statement_timeout, lock_timeout, max_attempts,
    refreshers, created_at FROM freshcrm.matview ORDER BY job_name};
my $dump = $node->basedir . '/dump';
command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
sql('CREATE DATABASE restored');
command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'restored');
is(sql($schedules, 'restored'), sql($schedules), 'the schedules are the same');
is(sql(q{SELECT count(*) FROM freshcrm.refresh_history WHERE trigger <> 'statement'}, 'restored'), 0, 'the history is not');
sql('CALL freshcrm.tick()', 'restored');
is(sql(q{SELECT count(*) FROM freshcrm.matview_status WHERE next_due > now()}, 'restored'), 4, 'one tick, and each is due at its time');
sql(q{UPDATE freshcrm.matview_state SET next_due = now(); CALL freshcrm.tick()}, 'restored');
is(sql(q{SELECT count(*) FROM freshcrm.matview_status WHERE last_status IN ('refreshed', 'unchanged')}, 'restored'), 4, 'and refreshed');
sql(q{INSERT INTO leads VALUES (1000, 'new')}, 'restored');
is(sql(q{SELECT (freshcrm.refresh('late')).rows_inserted}, 'restored'), 1, 'changes are followed there');
$node->stop;
done_testing();
